"""The tokens in the database: made, listed, revoked, and looked at with every request."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row, tuple_row

from care.sql import load_queries
from ingest.http.token_form import TOKEN_BYTES, fingerprint, written
from ingest.store.storing import Connection

_QUERIES = load_queries("ingest")


class TokenError(Exception):
    """A token can not be made or revoked."""


class NoSuchOrganisation(TokenError):
    """The registry has no organisation of this key."""


class NameTaken(TokenError):
    """The organisation has a standing token of this name."""


class NoSuchToken(TokenError):
    """There is no token of this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token; the token itself is not."""

    token_id: int
    organisation: str
    name: str
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the database says to a token that asks for a gateway."""

    token_id: int
    is_revoked: bool
    covers_gateway: bool


def add(connection: Connection, *, organisation: str, name: str, now: datetime) -> tuple[int, str]:
    """Make a token and give its number and itself, for the only time. Raises TokenError."""
    token = written(secrets.token_bytes(TOKEN_BYTES))
    values = {"sha256": fingerprint(token), "organisation": organisation, "name": name, "now": now}
    try:
        with connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_QUERIES["token_add"], values).fetchone()
    except UniqueViolation as exc:
        raise NameTaken(
            f"{organisation!r} has a token named {name!r}: revoke that one, or choose another name"
        ) from exc
    if row is None:
        raise NoSuchOrganisation(f"there is no organisation {organisation!r}; its key in the registry file is meant")
    return int(row[0]), token


def every(connection: Connection) -> list[Token]:
    """List the tokens, the revoked ones too."""
    with connection.cursor(row_factory=class_row(Token)) as cursor:
        return cursor.execute(_QUERIES["token_list"]).fetchall()


def revoke(connection: Connection, token_id: int, *, now: datetime) -> tuple[str, datetime]:
    """Revoke a token for good; give its name and since when it is. Raises NoSuchToken."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_QUERIES["token_revoke"], {"token_id": token_id, "now": now}).fetchone()
    if row is None:
        raise NoSuchToken(f"there is no token {token_id}; 'hearthwatch ingest token list' shows them")
    return row[1], row[2]


def admit(connection: Connection, sha256: bytes, *, gateway_id: str, now: datetime) -> Admission | None:
    """Look a token up for a gateway; None where it is not known."""
    values = {"sha256": sha256, "gateway_id": gateway_id, "now": now}
    with connection.cursor(row_factory=class_row(Admission)) as cursor:
        return cursor.execute(_QUERIES["token_admit"], values).fetchone()

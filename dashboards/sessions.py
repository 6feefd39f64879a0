"""Signing in and out of the console: sessions on the server, a CSRF token each, and a brake on guessing."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from care.people import verify_password
from dashboards.database import Connection, execute, records, rows
from dashboards.scope import Onlooker

COOKIE = "hearthwatch_session"
LASTS = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
FAILURES_KEPT = timedelta(days=1)
FAILURES_WINDOW = timedelta(minutes=15)
FAILURES_MOST = {"both": 5, "key": 30, "address": 30}
KEY_CHARACTERS_MAX = 64
PASSWORD_CHARACTERS_MAX = 256


class SignInError(Exception):
    """A sign-in was refused."""


class WrongPassword(SignInError):
    """No such key, no password set, or the wrong one: which of them is not told."""


class TooManyFailures(SignInError):
    """Too many failures lately for this key or address; try again in a quarter of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The person behind a request, with the session's CSRF token."""

    person_id: int
    key: str
    name: str
    name_en: str
    role: str
    service_tier: int
    organisation_id: int
    csrf: str
    seen_at: datetime

    @property
    def onlooker(self) -> Onlooker:
        """Give what scope is decided on."""
        return Onlooker(organisation_id=self.organisation_id, role=self.role)

    def holds(self, csrf: str) -> bool:
        """Say whether a request brought this session's CSRF token."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to sign in, as it came in."""

    key: str
    password: str
    address: str


def sign_in(connection: Connection, attempt: Attempt, now: datetime) -> str:
    """Open a session and give its token. Raises SignInError; a failure is kept and counted."""
    key_hash = hashlib.sha256(attempt.key.encode()).digest()
    who = {"key_hash": key_hash, "address": attempt.address}
    counts = records(connection, "failures", **who, since=now - FAILURES_WINDOW)[0]
    if any(counts[kind] >= most for kind, most in FAILURES_MOST.items()):
        raise TooManyFailures(f"{counts['both']} failures of this key, {counts['address']} from {attempt.address}")
    person = _verified(connection, attempt)
    execute(connection, "failure_forget", **who, before=now - FAILURES_KEPT, signed_in=person is not None)
    if person is None:
        execute(connection, "failure_record", **who, now=now)
        raise WrongPassword("wrong key or password")
    token = secrets.token_urlsafe(32)
    execute(
        connection,
        "session_open",
        token_hash=_hash(token),
        person_id=person,
        csrf=secrets.token_urlsafe(24),
        now=now,
        expires_at=now + LASTS,
    )
    return token


def viewer_of(connection: Connection, token: str, now: datetime) -> Viewer | None:
    """Give the person who holds a live session; using it pushes its end out."""
    found = rows(connection, Viewer, "session_viewer", token_hash=_hash(token), now=now)
    if not found:
        return None
    if now - found[0].seen_at >= SEEN_EVERY:
        execute(connection, "session_seen", token_hash=_hash(token), now=now, expires_at=now + LASTS)
    return found[0]


def sign_out(connection: Connection, token: str, now: datetime) -> None:
    """End a session."""
    execute(connection, "session_close", token_hash=_hash(token), now=now)


def _verified(connection: Connection, attempt: Attempt) -> int | None:
    if len(attempt.key) > KEY_CHARACTERS_MAX or len(attempt.password) > PASSWORD_CHARACTERS_MAX:
        return None
    person = verify_password(connection, attempt.key, attempt.password)
    return None if person is None else person.person_id


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()

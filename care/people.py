"""Who signs in."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from care.passwords import hashed, is_outdated, matches
from care.registry import PersonRole, ServiceTier
from care.sql import load_queries

_QUERIES = load_queries("care")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInPerson:
    """A person who gave the right password."""

    person_id: int
    key: str
    name: str
    name_en: str
    organisation_id: int
    role: PersonRole
    service_tier: ServiceTier


def verify_password(connection: psycopg.Connection[Any], login_key: str, password: str) -> SignedInPerson | None:
    """Give the person if the password is right; None for a wrong one and for nobody, after the same work."""
    found = None
    if "\0" not in login_key:
        with connection.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(_QUERIES["sign_in"], {"key": login_key}).fetchone()
    password_hash = found["password_hash"] if found else None
    if not matches(password_hash, password) or found is None:
        return None
    if is_outdated(found["password_hash"]):
        values = {"person_id": found["person_id"], "password_hash": hashed(password)}
        connection.execute(_QUERIES["set_password_hash"], values)
    return SignedInPerson(
        person_id=found["person_id"],
        key=found["key"],
        name=found["name"],
        name_en=found["name_en"],
        organisation_id=found["organisation_id"],
        role=PersonRole(found["role"]),
        service_tier=ServiceTier(found["service_tier"]),
    )

"""Who is on duty: the roster at an instant, for an organisation or the nearest one above it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from care.sql import load_queries

_QUERIES = load_queries("care")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonOnDuty:
    """Someone to be told, and over which channels (apprise URLs, in the person's order)."""

    person_id: int
    key: str
    name: str
    name_en: str
    role: str
    service_tier: int
    channels: list[str]


def on_duty(
    connection: psycopg.Connection[Any], organisation_id: int, duty_role: str, now: datetime
) -> list[PersonOnDuty]:
    """List who holds this duty now at the nearest organisation, going up the tree, where anybody does."""
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        return cursor.execute(
            _QUERIES["on_duty"], {"organisation_id": organisation_id, "duty_role": duty_role, "now": now}
        ).fetchall()


def family_doctor(connection: psycopg.Connection[Any], patient_id: int) -> PersonOnDuty | None:
    """Give a patient's family doctor."""
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        return cursor.execute(_QUERIES["family_doctor"], {"patient_id": patient_id}).fetchone()

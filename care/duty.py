"""Who is on duty: the file's roster with what people said over it, for an organisation or the nearest one above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from care.sql import load_queries

_QUERIES = load_queries("care")

ESCALATED_TO = ("township_duty", "county_expert", "operations")
"""Duties that an unanswered alarm is carried to, one after the other."""

CHANGES_MOST = 500


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A time in which nobody holds a duty for the patients of an organisation.

    `roster_of`: whose roster has the hole, the nearest at or above; None: nobody ever was on this duty for them.
    """

    organisation_id: int
    organisation: str
    duty_role: str
    since: datetime
    until: datetime
    time_zone: str
    roster_of: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who holds which duty from when to when, as far as it lies in the time asked for.

    `kind`: roster (the file says so), override or swap (the change `change_id` does).
    """

    organisation_id: int
    organisation: str
    time_zone: str
    duty_role: str
    person_id: int
    person: str
    name: str
    name_en: str
    since: datetime
    until: datetime
    kind: str
    change_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody said of the roster: whoever is named by key and name, times in UTC.

    Of leave the organisation is where the person is employed. A swap is two of these with one `swap_id`; it waits while
    `accepted_at` is None.
    """

    change_id: int
    kind: str
    swap_id: int | None
    organisation_id: int
    organisation: str
    time_zone: str
    duty_role: str | None
    person_id: int
    person: str
    name: str
    name_en: str
    in_place_of_id: int | None
    in_place_of: str | None
    in_place_of_name: str | None
    in_place_of_name_en: str | None
    substitute: str | None
    substitute_name: str | None
    substitute_name_en: str | None
    since: datetime
    until: datetime
    reason: str
    said_by_id: int
    said_by: str
    said_by_name: str
    said_by_name_en: str
    said_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    revoked_by_name: str | None
    revoked_by_name_en: str | None

    @property
    def standing(self) -> str:
        """Give how it stands: revoked, waiting for the other's word, or holding."""
        return "revoked" if self.revoked_at else "holds" if self.accepted_at else "waiting"


def roster_holes(
    connection: psycopg.Connection[Any], begin: datetime, end: datetime, roles: Sequence[str] = ESCALATED_TO
) -> list[Hole]:
    """List when an unanswered alarm of some patient would find nobody on one of these duties."""
    values = {"begin": begin, "end": end, "roles": list(roles)}
    with connection.cursor(row_factory=class_row(Hole)) as cursor:
        return cursor.execute(_QUERIES["roster_holes"], values).fetchall()


def roster(
    connection: psycopg.Connection[Any], begin: datetime, end: datetime, among: Sequence[int] | None = None
) -> list[Shift]:
    """List who is on duty in a time, at these organisations (None: everywhere)."""
    values = {"begin": begin, "end": end, "among": None if among is None else list(among)}
    with connection.cursor(row_factory=class_row(Shift)) as cursor:
        return cursor.execute(_QUERIES["roster"], values).fetchall()


def changes(
    connection: psycopg.Connection[Any], begin: datetime, end: datetime, among: Sequence[int] | None = None
) -> list[Change]:
    """List what was said of a time's roster, newest first, at most `CHANGES_MOST`."""
    values = {"begin": begin, "end": end, "among": None if among is None else list(among), "most": CHANGES_MOST}
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(_QUERIES["duty_changes"], values).fetchall()


def family_doctor(connection: psycopg.Connection[Any], patient_id: int, now: datetime) -> PersonOnDuty | None:
    """Give who is asked as a patient's family doctor now: on leave the substitute, None where there is none."""
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        values = {"patient_id": patient_id, "now": now}
        return cursor.execute(_QUERIES["family_doctor"], values).fetchone()


def coordinators(connection: psycopg.Connection[Any], organisation_id: int, now: datetime) -> list[PersonOnDuty]:
    """List who keeps an organisation's roster, there and above."""
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        values = {"organisation_id": organisation_id, "now": now}
        return cursor.execute(_QUERIES["coordinators"], values).fetchall()

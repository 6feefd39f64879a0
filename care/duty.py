"""Who is on duty: the file's roster with what people said over it, for an organisation or the nearest one above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row, tuple_row

from care.shifts import Change, Hole, Shift
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


def posts_held(
    connection: psycopg.Connection[Any], person_id: int, posts: Sequence[tuple[int, str]], now: datetime
) -> set[tuple[int, str]]:
    """Give which of these posts (organisation, duty) somebody holds now, as `on_duty` finds who does."""
    values = {
        "person_id": person_id,
        "now": now,
        "organisations": [at for at, _ in posts],
        "roles": [r for _, r in posts],
    }
    with connection.cursor(row_factory=tuple_row) as cursor:
        return set(cursor.execute(_QUERIES["posts_held"], values).fetchall())


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


def to_be_paged(
    connection: psycopg.Connection[Any], organisation_id: int, now: datetime, *, everybody: bool
) -> list[PersonOnDuty]:
    """List whom alarms of an organisation and all below it may page now; `everybody`: all who work there."""
    values = {"organisation_id": organisation_id, "now": now, "everybody": everybody}
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        return cursor.execute(_QUERIES["to_be_paged"], values).fetchall()


def changes(
    connection: psycopg.Connection[Any], begin: datetime, end: datetime, among: Sequence[int] | None = None
) -> list[Change]:
    """List what was said of a time's roster, newest first, at most `CHANGES_MOST`."""
    values = {"begin": begin, "end": end, "among": None if among is None else list(among), "most": CHANGES_MOST}
    with connection.cursor(row_factory=class_row(Change)) as cursor:
        return cursor.execute(_QUERIES["duty_changes"], values).fetchall()


def family_doctors(
    connection: psycopg.Connection[Any], doctors: Sequence[int], now: datetime
) -> dict[int, PersonOnDuty]:
    """Give who is asked now in place of each of these family doctors: on leave the substitute, if there is one."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_QUERIES["family_doctors"], {"doctors": list(doctors), "now": now}).fetchall()
    return {row.pop("doctor_id"): PersonOnDuty(**row) for row in rows}


def coordinators(connection: psycopg.Connection[Any], organisation_id: int, now: datetime) -> list[PersonOnDuty]:
    """List who keeps an organisation's roster, there and above."""
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        values = {"organisation_id": organisation_id, "now": now}
        return cursor.execute(_QUERIES["coordinators"], values).fetchall()


def people(connection: psycopg.Connection[Any], numbers: Sequence[int]) -> list[PersonOnDuty]:
    """List people by their numbers, on duty or not."""
    with connection.cursor(row_factory=class_row(PersonOnDuty)) as cursor:
        return cursor.execute(_QUERIES["people_to_tell"], {"people": list(numbers)}).fetchall()

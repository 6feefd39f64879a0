"""What the one who leaves a duty writes to the one who comes, and that he has read it. Append only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from care.duty_changes import DutyRefused, Obstacle
from care.sql import load_queries

NOTE_CHARACTERS_MAX = 2000
NOTES_MOST = 20
SHOWN = timedelta(days=3)
"""So long a note that was read is still listed."""

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("care")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note of handover; `acknowledged_at` None: nobody who came has read it."""

    note_id: int
    note: str
    said_by: int
    said_by_name: str
    said_by_name_en: str
    said_at: datetime
    acknowledged_by_name: str | None
    acknowledged_by_name_en: str | None
    acknowledged_at: datetime | None


def write_note(
    connection: Connection, organisation: str, duty_role: str, note: str, *, person_id: int, now: datetime
) -> int:
    """Write to who comes next, as who holds the duty now; gives the note's number. Raises DutyRefused."""
    if not note.strip():
        raise DutyRefused(Obstacle.EMPTY, "the note says nothing")
    values = {"organisation": organisation, "duty_role": duty_role, "person_id": person_id, "now": now}
    text = note.strip()[:NOTE_CHARACTERS_MAX]
    found = connection.execute(_QUERIES["add_handover_note"], values | {"note": text}).fetchone()
    if found is None:
        raise DutyRefused(Obstacle.NOT_ON_DUTY, f"person {person_id} does not hold {duty_role} of {organisation} now")
    return int(found[0])


def acknowledge_note(connection: Connection, note_id: int, *, person_id: int, now: datetime) -> None:
    """Note that it was read by who holds the duty now. Raises DutyRefused."""
    values = {"note_id": note_id, "person_id": person_id, "now": now}
    if connection.execute(_QUERIES["acknowledge_handover_note"], values).rowcount == 0:
        raise DutyRefused(Obstacle.NOT_WAITING, f"note {note_id} waits for nobody, or for somebody else's word")


def notes(connection: Connection, organisation_id: int, duty_role: str, now: datetime) -> list[Note]:
    """List a duty's notes: all that nobody has read, and those of late; newest first, at most `NOTES_MOST`."""
    values = {
        "organisation_id": organisation_id,
        "duty_role": duty_role,
        "since": now - SHOWN,
        "most": NOTES_MOST,
    }
    with connection.cursor(row_factory=class_row(Note)) as cursor:
        return cursor.execute(_QUERIES["handover_notes"], values).fetchall()

"""Opens, changes, carries on and ends follow-ups: each act of a person is one transaction and one line of history."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from care.follow_up import (
    STANDARD,
    TRIES_MAX,
    Answer,
    Cadence,
    Contact,
    Decision,
    EndedAs,
    FollowUpRefused,
    Lateness,
    Sign,
    Standing,
    after_change,
    after_contact,
    again_at,
    begun,
    check,
    check_note,
    lateness,
)
from care.helping import What
from care.sql import load_queries

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("care")


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An open follow-up and when its next contact is due."""

    follow_up_id: int
    patient_key: str
    initials: str
    bed: str
    organisation_name: str
    time_zone: str
    cadence: str
    due_at: datetime
    tries: int

    def lateness(self, now: datetime) -> Lateness:
        """Say how late it is."""
        return lateness(self.due_at, now, ZoneInfo(self.time_zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A contact as it was written down, as far as something follows from it."""

    contact_id: int
    patient_id: int
    at: datetime
    way: str
    signs: dict[str, str]
    has_warning: bool

    @property
    def warning_signs(self) -> list[str]:
        """Give the signs that were answered with yes."""
        return [sign.value for sign in Sign if self.signs.get(sign) == Answer.YES]


def open_follow_up(
    connection: Connection, patient_id: int, *, person_id: int, now: datetime, cadence: Cadence = STANDARD, why: str
) -> int | None:
    """Open a patient's follow-up; gives it, or None where one is open already. Raises FollowUpRefused."""
    check_note(why, needed_for="opening a follow-up")
    with connection.transaction():
        found = _one(connection, "follow_up_patient", patient_id=patient_id)
        if found is None:
            raise FollowUpRefused(f"patient {patient_id} is not in the registry")
        standing = begun(cadence, now=now, zone=ZoneInfo(found["time_zone"]))
        row = _one(connection, "open_follow_up", patient_id=patient_id, now=now, **_columns(standing))
        if row is None:
            return None
        follow_up_id = int(row["follow_up_id"])
        _note(connection, follow_up_id, "opened", cadence, why, person_id=person_id, now=now)
        return follow_up_id


def change_cadence(
    connection: Connection, follow_up_id: int, cadence: Cadence, *, why: str, person_id: int, now: datetime
) -> None:
    """Contact a patient more or less often from now on. Raises FollowUpRefused."""
    check_note(why, needed_for="another cadence")
    with connection.transaction():
        standing, zone, _ = _locked(connection, follow_up_id)
        _write(connection, follow_up_id, after_change(standing, cadence, now=now, zone=zone))
        _note(connection, follow_up_id, "cadence", cadence, why, person_id=person_id, now=now)


def record_contact(
    connection: Connection, follow_up_id: int, contact: Contact, *, person_id: int, now: datetime
) -> int:
    """Write a contact down and say when the next is due; gives it. Raises FollowUpRefused.

    After `TRIES_MAX` attempts in a row that reach nobody there is a task to go there; reaching somebody settles it.
    """
    check(contact, now=now)
    with connection.transaction():
        standing, zone, patient_id = _locked(connection, follow_up_id)
        row = _one(
            connection,
            "add_contact",
            follow_up_id=follow_up_id,
            now=now,
            person_id=person_id,
            due_at=standing.due_at,
            has_warning=bool(contact.warning_signs),
            **asdict(contact) | {"signs": Jsonb(dict(contact.signs)), "note": contact.note.strip()},
        )
        new = after_contact(standing, reached=contact.reached, at=now, zone=zone)
        _write(connection, follow_up_id, new)
        who = {"patient_id": patient_id, "person_id": person_id, "now": now}
        if contact.reached:
            _run(connection, "settle_unreached", **who)
        elif new.needs_visit:
            _run(connection, "make_visit", **who, what=What.VISIT, note=f"× {TRIES_MAX}", due_at=again_at(now, zone))
        assert row is not None, "INSERT … RETURNING gives a row"
        return int(row["contact_id"])


def decide_on_signs(
    connection: Connection, contact_id: int, decision: Decision, *, note: str, person_id: int, now: datetime
) -> bool:
    """Write down what somebody decided on a contact's signs; False where it was decided. Raises FollowUpRefused."""
    check_note(note, needed_for="raising no alarm" if decision is Decision.NO_ALARM else "")
    found = contact_of(connection, contact_id)
    if found is None or not found.has_warning:
        raise FollowUpRefused(f"contact {contact_id} has no warning sign to decide on")
    return _decide(connection, contact_id, decision, note=note.strip(), person_id=person_id, now=now)


def await_decision(connection: Connection, contact_id: int, *, decide_by: datetime) -> None:
    """Note by when somebody has to decide on a contact's warning signs."""
    _run(connection, "await_decision", contact_id=contact_id, decide_by=decide_by)


def decide_by_clock(connection: Connection, contact_id: int, *, now: datetime) -> bool:
    """Write down that nobody has decided on a contact's signs in time: ALARM; False where it was decided."""
    return _decide(connection, contact_id, Decision.ALARM, note="", person_id=None, now=now)


def end_follow_up(
    connection: Connection, follow_up_id: int, ended_as: EndedAs, *, why: str, person_id: int, now: datetime
) -> None:
    """End a follow-up: only a person does, as no source names a criterion. Raises FollowUpRefused."""
    check_note(why, needed_for="ending a follow-up")
    with connection.transaction():
        _locked(connection, follow_up_id)
        _run(connection, "end_follow_up", follow_up_id=follow_up_id, now=now, ended_as=ended_as)
        _note(connection, follow_up_id, "ended", ended_as, why, person_id=person_id, now=now)


def end_open_follow_up(
    connection: Connection, patient_id: int, ended_as: EndedAs, *, why: str, person_id: int, now: datetime
) -> bool:
    """End a patient's follow-up if one is open; says whether one was."""
    with connection.transaction():
        found = _one(connection, "open_follow_up_of", patient_id=patient_id)
        if found is None:
            return False
        end_follow_up(connection, found["follow_up_id"], ended_as, why=why, person_id=person_id, now=now)
        return True


def contact_of(connection: Connection, contact_id: int) -> Said | None:
    """Give a contact."""
    with connection.cursor(row_factory=class_row(Said)) as cursor:
        return cursor.execute(_QUERIES["contact"], {"contact_id": contact_id}).fetchone()


def open_follow_ups(connection: Connection, *, due_before: datetime | None = None, most: int = 1000) -> Sequence[Due]:
    """List open follow-ups, the longest overdue first."""
    with connection.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(_QUERIES["open_follow_ups"], {"due_before": due_before, "most": most}).fetchall()


def _decide(
    connection: Connection, contact_id: int, decision: Decision, *, note: str, person_id: int | None, now: datetime
) -> bool:
    with connection.transaction():
        values = {"contact_id": contact_id, "decision": decision, "note": note, "person_id": person_id, "now": now}
        first = _run(connection, "decide_on_signs", **values) > 0
        _run(connection, "decision_awaited_no_more", contact_id=contact_id)
    return first


def _locked(connection: Connection, follow_up_id: int) -> tuple[Standing, ZoneInfo, int]:
    row = _one(connection, "lock_follow_up", follow_up_id=follow_up_id)
    if row is None:
        raise FollowUpRefused(f"there is no follow-up {follow_up_id}")
    if row["ended_at"] is not None:
        raise FollowUpRefused(f"the follow-up has ended ({row['ended_as']}): open another")
    standing = Standing(cadence=Cadence(row["cadence"]), due_at=row["due_at"], anchor=row["anchor"], tries=row["tries"])
    return standing, ZoneInfo(row["time_zone"]), int(row["patient_id"])


def _write(connection: Connection, follow_up_id: int, standing: Standing) -> None:
    _run(connection, "move_follow_up", follow_up_id=follow_up_id, **_columns(standing))


def _columns(standing: Standing) -> dict[str, Any]:
    return asdict(standing)


def _note(
    connection: Connection, follow_up_id: int, kind: str, said: str, why: str, *, person_id: int, now: datetime
) -> None:
    values = {"follow_up_id": follow_up_id, "now": now, "person_id": person_id, "kind": kind, "said": said}
    _run(connection, "note_follow_up", **values, why=why.strip())


def _one(connection: Connection, query: str, **values: Any) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_QUERIES[query], values).fetchone()


def _run(connection: Connection, query: str, **values: Any) -> int:
    return connection.execute(_QUERIES[query], values).rowcount

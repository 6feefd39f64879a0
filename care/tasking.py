"""Makes tasks for helpers and writes down what became of them, each in one transaction with a line of history."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from care.follow_up import NOTE_CHARACTERS_MAX
from care.helping import TaskRefused, TaskState, Wish, check_task
from care.sql import load_queries

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("care")


def make_task(connection: Connection, patient_id: int, wish: Wish, *, person_id: int, now: datetime) -> int:
    """Make a task for somebody, or for an organisation's helpers; gives it. Raises TaskRefused."""
    _check_note(wish.note)
    with connection.transaction():
        patient = _one(connection, "lock_tasks_of", patient_id=patient_id)
        if patient is None:
            raise TaskRefused(f"patient {patient_id} is not in the registry")
        count = _one(connection, "count_tasks", patient_id=patient_id)
        check_task(wish, now=now, open_tasks=count["count"] if count else 0)
        organisation_id = wish.organisation_id or patient["organisation_id"]
        if (
            _one(
                connection,
                "assignable",
                patient_id=patient_id,
                organisation_id=organisation_id,
                person_id=wish.person_id,
            )
            is None
        ):
            raise TaskRefused(
                f"there is no organisation {organisation_id} above or below the patient's with person {wish.person_id}"
            )
        made = _one(
            connection,
            "make_task",
            patient_id=patient_id,
            what=wish.what,
            organisation_id=organisation_id,
            assignee_id=wish.person_id,
            note=wish.note.strip(),
            due_at=wish.due_at,
            person_id=person_id,
            now=now,
        )
        assert made is not None, "INSERT … RETURNING gives a row"
        return int(made["task_id"])


def settle_task(
    connection: Connection, task_id: int, state: TaskState, *, note: str, person_id: int, now: datetime
) -> None:
    """Say that a task is done, or can not be and why. Raises TaskRefused."""
    _check_note(note)
    if state is TaskState.OPEN:
        raise TaskRefused("a task is settled as done or cannot; open is what it is before")
    if state is TaskState.CANNOT and not note.strip():
        raise TaskRefused("a task that can not be done needs a word on why")
    with connection.transaction():
        values = {"task_id": task_id, "state": state, "note": note.strip(), "person_id": person_id, "now": now}
        if _one(connection, "settle_task", **values) is None:
            raise TaskRefused(f"there is no open task {task_id}: it may have been settled meanwhile")


def _check_note(note: str) -> None:
    if len(note) > NOTE_CHARACTERS_MAX:
        raise TaskRefused(f"a note has at most {NOTE_CHARACTERS_MAX} characters; this one has {len(note)}")


def _one(connection: Connection, query: str, **values: Any) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_QUERIES[query], values).fetchone()

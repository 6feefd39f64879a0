"""Tasks for helpers (the N of 1+1+1+N: grid workers, volunteers): what is to be done, and until when."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

OPEN_TASKS_MAX = 20
"""Open tasks of one patient: more are refused, not lost."""


class What(StrEnum):
    """What a helper does."""

    DELIVER_ANTIGEN = "deliver_antigen"
    DELIVER_MEDICINE = "deliver_medicine"
    BRING_DEVICE = "bring_device"
    FETCH_DEVICE = "fetch_device"
    VISIT = "visit"
    MEASURE = "measure"
    OTHER = "other"


class TaskState(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    DONE = "done"
    CANNOT = "cannot"


class TaskRefused(ValueError):
    """This can not be said of the task; the message names what, and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A task to make. `person_id` None: whoever of the organisation takes it; `organisation_id` None: the patient's."""

    what: What
    due_at: datetime
    organisation_id: int | None = None
    person_id: int | None = None
    note: str = ""
    unreached: bool = False
    """Made because nobody was reached: settled by itself once somebody is."""


def check_task(wish: Wish, *, now: datetime, open_tasks: int) -> None:
    """Refuse a task that nobody could do. Raises TaskRefused."""
    if wish.due_at <= now:
        raise TaskRefused(f"a task due at {wish.due_at.isoformat()} is late when it is made: give a time to come")
    if wish.what is What.OTHER and not wish.note.strip():
        raise TaskRefused("'other' needs a note: what is to be done?")
    if open_tasks >= OPEN_TASKS_MAX:
        raise TaskRefused(f"{open_tasks} tasks are open for this patient: settle one first")

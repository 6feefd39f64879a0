"""Follow-ups and helpers' tasks as the screens show them: who is due, what was said, what awaits a decision."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from care.follow_up import Lateness, Sign, lateness
from dashboards.database import Connection, rows
from dashboards.scope import Scope, TaskScope

MOST = 200
CONTACTS_MOST = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """An open follow-up. `undecided`: contacts whose warning signs nobody has decided on."""

    follow_up_id: int
    patient_key: str
    patient_name: str
    initials: str
    bed: str
    born_on: date
    sex: str
    risk_colour: str
    household_phone: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    opened_at: datetime
    cadence: str
    why: str
    due_at: datetime
    anchor: datetime
    tries: int
    antigen: str | None
    antigen_at: datetime | None

    def lateness(self, now: datetime) -> Lateness:
        """Say how late the next contact is."""
        return lateness(self.due_at, now, ZoneInfo(self.time_zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many follow-ups are overdue (of which for more than a day), due later today, and open altogether."""

    overdue: int
    long_overdue: int
    today: int
    followed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One contact as it was written down, and what was decided on its warning signs.

    `decide_by`: when the alarm is raised unless somebody has decided; `decided_by_clock`: it was.
    """

    contact_id: int
    follow_up_id: int
    patient_key: str
    patient_name: str
    bed: str
    household_phone: str
    time_zone: str
    at: datetime
    person_name: str
    person_name_en: str
    way: str
    reached: bool
    signs: dict[str, str]
    has_warning: bool
    temperature: str
    spo2: str
    antigen: str | None
    antigen_at: datetime | None
    note: str
    decision: str | None
    decision_note: str | None
    decided_by_clock: bool
    decide_by: datetime | None

    @property
    def warning_signs(self) -> list[Sign]:
        """Give the signs that were answered with yes."""
        return [sign for sign in Sign if self.signs.get(sign) == "yes"]

    @property
    def asked(self) -> int:
        """Give how many signs were asked."""
        return len(self.signs)

    @property
    def is_undecided(self) -> bool:
        """Say whether its warning signs await a decision."""
        return self.has_warning and self.decision is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who opened, changed or ended a follow-up, and why."""

    at: datetime
    kind: str
    said: str
    why: str
    person_name: str
    person_name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A helper's task, with what the helper needs of the patient."""

    task_id: int
    patient_key: str
    patient_name: str
    bed: str
    household_phone: str
    place: str
    place_en: str
    time_zone: str
    in_scope: bool
    what: str
    note: str
    unreached: bool
    organisation_name: str
    organisation_name_en: str
    person_name: str | None
    person_name_en: str | None
    made_at: datetime
    due_at: datetime
    state: str
    said_at: datetime | None
    said_note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignee:
    """An organisation's helpers, or one of them."""

    organisation_id: int
    name: str
    name_en: str
    person_id: int | None


def due(connection: Connection, scope: Scope, now: datetime) -> dict[Lateness, list[FollowUp]]:
    """List the open follow-ups in scope by how late they are, the longest overdue first; at most `MOST`."""
    found = rows(connection, FollowUp, "follow_ups", organisations=scope, follow_up_id=None, patient_id=None, most=MOST)
    return {late: [each for each in found if each.lateness(now) is late] for late in Lateness}


def counts(connection: Connection, scope: Scope, now: datetime) -> Counts:
    """Count the open follow-ups in scope, all of them."""
    return rows(connection, Counts, "follow_up_counts", organisations=scope, now=now)[0]


def of_patient(connection: Connection, scope: Scope, patient_id: int) -> FollowUp | None:
    """Give a patient's open follow-up."""
    return _one(connection, scope, follow_up_id=None, patient_id=patient_id)


def one(connection: Connection, scope: Scope, follow_up_id: int) -> FollowUp | None:
    """Give an open follow-up in scope."""
    return _one(connection, scope, follow_up_id=follow_up_id, patient_id=None)


def contacts(connection: Connection, scope: Scope, patient_id: int) -> list[Contact]:
    """List a patient's contacts, the newest first."""
    which = {"patient_id": patient_id, "contact_id": None, "undecided": False, "most": CONTACTS_MOST}
    return rows(connection, Contact, "follow_up_contacts", organisations=scope, **which)


def contact(connection: Connection, scope: Scope, contact_id: int) -> Contact | None:
    """Give a contact of a patient in scope."""
    which = {"patient_id": None, "contact_id": contact_id, "undecided": False, "most": 1}
    found = rows(connection, Contact, "follow_up_contacts", organisations=scope, **which)
    return found[0] if found else None


def undecided(connection: Connection, scope: Scope) -> list[Contact]:
    """List contacts whose warning signs nobody has decided on, the newest first."""
    which = {"patient_id": None, "contact_id": None, "undecided": True, "most": MOST}
    return rows(connection, Contact, "follow_up_contacts", organisations=scope, **which)


def acts(connection: Connection, patient_id: int) -> list[Act]:
    """List who opened, changed and ended a patient's follow-ups, the newest first."""
    return rows(connection, Act, "follow_up_acts", patient_id=patient_id, most=CONTACTS_MOST)


def tasks(connection: Connection, scope: TaskScope) -> list[Task]:
    """List the open tasks that concern somebody with this scope, the first due first; at most `MOST`."""
    return _tasks(connection, scope, is_open=True, most=MOST)


def tasks_of(connection: Connection, scope: TaskScope, patient_id: int) -> list[Task]:
    """List a patient's tasks, open and settled: the open ones first."""
    return _tasks(connection, scope, patient_id=patient_id, most=CONTACTS_MOST)


def task(connection: Connection, scope: TaskScope, task_id: int) -> Task | None:
    """Give a task that concerns somebody with this scope."""
    found = _tasks(connection, scope, task_id=task_id, most=1)
    return found[0] if found else None


def assignees(connection: Connection, organisation_id: int) -> list[Assignee]:
    """List who may be given a task of an organisation's patient: it, those above and below, and their helpers."""
    return rows(connection, Assignee, "assignees", organisation_id=organisation_id, most=MOST)


def _one(connection: Connection, scope: Scope, **which: object) -> FollowUp | None:
    found = rows(connection, FollowUp, "follow_ups", organisations=scope, **which, most=1)
    return found[0] if found else None


def _tasks(connection: Connection, scope: TaskScope, **which: object) -> list[Task]:
    among = {"patients": scope.patients, "person_id": scope.person_id, "organisation_id": scope.organisation_id}
    asked = {"task_id": None, "patient_id": None, "is_open": False} | which
    return rows(connection, Task, "helper_tasks", **among, **asked)

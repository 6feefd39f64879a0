"""Follow-up in the API, version 1: the same acts under the same rights as in the console."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerting import patient_acts
from alerting.acting import ActError
from care import following_up, tasking
from care.follow_up import Answer, Antigen, Cadence, Contact, Decision, EndedAs, FollowUpRefused, Lateness, Sign, Way
from care.helping import TaskRefused, TaskState, What, Wish
from dashboards import follow_ups
from dashboards.console.acts import NOTE_CHARACTERS_MAX
from dashboards.console.api import refusals
from dashboards.console.follow_up import contact_in_scope, follow_up_of, patient_of, task_of
from dashboards.web import Called, SignedIn, Visit

router = APIRouter(prefix="/api/v1", tags=["follow-up"])

Note = Annotated[str, Field(max_length=NOTE_CHARACTERS_MAX)]


class Said(BaseModel):
    """What somebody says: nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid")


class CadenceIn(Said):
    """How often a patient is contacted, and why."""

    cadence: Cadence = Cadence.EVERY_3_DAYS
    why: Note


class ContactIn(Said):
    """A contact. `signs` holds what was asked; `temperature` and `spo2` are words that were read out, no readings."""

    way: Way
    reached: bool
    signs: dict[Sign, Answer] = {}
    temperature: str = ""
    spo2: str = ""
    antigen: Antigen | None = None
    antigen_at: AwareDatetime | None = None
    note: Note = ""


class DecisionIn(Said):
    """What is decided on warning signs: `alarm` raises SYMPTOM, `no_alarm` needs its note."""

    decision: Decision
    note: Note = ""


class EndIn(Said):
    """As what a follow-up ends, and why."""

    ended_as: EndedAs
    why: Note


class TaskIn(Said):
    """A task for a helper: of a person, else of an organisation's helpers, else of the patient's organisation's."""

    what: What
    due_at: AwareDatetime
    organisation_id: int | None = None
    person_id: int | None = None
    note: Note = ""


class SettledIn(Said):
    """What became of a task: done, or cannot with the reason in `note`."""

    state: TaskState
    note: Note = ""


class DueList(BaseModel):
    """Open follow-ups, the longest overdue first, and how many there are altogether."""

    now: datetime
    counts: follow_ups.Counts
    long_overdue: list[follow_ups.FollowUp]
    overdue: list[follow_ups.FollowUp]
    today: list[follow_ups.FollowUp]
    coming: list[follow_ups.FollowUp]
    undecided: list[follow_ups.Contact]


class PatientFollowUp(BaseModel):
    """A patient's open follow-up, and what was said so far, the newest first."""

    follow_up: follow_ups.FollowUp | None
    contacts: list[follow_ups.Contact]
    acts: list[follow_ups.Act]
    tasks: list[follow_ups.Task]


class ContactOut(BaseModel):
    """The contact as written down. `needs_decision`: warning signs were found; decide now."""

    contact: follow_ups.Contact
    warning_signs: list[Sign]
    needs_decision: bool
    next_due_at: datetime


class DecisionOut(BaseModel):
    """The episode that was raised, if one was."""

    episode_id: int | None


@router.get("/follow-ups", responses=refusals(401))
def list_due(visit: SignedIn) -> DueList:
    """List the open follow-ups in scope by how late they are, and contacts that await a decision."""
    due = follow_ups.due(visit.connection, visit.scope(), visit.now)
    return DueList(
        now=visit.now,
        counts=follow_ups.counts(visit.connection, visit.scope(), visit.now),
        long_overdue=due[Lateness.LONG_OVERDUE],
        overdue=due[Lateness.OVERDUE],
        today=due[Lateness.TODAY],
        coming=due[Lateness.COMING],
        undecided=follow_ups.undecided(visit.connection, visit.scope()),
    )


@router.get("/patients/{key}/follow-up", responses=refusals(401, 404))
def of_patient(visit: SignedIn, key: str) -> PatientFollowUp:
    """Give a patient's open follow-up, contacts and tasks."""
    patient_id = patient_of(visit, key).patient_id
    return PatientFollowUp(
        follow_up=follow_ups.of_patient(visit.connection, visit.scope(), patient_id),
        contacts=follow_ups.contacts(visit.connection, visit.scope(), patient_id),
        acts=follow_ups.acts(visit.connection, patient_id),
        tasks=follow_ups.tasks_of(visit.connection, visit.task_scope(), patient_id),
    )


@router.post("/patients/{key}/follow-up", responses=refusals(401, 403, 404, 409))
def begin(visit: Called, key: str, asked: CadenceIn) -> follow_ups.FollowUp:
    """Open a patient's follow-up; where one is open it stays as it is, and that is a conflict."""
    patient_id = patient_of(visit, key).patient_id
    try:
        opened = following_up.open_follow_up(
            visit.connection, patient_id, cadence=asked.cadence, why=asked.why, person_id=_me(visit), now=visit.now
        )
    except FollowUpRefused as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    if opened is None:
        raise HTTPException(status_code=409, detail=f"a follow-up of {key} is open: change how often, or end it")
    return follow_up_of(visit, opened)


@router.post("/follow-ups/{follow_up_id}/cadence", responses=refusals(401, 403, 404, 409))
def change(visit: Called, follow_up_id: int, asked: CadenceIn) -> follow_ups.FollowUp:
    """Contact the patient more or less often."""
    follow_up_of(visit, follow_up_id)
    try:
        following_up.change_cadence(
            visit.connection, follow_up_id, asked.cadence, why=asked.why, person_id=_me(visit), now=visit.now
        )
    except FollowUpRefused as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return follow_up_of(visit, follow_up_id)


@router.post("/follow-ups/{follow_up_id}/contacts", responses=refusals(401, 403, 404, 409))
def contact(visit: Called, follow_up_id: int, said: ContactIn) -> ContactOut:
    """Write a contact down. Warning signs need a decision by `decide_by`; after it the alarm is raised."""
    follow_up_of(visit, follow_up_id)
    try:
        contact_id = patient_acts.follow_up(
            visit.connection,
            follow_up_id=follow_up_id,
            contact=Contact(**said.model_dump()),
            person_id=_me(visit),
            now=visit.now,
        )
    except ActError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    written = contact_in_scope(visit, contact_id)
    return ContactOut(
        contact=written,
        warning_signs=written.warning_signs,
        needs_decision=written.is_undecided,
        next_due_at=follow_up_of(visit, follow_up_id).due_at,
    )


@router.post("/follow-ups/contacts/{contact_id}/decide", responses=refusals(401, 403, 404, 409))
def decide(visit: Called, contact_id: int, decided: DecisionIn) -> DecisionOut:
    """Decide on a contact's warning signs, once: raise the alarm, or say why not."""
    contact_in_scope(visit, contact_id)
    try:
        episode_id = patient_acts.decide_signs(
            visit.connection,
            contact_id=contact_id,
            decision=decided.decision,
            note=decided.note,
            person_id=_me(visit),
            now=visit.now,
            link=visit.address,
        )
    except ActError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return DecisionOut(episode_id=episode_id)


@router.post("/follow-ups/{follow_up_id}/end", status_code=204, responses=refusals(401, 403, 404, 409))
def end(visit: Called, follow_up_id: int, ended: EndIn) -> None:
    """End the follow-up, as what and why."""
    follow_up_of(visit, follow_up_id)
    try:
        following_up.end_follow_up(
            visit.connection, follow_up_id, ended.ended_as, why=ended.why, person_id=_me(visit), now=visit.now
        )
    except FollowUpRefused as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc


@router.get("/tasks", responses=refusals(401))
def list_tasks(visit: SignedIn) -> list[follow_ups.Task]:
    """List the open tasks that concern one: of patients in scope, one's own, one's organisation's."""
    return follow_ups.tasks(visit.connection, visit.task_scope())


@router.post("/patients/{key}/tasks", responses=refusals(401, 403, 404, 409))
def make_task(visit: Called, key: str, asked: TaskIn) -> follow_ups.Task:
    """Make a task for helpers."""
    patient_id, wish = patient_of(visit, key).patient_id, Wish(**asked.model_dump())
    try:
        made = tasking.make_task(visit.connection, patient_id, wish, person_id=_me(visit), now=visit.now)
    except TaskRefused as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return task_of(visit, made)


@router.post("/tasks/{task_id}/settle", responses=refusals(401, 403, 404, 409))
def settle(visit: Called, task_id: int, said: SettledIn) -> follow_ups.Task:
    """Say what became of a task."""
    task_of(visit, task_id)
    try:
        tasking.settle_task(visit.connection, task_id, said.state, note=said.note, person_id=_me(visit), now=visit.now)
    except TaskRefused as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return task_of(visit, task_id)


def _me(visit: Visit) -> int:
    return visit.person.person_id

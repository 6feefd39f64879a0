"""Follow-up at home: who is due, a contact in a minute on a phone, warning signs to decide on, tasks for helpers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting import patient_acts
from alerting.acting import ActError
from care import following_up, tasking
from care.follow_up import (
    Answer,
    Antigen,
    Cadence,
    Contact,
    Decision,
    EndedAs,
    FollowUpRefused,
    Sign,
    Way,
    again_at,
)
from care.helping import TaskRefused, TaskState, What, Wish
from dashboards import board, follow_ups
from dashboards.console.acts import NOTE_CHARACTERS_MAX
from dashboards.web import Posted, SignedIn, Visit

REFUSED = (FollowUpRefused, TaskRefused, ActError)

router = APIRouter()


async def _signs(request: Request) -> dict[Sign, Answer]:
    """Read the answers of a form; `rest` answers what was left open with no."""
    form = await request.form()
    given = {sign: form.get(f"sign_{sign}") for sign in Sign}
    try:
        signs = {sign: Answer(str(said)) for sign, said in given.items() if said}
    except ValueError as error:
        raise HTTPException(status_code=422, detail=str(error)) from error
    return dict.fromkeys(Sign, Answer.NO) | signs if form.get("rest") else signs


@router.get("/follow-up")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the whole page."""
    return visit.render("follow_up.html", **_listed(visit))


@router.get("/follow-up/list")
def fragment(visit: SignedIn) -> HTMLResponse:
    """Give the list alone, for a live page."""
    return visit.render("follow_up_list.html", **_listed(visit))


@router.get("/patients/{key}/follow-up")
def patient_page(visit: SignedIn, key: str) -> HTMLResponse:
    """Show a patient's follow-up as a page of its own."""
    return visit.render("follow_up_page.html", **_panel(visit, patient_of(visit, key)))


@router.get("/patients/{key}/follow-up/panel")
def panel(visit: SignedIn, key: str) -> HTMLResponse:
    """Give a patient's follow-up alone, for his page."""
    return visit.render("follow_up_panel.html", **_panel(visit, patient_of(visit, key)))


@router.post("/patients/{key}/follow-up")
def begin(
    visit: Posted,
    key: str,
    why: Annotated[str, Form()] = "",
    cadence: Annotated[Cadence, Form()] = Cadence.EVERY_3_DAYS,
) -> Response:
    """Open a patient's follow-up."""
    patient = patient_of(visit, key)

    def act() -> None:
        following_up.open_follow_up(
            visit.connection, patient.patient_id, cadence=cadence, why=why, person_id=_me(visit), now=visit.now
        )

    return _answer(visit, patient, act, done="opened")


@router.post("/follow-ups/{follow_up_id}/contact")
def contact(
    visit: Posted,
    follow_up_id: int,
    signs: Annotated[dict[Sign, Answer], Depends(_signs)],
    way: Annotated[Way, Form()],
    reached: Annotated[bool, Form()],
    temperature: Annotated[str, Form()] = "",
    spo2: Annotated[str, Form()] = "",
    antigen: Annotated[str, Form()] = "",
    antigen_at: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Write a contact down; where nobody was reached, what the form says beside is left."""
    patient = patient_of(visit, follow_up_of(visit, follow_up_id).patient_key)
    given = {"way": way, "signs": signs, "temperature": temperature, "spo2": spo2, "antigen": antigen, "note": note}

    def act() -> None:
        said = Contact(
            way=way,
            reached=reached,
            signs=signs if reached else {},
            temperature=temperature.strip() if reached else "",
            spo2=spo2.strip() if reached else "",
            antigen=Antigen(antigen) if antigen and reached else None,
            antigen_at=_local(antigen_at, patient.time_zone) if antigen and reached else None,
            note=note[:NOTE_CHARACTERS_MAX],
        )
        patient_acts.follow_up(
            visit.connection, follow_up_id=follow_up_id, contact=said, person_id=_me(visit), now=visit.now
        )

    return _answer(visit, patient, act, done="contact" if reached else "unreached", given=given)


@router.post("/follow-ups/{follow_up_id}/cadence")
def cadence(
    visit: Posted, follow_up_id: int, cadence: Annotated[Cadence, Form()], why: Annotated[str, Form()] = ""
) -> Response:
    """Contact the patient more or less often."""
    patient = patient_of(visit, follow_up_of(visit, follow_up_id).patient_key)

    def act() -> None:
        following_up.change_cadence(
            visit.connection, follow_up_id, cadence, why=why, person_id=_me(visit), now=visit.now
        )

    return _answer(visit, patient, act, done="cadence")


@router.post("/follow-ups/{follow_up_id}/end")
def end(
    visit: Posted, follow_up_id: int, ended_as: Annotated[EndedAs, Form()], why: Annotated[str, Form()] = ""
) -> Response:
    """End the follow-up."""
    patient = patient_of(visit, follow_up_of(visit, follow_up_id).patient_key)

    def act() -> None:
        following_up.end_follow_up(
            visit.connection, follow_up_id, ended_as, why=why, person_id=_me(visit), now=visit.now
        )

    return _answer(visit, patient, act, done="ended")


@router.post("/follow-ups/contacts/{contact_id}/decide")
def decide(
    visit: Posted, contact_id: int, decision: Annotated[Decision, Form()], note: Annotated[str, Form()] = ""
) -> Response:
    """Decide on warning signs: raise the alarm, or say why not."""
    patient = patient_of(visit, contact_in_scope(visit, contact_id).patient_key)

    def act() -> None:
        patient_acts.decide_signs(
            visit.connection,
            contact_id=contact_id,
            decision=decision,
            note=note[:NOTE_CHARACTERS_MAX],
            person_id=_me(visit),
            now=visit.now,
            link=visit.address,
        )

    return _answer(visit, patient, act, done=decision)


@router.post("/patients/{key}/tasks")
def make_task(
    visit: Posted,
    key: str,
    what: Annotated[What, Form()],
    due_at: Annotated[str, Form()],
    assignee: Annotated[str, Form(pattern=r"^\d{0,9}:\d{0,9}$")] = ":",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Make a task for helpers; `assignee` is "organisation:person", each of which may be empty."""
    patient = patient_of(visit, key)
    organisation, _, person = assignee.partition(":")

    def act() -> None:
        wish = Wish(
            what=what,
            due_at=_local(due_at, patient.time_zone),
            organisation_id=int(organisation) if organisation else None,
            person_id=int(person) if person else None,
            note=note,
        )
        tasking.make_task(visit.connection, patient.patient_id, wish, person_id=_me(visit), now=visit.now)

    return _answer(visit, patient, act, done="task")


@router.post("/tasks/{task_id}/settle")
def settle(
    visit: Posted, task_id: int, state: Annotated[TaskState, Form()], note: Annotated[str, Form()] = ""
) -> Response:
    """Say what became of a task; the answer is the list of those that are open."""
    task_of(visit, task_id)
    trouble = ""
    try:
        tasking.settle_task(visit.connection, task_id, state, note=note, person_id=_me(visit), now=visit.now)
    except TaskRefused as error:
        trouble = _why_not(visit, error)
    if "hx-request" not in visit.request.headers:
        return RedirectResponse("/follow-up#tasks", status_code=303)
    values = _listed(visit) | {"trouble": trouble}
    return visit.render("follow_up_list.html", 409 if trouble else 200, **values)


def patient_of(visit: Visit, key: str) -> board.Patient:
    """Give a patient in the visitor's scope; out of it none exists."""
    patient = board.patient_in_scope(visit.connection, visit.scope(), key)
    if patient is None:
        raise HTTPException(status_code=404, detail=f"no patient {key!r} here")
    return patient


def follow_up_of(visit: Visit, follow_up_id: int) -> follow_ups.FollowUp:
    """Give an open follow-up in the visitor's scope."""
    found = follow_ups.one(visit.connection, visit.scope(), follow_up_id)
    if found is None:
        raise HTTPException(status_code=404, detail=f"no open follow-up {follow_up_id} here")
    return found


def contact_in_scope(visit: Visit, contact_id: int) -> follow_ups.Contact:
    """Give a contact of a patient in the visitor's scope."""
    found = follow_ups.contact(visit.connection, visit.scope(), contact_id)
    if found is None:
        raise HTTPException(status_code=404, detail=f"no contact {contact_id} here")
    return found


def task_of(visit: Visit, task_id: int) -> follow_ups.Task:
    """Give a task that concerns the visitor."""
    found = follow_ups.task(visit.connection, visit.task_scope(), task_id)
    if found is None:
        raise HTTPException(status_code=404, detail=f"no task {task_id} here")
    return found


def _me(visit: Visit) -> int:
    return visit.person.person_id


def _why_not(visit: Visit, error: Exception) -> str:
    general = visit.words.gettext("This is not possible now.")
    return f"{general} ({error})"


def _local(text: str, zone: str) -> datetime:
    """Read what a browser's field for a time gives, as local time there. Raises HTTPException."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    except ValueError as error:
        raise HTTPException(status_code=422, detail=f"{text[:40]!r} is no time") from error


def _answer(
    visit: Visit, patient: board.Patient, act: Callable[[], None], *, done: str, given: dict[str, Any] | None = None
) -> Response:
    """Do something and answer with the patient's follow-up as it stands now, or why it could not be done."""
    trouble = ""
    try:
        act()
    except REFUSED as error:
        trouble = _why_not(visit, error)
    if "hx-request" not in visit.request.headers:
        return RedirectResponse(f"/patients/{patient.key}/follow-up", status_code=303)
    values = _panel(visit, patient) | {"trouble": trouble, "done": "" if trouble else done}
    if trouble and given is not None:
        values["given"] = given
    return visit.render("follow_up_panel.html", 409 if trouble else 200, **values)


def _panel(visit: Visit, patient: board.Patient) -> dict[str, Any]:
    scope, zone = visit.scope(), ZoneInfo(patient.time_zone)
    return {
        "patient": patient,
        "follow_up": follow_ups.of_patient(visit.connection, scope, patient.patient_id),
        "contacts": follow_ups.contacts(visit.connection, scope, patient.patient_id),
        "history": follow_ups.acts(visit.connection, patient.patient_id),
        "tasks": follow_ups.tasks_of(visit.connection, visit.task_scope(), patient.patient_id),
        "assignees": follow_ups.assignees(visit.connection, patient.organisation_id),
        "codes": CODES,
        "there": visit.now.astimezone(zone),
        "by": again_at(visit.now + timedelta(days=1), zone).astimezone(zone),
        "given": {},
        "trouble": "",
        "done": "",
    }


def _listed(visit: Visit) -> dict[str, Any]:
    scope = visit.scope()
    return {
        "due": follow_ups.due(visit.connection, scope, visit.now),
        "counts": follow_ups.counts(visit.connection, scope, visit.now),
        "undecided": follow_ups.undecided(visit.connection, scope),
        "tasks": follow_ups.tasks(visit.connection, visit.task_scope()),
        "most": follow_ups.MOST,
        "trouble": "",
    }


CODES: dict[str, tuple[str, ...]] = {
    "cadence": tuple(Cadence),
    "way": tuple(Way),
    "sign": tuple(Sign),
    "antigen": tuple(Antigen),
    "ended_as": tuple(EndedAs),
    "what": tuple(What),
}
"""What the forms offer."""

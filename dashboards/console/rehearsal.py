"""The rehearsal page: what a changed profile would have paged, of patients in scope; run apart, kept for a while."""

import math
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting.profile.changing import CHANGEABLE, Changeable, changeable, changed
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.lines import line_of
from dashboards import board
from dashboards.database import records, rows
from dashboards.rehearsal_picture import BAR, BETWEEN, INSET, LINE, MARKS, WIDTH, bars_of, days_of, shape, timelines_of
from dashboards.rehearsals import Busy, Run, State, Wanted
from dashboards.web import Posted, SignedIn, Visit

DAYS_MAX = 90
PROFILE_CHARACTERS_MAX = 400_000
LINES_MAX = 100
TIMELINES_MAX = 40

router = APIRouter()


class Refused(ValueError):
    """What was asked can not be run; the message is for the page."""


@router.get("/rehearsal")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the form, and the session's run."""
    return _page(visit)


@router.get("/rehearsal/state")
def state(visit: SignedIn) -> HTMLResponse:
    """Give the run alone, for a page that waits."""
    return visit.render("rehearsal_state.html", **_shown(visit))


@router.post("/rehearsal")
def begin(
    visit: Posted,
    *,
    panel: Annotated[str, Form()] = "",
    patient: Annotated[str, Form()] = "",
    days: Annotated[str, Form()] = "7",
    rule: Annotated[str, Form()] = "",
    numbers: Annotated[list[str], Form()] = [],  # noqa: B006
    profile: Annotated[str, Form()] = "",
) -> Response:
    """Begin a run; what is out of scope does not exist."""
    given = {"panel": panel, "patient": patient, "days": days, "rule": rule, "numbers": numbers, "profile": profile}
    try:
        wanted = Wanted(
            patient=_patient(visit, patient.strip()),
            panel="" if patient.strip() else _panel(visit, panel),
            days=_days(visit, days),
            profile=_changed(visit, rule, numbers, profile),
        )
        visit.site.rehearsals.begin(visit.person.csrf, visit.person.person_id, wanted)
    except Refused as exc:
        return _page(visit, status=422, trouble=str(exc), given=given)
    except Busy:
        trouble = visit.words.gettext("A rehearsal of yours is not over yet, or too many wait. Try again later.")
        return _page(visit, status=409, trouble=trouble, given=given)
    return RedirectResponse("/rehearsal", status_code=303)


@router.post("/rehearsal/stop")
def stop(visit: Posted) -> Response:
    """End the session's run."""
    visit.site.rehearsals.stop(visit.person.csrf)
    return RedirectResponse("/rehearsal", status_code=303)


def _page(visit: Visit, *, status: int = 200, trouble: str = "", given: dict[str, Any] | None = None) -> HTMLResponse:
    scope = visit.scope()
    return visit.render(
        "rehearsal.html",
        status,
        organisations=records(visit.connection, "organisations_in_scope", organisations=scope),
        patients=rows(visit.connection, board.Patient, "monitored", organisations=scope, now=visit.now, most=500),
        rules=changeable(_standing(visit)),
        numbers_of=CHANGEABLE,
        given=given or {"panel": "", "patient": "", "days": "7", "rule": "", "numbers": [], "profile": ""},
        trouble=trouble,
        days_max=DAYS_MAX,
        **_shown(visit),
    )


def _shown(visit: Visit) -> dict[str, Any]:
    """Give the run as the page shows it; of patients who are out of scope by now nothing."""
    run = visit.site.rehearsals.of(visit.person.csrf)
    found: dict[str, Any] = {"run": run, "states": State, "document": None}
    if run is not None and run.document is not None:
        found |= _result(visit, run)
    return found


def _result(visit: Visit, run: Run) -> dict[str, Any]:
    document = run.document or {}
    scope = visit.scope()
    keys = [one["patient"] for one in document["per_patient"]]
    known = {
        patient.key: patient
        for patient in rows(visit.connection, board.Patient, "patients_by_key", keys=keys, organisations=scope)
    }
    lines = [line for line in timelines_of(document) if line.patient in known]
    return {
        "document": document,
        "changes": _changes(_standing(visit), run.wanted.profile),
        "known": known,
        "bars": bars_of(document),
        "timelines": lines[:TIMELINES_MAX],
        "timelines_left": max(len(lines) - TIMELINES_MAX, 0),
        "missed": [each for each in document["missed"] if each["patient"] in known][:LINES_MAX],
        "lines_max": LINES_MAX,
        "days_at": days_of(document),
        "marks": MARKS,
        "shape": shape,
        "at": datetime.fromisoformat,
        "drawn": {"width": WIDTH, "bar": BAR, "between": BETWEEN, "line": LINE, "inset": INSET},
    }


def _changes(standing: str, new: str) -> list[tuple[str, str, float | None, float | None]]:
    """Say which rules' numbers differ: (rule, key, as it stands, new)."""
    old, changed_to = ({each.rule: each for each in changeable(body)} for body in (standing, new))
    nothing = Changeable(rule="", form="", numbers={})
    return [
        (rule, key, before.numbers.get(key), after.numbers.get(key))
        for rule in {**old, **changed_to}
        for before, after in [(old.get(rule, nothing), changed_to.get(rule, nothing))]
        for key in CHANGEABLE
        if before.numbers.get(key) != after.numbers.get(key)
    ]


def _patient(visit: Visit, key: str) -> str:
    if key and board.patient_in_scope(visit.connection, visit.scope(), key) is None:
        raise HTTPException(status_code=404, detail=f"no patient {key!r} here")
    return key


def _panel(visit: Visit, key: str) -> str:
    found = records(visit.connection, "organisations_in_scope", organisations=visit.scope())
    if key not in {row["key"] for row in found}:
        raise HTTPException(status_code=404, detail=f"no organisation {key!r} here")
    return key


def _days(visit: Visit, said: str) -> int:
    if not said.strip().isdecimal() or not 1 <= int(said) <= DAYS_MAX:
        raise Refused(visit.words.gettext("Days: a whole number from 1 to %(most)s.", most=DAYS_MAX))
    return int(said)


def _changed(visit: Visit, rule: str, numbers: list[str], profile: str) -> str:
    """Give the changed profile's text: as it was given, or the standing one with a rule's numbers changed."""
    if len(profile) > PROFILE_CHARACTERS_MAX:
        raise Refused(visit.words.gettext("The profile is too long."))
    body = profile.replace("\r\n", "\n")
    try:
        if not body.strip():
            body = changed(_standing(visit), rule, _numbers(visit, numbers))
        parse_profile(body)
    except ProfileError as exc:
        line = line_of(body, str(exc))
        if line is None:
            raise Refused(visit.words.gettext("The profile can not be used: %(why)s", why=exc)) from exc
        said = visit.words.gettext("The profile can not be used, line %(line)s: %(why)s", line=line, why=exc)
        raise Refused(said) from exc
    return body


def _numbers(visit: Visit, given: list[str]) -> dict[str, float]:
    try:
        found = {key: float(said) for key, said in zip(CHANGEABLE, given, strict=False) if said.strip()}
    except ValueError as exc:
        raise Refused(visit.words.gettext("Not a number: %(why)s", why=exc)) from exc
    if not found or not all(math.isfinite(value) for value in found.values()):
        raise Refused(visit.words.gettext("Change at least one number, or give a profile's text."))
    return found


def _standing(visit: Visit) -> str:
    return board.profile_body(visit.connection, None) or standard_adult()

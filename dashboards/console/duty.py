"""Duty: a week's roster as a picture, and what people say of it: taking over, leave, swaps, taking it back."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from care.changing_duty import Known, accept_swap, known, override, propose_swap, revoke, take_leave
from care.duty_changes import DutyRefused, Leave, Obstacle, Override, Span, Swap, span_of
from care.handover import acknowledge_note, write_note
from care.registry import DutyRole
from dashboards import handovers, rosters
from dashboards.database import records
from dashboards.scope import RosterScope, roster_scope_of
from dashboards.web import Posted, SignedIn, Visit

NO_NUL = r"^[^\x00]*$"
"""What the database can hold as text."""

Text = Annotated[str, Form(max_length=500, pattern=NO_NUL)]
Weeks = Annotated[int, Query(ge=0, le=rosters.WEEKS_MOST)]

router = APIRouter()


@router.get("/duty")
def page(visit: SignedIn, weeks: Weeks = 0) -> HTMLResponse:
    """Show the whole page."""
    return visit.render("duty.html", **_values(visit, weeks))


@router.get("/duty/list")
def fragment(visit: SignedIn, weeks: Weeks = 0) -> HTMLResponse:
    """Give the picture and the forms alone, for a live page."""
    return visit.render("duty_list.html", **_values(visit, weeks))


@router.post("/duty/override")
def stand_in(
    visit: Posted,
    post: Text,
    until: Text,
    person: Text = "",
    in_place_of: Text = "",
    since: Text = "",
    reason: Text = "",
) -> Response:
    """Put somebody on duty, or oneself."""
    organisation, _, duty_role = post.partition("|")

    def act() -> None:
        said = (_local(since), _needed(until))
        say_override(visit, organisation, duty_role, person or visit.person.key, said, in_place_of or None, reason)

    return _answer(visit, "override", act)


@router.post("/duty/leave")
def away(
    visit: Posted, until: Text, person: Text = "", substitute: Text = "", since: Text = "", reason: Text = ""
) -> Response:
    """Note that somebody is away, or oneself."""

    def act() -> None:
        said = (_local(since), _needed(until))
        say_leave(visit, person or visit.person.key, said, substitute or None, reason)

    return _answer(visit, "leave", act)


@router.post("/duty/swap")
def exchange(visit: Posted, mine: Text, theirs: Text, reason: Text = "") -> Response:
    """Ask somebody to exchange a shift; `mine` and `theirs` are shifts as the form lists them."""

    def act() -> None:
        own, other = _shift(mine), _shift(theirs)
        if own[:2] != other[:2]:
            raise DutyRefused(Obstacle.NOT_ON_DUTY, "the two shifts are of different duties")
        organisation, duty_role, _, span = own
        say_swap(visit, organisation, duty_role, span, other[2], other[3], reason)

    return _answer(visit, "swap", act)


@router.post("/duty/changes/{change_id}/accept")
def agree(visit: Posted, change_id: int) -> Response:
    """Agree to a swap."""
    return _answer(visit, "changes", lambda: say_accept(visit, change_id))


@router.post("/duty/changes/{change_id}/revoke")
def take_back(visit: Posted, change_id: int) -> Response:
    """End a change, take a swap back, or decline it."""
    return _answer(visit, "changes", lambda: say_revoke(visit, change_id))


@router.post("/duty/notes")
def hand_over(visit: Posted, post: Text, note: Annotated[str, Form(max_length=2000, pattern=NO_NUL)]) -> Response:
    """Write to who comes next."""
    organisation, _, duty_role = post.partition("|")
    return _answer(visit, "handover", lambda: say_note(visit, organisation, duty_role, note))


@router.post("/duty/notes/{note_id}/acknowledge")
def read_it(visit: Posted, note_id: int) -> Response:
    """Note that one has read it."""
    return _answer(visit, "handover", lambda: say_read(visit, note_id))


def say_note(visit: Visit, organisation: str, duty_role: str, note: str) -> int:
    """Write to who comes next as the visitor, who holds the duty now. Raises DutyRefused."""
    who = visit.person.person_id
    return write_note(visit.connection, organisation, duty_role, note, person_id=who, now=visit.now)


def say_read(visit: Visit, note_id: int) -> None:
    """Acknowledge a note as the visitor, who holds its duty now. Raises DutyRefused."""
    acknowledge_note(visit.connection, note_id, person_id=visit.person.person_id, now=visit.now)


def roster_scope(visit: Visit) -> RosterScope:
    """Give whose roster the signed-in person may see and change."""
    return roster_scope_of(visit.connection, visit.person.onlooker)


def say_override(
    visit: Visit,
    organisation: str,
    duty_role: str,
    person: str,
    said: tuple[datetime | None, datetime],
    in_place_of: str | None,
    reason: str,
) -> int:
    """Put somebody on duty as the visitor; only who keeps the roster puts others. Raises DutyRefused, HTTPException."""
    place = _place(visit, organisation)
    if duty_role not in set(DutyRole):
        raise HTTPException(status_code=404, detail=f"no duty {duty_role!r}")
    scope = roster_scope(visit)
    if place["organisation_id"] not in scope.kept and person != visit.person.key:
        raise HTTPException(status_code=403, detail="only who keeps this roster puts others on duty")
    wish = Override(
        organisation=organisation,
        duty_role=DutyRole(duty_role),
        person=person,
        span=span_of(*said, place["time_zone"], now=visit.now),
        in_place_of=in_place_of,
        reason=reason,
    )
    return override(visit.connection, wish, said_by=visit.person.person_id, now=visit.now)


def say_leave(
    visit: Visit, person: str, said: tuple[datetime | None, datetime], substitute: str | None, reason: str
) -> int:
    """Note leave as the visitor: his own, or of the people whose roster he keeps. Raises DutyRefused, HTTPException."""
    found = records(visit.connection, "roster_person", key=person)
    if not found:
        raise DutyRefused(Obstacle.NO_PERSON, repr(person[:64]))
    who = found[0]
    if person != visit.person.key and who["organisation_id"] not in roster_scope(visit).kept:
        raise HTTPException(status_code=403, detail="only who keeps this roster notes the leave of others")
    wish = Leave(
        person=person,
        span=span_of(*said, who["time_zone"], now=visit.now),
        substitute=substitute,
        reason=reason,
    )
    return take_leave(visit.connection, wish, said_by=visit.person.person_id, now=visit.now)


def say_swap(
    visit: Visit, organisation: str, duty_role: str, span: Span, other: str, other_span: Span, reason: str
) -> int:
    """Ask somebody to exchange a shift with the visitor. Raises DutyRefused, HTTPException."""
    _place(visit, organisation)
    if duty_role not in set(DutyRole):
        raise HTTPException(status_code=404, detail=f"no duty {duty_role!r}")
    wish = Swap(
        organisation=organisation,
        duty_role=DutyRole(duty_role),
        person=visit.person.key,
        span=span,
        other=other,
        other_span=other_span,
        reason=reason,
    )
    return propose_swap(visit.connection, wish, said_by=visit.person.person_id, now=visit.now)


def say_accept(visit: Visit, change_id: int) -> None:
    """Agree to a swap as the visitor. Raises DutyRefused, HTTPException."""
    _in_sight(visit, change_id)
    accept_swap(visit.connection, change_id, person_id=visit.person.person_id, now=visit.now)


def say_revoke(visit: Visit, change_id: int) -> None:
    """End a change as the visitor. Raises DutyRefused, HTTPException."""
    if not may_revoke(visit, _in_sight(visit, change_id), roster_scope(visit)):
        raise HTTPException(status_code=403, detail="who said it takes it back, or who keeps the roster")
    revoke(visit.connection, change_id, person_id=visit.person.person_id, now=visit.now)


def may_revoke(visit: Visit, change: Known, scope: RosterScope) -> bool:
    """Whether the visitor may end a change: who said it, who keeps the roster, of leave and swaps who they are of."""
    concerned = {change.said_by, change.other_id} | ({change.person_id} if change.kind != "override" else set())
    return visit.person.person_id in concerned or change.organisation_id in scope.kept


def _in_sight(visit: Visit, change_id: int) -> Known:
    try:
        found = known(visit.connection, change_id)
    except DutyRefused as refused:
        raise HTTPException(status_code=404, detail=str(refused)) from refused
    if found.organisation_id not in roster_scope(visit).seen:
        raise HTTPException(status_code=404, detail=f"no change {change_id} here")
    return found


def _place(visit: Visit, key: str) -> dict[str, Any]:
    found = records(visit.connection, "organisation_by_key", key=key)
    if not found or found[0]["organisation_id"] not in roster_scope(visit).seen:
        raise HTTPException(status_code=404, detail=f"no organisation {key[:64]!r} here")
    return found[0]


def _local(said: str) -> datetime | None:
    try:
        return datetime.fromisoformat(said) if said.strip() else None
    except ValueError as exc:
        raise HTTPException(status_code=422, detail=f"{said!r} is no time: 2026-11-22T20:00") from exc


def _needed(said: str) -> datetime:
    found = _local(said)
    if found is None:
        raise HTTPException(status_code=422, detail="until when? 2026-11-22T20:00")
    return found


def _shift(said: str) -> tuple[str, str, str, Span]:
    parts = said.split("|")
    if len(parts) != 5:
        raise HTTPException(status_code=422, detail=f"{said!r} is no shift of the list")
    organisation, duty_role, person, since, until = parts
    return organisation, duty_role, person, Span(since=_needed(since), until=_needed(until))


def _answer(visit: Visit, form: str, act: Callable[[], object]) -> Response:
    trouble, said = "", visit.request.query_params.get("weeks", "")
    weeks = min(int(said), rosters.WEEKS_MOST) if said.isascii() and said.isdigit() and len(said) < 4 else 0
    try:
        act()
    except DutyRefused as refused:
        trouble = f"{visit.words.pgettext('duty_refused', refused.obstacle)} ({refused})"
    if "hx-request" not in visit.request.headers and not trouble:
        return RedirectResponse(f"/duty?weeks={weeks}", status_code=303)
    values = _values(visit, weeks) | {"trouble": {form: trouble}}
    template = "duty_list.html" if "hx-request" in visit.request.headers else "duty.html"
    return visit.render(template, 409 if trouble else 200, **values)


def _values(visit: Visit, weeks: int) -> dict[str, Any]:
    scope = roster_scope(visit)
    shown = rosters.roster_of(visit.connection, scope, now=visit.now, weeks=weeks)
    mine, theirs = rosters.to_swap(visit.connection, visit.person, now=visit.now)
    return {
        "roster": shown,
        "weeks": weeks,
        "weeks_most": rosters.WEEKS_MOST,
        "posts": rosters.posts_of(shown.sheets, visit.person, scope),
        "people": rosters.people_of(visit.connection, scope),
        "scope": scope,
        "handovers": handovers.handovers(visit.connection, visit.person, scope, now=visit.now),
        "mine": mine,
        "theirs": theirs,
        "may_revoke": [
            each.change_id
            for each in shown.changes
            if each.standing != "revoked" and each.until > visit.now and _may_take_back(visit, each, scope)
        ],
        "trouble": {},
    }


def _may_take_back(visit: Visit, change: Any, scope: RosterScope) -> bool:
    asked = change.person_id if change.kind == "swap" else None
    whose = change.in_place_of_id if change.kind == "swap" else change.person_id
    return may_revoke(
        visit,
        Known(
            change_id=change.change_id,
            kind=change.kind,
            organisation_id=change.organisation_id,
            person_id=whose,
            said_by=change.said_by_id,
            other_id=asked,
            waits=change.accepted_at is None,
        ),
        scope,
    )

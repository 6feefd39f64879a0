"""Duty in the API, version 1: the same roster and the same changes under the same rights as in the console."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from care import duty
from care.duty_changes import REASON_CHARACTERS_MAX, DutyRefused, instant_of
from care.duty_changes import Span as Time
from care.handover import NOTE_CHARACTERS_MAX
from care.registry import DutyRole
from care.shifts import Change, Hole, Shift
from dashboards import handovers
from dashboards.console.api import refusals
from dashboards.console.duty import (
    NO_NUL,
    roster_scope,
    say_accept,
    say_leave,
    say_note,
    say_override,
    say_read,
    say_revoke,
    say_swap,
)
from dashboards.database import records
from dashboards.web import Called, SignedIn, Visit

DAYS_MOST = 62
Key = Annotated[str, Field(max_length=64, pattern=NO_NUL)]
Reason = Annotated[str, Field(max_length=REASON_CHARACTERS_MAX, pattern=NO_NUL)]

router = APIRouter(prefix="/api/v1/duty", tags=["duty"])


class RosterOut(BaseModel):
    """The roster of the days to come of all organisations in sight: shifts, what people said over them, and holes."""

    shifts: list[Shift]
    changes: list[Change]
    holes: list[Hole]


class SaidIn(BaseModel):
    """A time, half-open: with an offset, or local to the organisation; without `since` from now on. And why."""

    model_config = ConfigDict(extra="forbid")

    since: datetime | None = None
    until: datetime
    reason: Reason = ""


class OverrideIn(SaidIn):
    """Somebody (null: oneself) holds a duty, in place of one person or (null) of whoever the roster names; keys."""

    organisation: Key
    duty_role: DutyRole
    person: Key | None = None
    in_place_of: Key | None = None


class LeaveIn(SaidIn):
    """Somebody (null: oneself) is away; `substitute` stands in as family doctor; keys."""

    person: Key | None = None
    substitute: Key | None = None


class SwapIn(BaseModel):
    """One's own shift for another's of the same duty; times as in SaidIn."""

    model_config = ConfigDict(extra="forbid")

    organisation: Key
    duty_role: DutyRole
    since: datetime
    until: datetime
    other: Key
    other_since: datetime
    other_until: datetime
    reason: Reason = ""


class Said(BaseModel):
    """What was said, by its number."""

    change_id: int


@router.get("", responses=refusals(401))
def read(visit: SignedIn, days: int = Query(default=7, ge=1, le=DAYS_MOST)) -> RosterOut:
    """Give the roster of the days to come, from now on."""
    scope, end = roster_scope(visit), visit.now + timedelta(days=days)
    holes = duty.roster_holes(visit.connection, visit.now, end)
    return RosterOut(
        shifts=duty.roster(visit.connection, visit.now, end, scope.seen),
        changes=duty.changes(visit.connection, visit.now, end, scope.seen),
        holes=[each for each in holes if each.organisation_id in scope.looked_after or each.roster_of in scope.seen],
    )


@router.post("/override", responses=refusals(401, 403, 404, 409))
def stand_in(visit: Called, said: OverrideIn) -> Said:
    """Put somebody on duty; oneself, or as who keeps the roster anybody who may hold it."""
    who = said.person or visit.person.key
    span = (said.since, said.until)
    return _said(
        lambda: say_override(visit, said.organisation, said.duty_role, who, span, said.in_place_of, said.reason)
    )


@router.post("/leave", responses=refusals(401, 403, 404, 409))
def away(visit: Called, said: LeaveIn) -> Said:
    """Note that somebody is away: oneself, or as who keeps the roster one of its people."""
    who = said.person or visit.person.key
    return _said(lambda: say_leave(visit, who, (said.since, said.until), said.substitute, said.reason))


@router.post("/swap", responses=refusals(401, 403, 404, 409))
def exchange(visit: Called, said: SwapIn) -> Said:
    """Ask somebody to exchange a shift; it holds once the other has accepted."""

    def act() -> int:
        span = _time(visit, said.organisation, said.since, said.until)
        other_span = _time(visit, said.organisation, said.other_since, said.other_until)
        return say_swap(visit, said.organisation, said.duty_role, span, said.other, other_span, said.reason)

    return _said(act)


class NoteIn(BaseModel):
    """What the one who leaves a duty writes to the one who comes."""

    model_config = ConfigDict(extra="forbid")

    organisation: Key
    duty_role: DutyRole
    note: str = Field(min_length=1, max_length=NOTE_CHARACTERS_MAX, pattern=NO_NUL)


class NoteSaid(BaseModel):
    """A note of handover, by its number."""

    note_id: int


@router.get("/handover", responses=refusals(401))
def handover(visit: SignedIn) -> list[handovers.Handover]:
    """Give what one has to hand over, or takes on within 12 hours: what is open, and what was written."""
    return handovers.handovers(visit.connection, visit.person, roster_scope(visit), now=visit.now)


@router.post("/notes", responses=refusals(401, 403, 409))
def hand_over(visit: Called, said: NoteIn) -> NoteSaid:
    """Write to who comes next, as who holds the duty now."""
    try:
        return NoteSaid(note_id=say_note(visit, said.organisation, said.duty_role, said.note))
    except DutyRefused as refused:
        raise HTTPException(status_code=409, detail=str(refused)) from refused


@router.post("/notes/{note_id}/acknowledge", responses=refusals(401, 403, 409))
def read_it(visit: Called, note_id: int) -> NoteSaid:
    """Note that one has read it, as who holds the duty now."""
    try:
        say_read(visit, note_id)
    except DutyRefused as refused:
        raise HTTPException(status_code=409, detail=str(refused)) from refused
    return NoteSaid(note_id=note_id)


@router.post("/changes/{change_id}/accept", responses=refusals(401, 403, 404, 409))
def agree(visit: Called, change_id: int) -> Said:
    """Agree to a swap as the one who was asked."""

    def act() -> int:
        say_accept(visit, change_id)
        return change_id

    return _said(act)


@router.post("/changes/{change_id}/revoke", responses=refusals(401, 403, 404, 409))
def take_back(visit: Called, change_id: int) -> Said:
    """End a change from now on, take a swap back, or decline it."""

    def act() -> int:
        say_revoke(visit, change_id)
        return change_id

    return _said(act)


def _time(visit: Visit, organisation: str, since: datetime, until: datetime) -> Time:
    found = records(visit.connection, "organisation_by_key", key=organisation)
    zone = found[0]["time_zone"] if found else "UTC"
    return Time(since=instant_of(since, zone), until=instant_of(until, zone, ends=True))


def _said(act: Callable[[], int]) -> Said:
    try:
        return Said(change_id=act())
    except DutyRefused as refused:
        raise HTTPException(status_code=409, detail=str(refused)) from refused

"""Silences in the API, version 1: the same acts under the same rights as in the console."""

from typing import Annotated

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerting.silences import REASON_CHARACTERS_MAX, SilenceRefused, Target, Wish
from dashboards import silences
from dashboards.console.api import refusals
from dashboards.console.silences import NO_NUL, lift_by_visitor, set_by_visitor
from dashboards.web import Called, SignedIn, Visit

router = APIRouter(prefix="/api/v1/silences", tags=["silences"])

Key = Annotated[str, Field(max_length=200, pattern=NO_NUL)]


class SilenceIn(BaseModel):
    """What is to page nobody: a rule ('': all technical ones), of what, from when (null: now) until when, and why."""

    model_config = ConfigDict(extra="forbid")

    target: Target
    name: Key
    rule: Key = ""
    since: AwareDatetime | None = None
    until: AwareDatetime
    reason: str = Field(max_length=REASON_CHARACTERS_MAX, pattern=NO_NUL)


@router.get("", responses=refusals(401))
def list_silences(visit: SignedIn) -> list[silences.Silence]:
    """List the silences in scope: in force and planned, then those that ended within 30 days."""
    return silences.listed(visit.connection, visit.scope(), visit.now)


@router.post("", responses=refusals(401, 403, 409))
def say_silent(visit: Called, said: SilenceIn) -> silences.Silence:
    """Set a silence; never of what is high."""
    wish = Wish(
        target=said.target, name=said.name, rule=said.rule, since=said.since, until=said.until, reason=said.reason
    )
    try:
        return _one(visit, set_by_visitor(visit, wish))
    except SilenceRefused as refused:
        raise HTTPException(status_code=409, detail=f"{refused.obstacle}: {refused}") from refused


@router.post("/{silence_id}/lift", responses=refusals(401, 403, 404, 409))
def lift(visit: Called, silence_id: int) -> silences.Silence:
    """Lift a silence before its time: what is unanswered rings at once."""
    try:
        lift_by_visitor(visit, silence_id)
    except SilenceRefused as refused:
        raise HTTPException(status_code=409, detail=f"{refused.obstacle}: {refused}") from refused
    return _one(visit, silence_id)


def _one(visit: Visit, silence_id: int) -> silences.Silence:
    found = silences.one(visit.connection, visit.scope(), silence_id, visit.now)
    assert found is not None, "it was in sight a moment ago"
    return found

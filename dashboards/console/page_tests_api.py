"""Tests of paging in the API, version 1: the same acts under the same rights as in the console."""

from datetime import datetime

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict

from alerting.page_test import PageTestError, Run, answer_signed_in, report, runs
from alerting.response import Came, Figures, Response
from dashboards.console.api import refusals
from dashboards.console.page_tests import begin_as, checked, run_of
from dashboards.web import Called, SignedIn, Visit

router = APIRouter(prefix="/api/v1", tags=["page tests"])


class PageTestIn(BaseModel):
    """Whom to page: who is on duty and the family doctors, or `everybody`."""

    model_config = ConfigDict(extra="forbid")

    everybody: bool = False


class ResponseOut(BaseModel):
    """What came of a test at one person."""

    person: str
    role: str
    came: Came
    channel: str
    delivered_at: datetime | None
    answered_at: datetime | None
    answered_after_s: float | None
    outcome: str


class PageTestOut(BaseModel):
    """A test with who answered, beside the one before it; `untested`: whom none has reached in 35 days."""

    test: Run
    figures: Figures
    before: Figures | None
    people: list[ResponseOut]
    untested: list[str]


@router.get("/page-tests", responses=refusals(401, 403))
def list_page_tests(visit: SignedIn) -> list[Run]:
    """List the tests of paging in scope, newest first."""
    checked(visit)
    return runs(visit.connection, visit.scope())


@router.post("/page-tests", responses=refusals(401, 403, 409))
def begin_page_test(visit: Called, asked: PageTestIn) -> PageTestOut:
    """Page with a marked test who is on duty in one's organisation or below, and every family doctor there."""
    try:
        number = begin_as(visit, everybody=asked.everybody)
    except PageTestError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return _out(visit, number)


@router.post("/page-tests/answer", status_code=204, responses=refusals(401, 403))
def answer_page_test(visit: Called) -> None:
    """Answer the test that one has got and not answered yet; where there is none, nothing happens."""
    answer_signed_in(visit.connection, person_id=visit.person.person_id, now=visit.now)


@router.get("/page-tests/{page_test_id}", responses=refusals(401, 403, 404))
def get_page_test(visit: SignedIn, page_test_id: int) -> PageTestOut:
    """Give what came of a test so far."""
    return _out(visit, page_test_id)


def _out(visit: Visit, page_test_id: int) -> PageTestOut:
    found = report(visit.connection, run_of(visit, page_test_id), now=visit.now)
    return PageTestOut(
        test=found.run,
        figures=found.figures,
        before=found.before,
        people=[_response(each) for each in found.responses],
        untested=[each.key for each in found.untested],
    )


def _response(each: Response) -> ResponseOut:
    return ResponseOut(
        person=each.person,
        role=each.role,
        came=each.came,
        channel=each.channel,
        delivered_at=each.delivered_at,
        answered_at=each.answered_at,
        answered_after_s=each.answered_after_s,
        outcome=each.outcome,
    )

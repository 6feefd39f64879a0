"""Tests of paging on the screen: begin one, see who answered; and answer one oneself."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting.desk import Desk
from alerting.page_test import MAY_TEST, PageTestError, Run, answer_signed_in, begin, report, runs, to_answer, untested
from alerting.profile.file import parse_profile, standard_adult
from dashboards.web import Posted, SignedIn, Visit

router = APIRouter()


@router.get("/page-tests")
def page(visit: SignedIn, run: int | None = None) -> HTMLResponse:
    """Show a test, the newest unless one is named; to whom it is not given, what they have to answer."""
    return visit.render("page_tests.html", **_values(visit, run))


@router.get("/page-tests/report")
def fragment(visit: SignedIn, run: int | None = None) -> HTMLResponse:
    """Give the report alone, for a live page."""
    return visit.render("page_tests_report.html", **_values(visit, run))


@router.post("/page-tests")
def press(visit: Posted, everybody: Annotated[bool, Form()] = False) -> Response:
    """Begin a test of one's own organisation and all below it."""
    try:
        begin_as(visit, everybody=everybody)
    except PageTestError as error:
        return visit.render("page_tests.html", 409, **_values(visit, None) | {"trouble": str(error)})
    return RedirectResponse("/page-tests", status_code=303)


@router.post("/page-tests/answer")
def answer(visit: Posted) -> Response:
    """Answer the test that one has got, where its link can not be used."""
    answer_signed_in(visit.connection, person_id=visit.person.person_id, now=visit.now)
    return RedirectResponse("/page-tests", status_code=303)


def begin_as(visit: Visit, *, everybody: bool) -> int:
    """Begin a test as the visitor. Raises PageTestError, HTTPException."""
    checked(visit)
    desk = Desk(connection=visit.connection, profile=parse_profile(standard_adult()), now=visit.now, link=visit.address)
    person = visit.person
    return begin(desk, organisation_id=person.organisation_id, by=person.person_id, everybody=everybody)


def run_of(visit: Visit, page_test_id: int) -> Run:
    """Give a test in the visitor's scope; out of it none exists."""
    checked(visit)
    found = runs(visit.connection, visit.scope(), page_test_id)
    if not found:
        raise HTTPException(status_code=404, detail=f"no test {page_test_id} here")
    return found[0]


def checked(visit: Visit) -> None:
    """Refuse who has no say in tests of paging."""
    if visit.person.role not in MAY_TEST:
        raise HTTPException(status_code=403, detail=f"tests of paging are for {' and '.join(sorted(MAY_TEST))}")


def _values(visit: Visit, number: int | None) -> dict[str, Any]:
    asked = to_answer(visit.connection, person_id=visit.person.person_id, now=visit.now)
    may = visit.person.role in MAY_TEST
    shown = runs(visit.connection, visit.scope()) if may else []
    run = run_of(visit, number) if may and number is not None else shown[0] if shown else None
    found = report(visit.connection, run, now=visit.now) if run else None
    never = untested(visit.connection, visit.person.organisation_id, now=visit.now) if may and not found else []
    return {"asked": asked, "may": may, "runs": shown, "report": found, "never": never, "trouble": ""}

"""Tests of paging: pages whoever an alarm may page with a marked test, and says who answered, and after how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row, namedtuple_row

from alerting.addressing import audience_of
from alerting.desk import QUERIES, Desk
from alerting.link import TEST_LASTS, TEST_PATH
from alerting.paging import CONSOLE, IN_RESERVE, NO_CHANNEL
from alerting.response import Figures, Response, figures
from alerting.words import TEST_TITLE, paging_test_body
from care.duty import PersonOnDuty, to_be_paged
from care.registry import PersonRole

MAY_TEST = frozenset({PersonRole.COORDINATOR, PersonRole.ADMIN})
AGAIN_AFTER = timedelta(minutes=10)
"""No second test of an organisation before: a button is pressed twice."""

PEOPLE_MAX = 2000
RUNS_MOST = 24
TESTED_WITHIN = timedelta(days=35)
"""Who was reached by no test in so long is listed: a month, and some days to hold the next in."""


class PageTestError(ValueError):
    """A test of paging can not be begun or shown; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One test of an organisation and all below it."""

    page_test_id: int
    organisation_id: int
    organisation: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    everybody: bool
    begun_at: datetime
    until: datetime
    begun_by: str | None
    begun_by_en: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a test; `before` are the figures of the test before it, None where it was the first."""

    run: Run
    responses: list[Response]
    figures: Figures
    before: Figures | None
    untested: list[PersonOnDuty]


def begin(desk: Desk, *, organisation_id: int, by: int, everybody: bool = False) -> int:
    """Page everybody concerned with a marked test; gives its number. Raises PageTestError."""
    with desk.connection.transaction():
        actor = desk.one("person", person_id=by)
        if actor is None or actor.role not in MAY_TEST:
            said = actor.role if actor else f"person {by}"
            raise PageTestError(f"{said} may not test paging: {' or '.join(sorted(MAY_TEST))} does")
        desk.one("lock_page_tests", organisation_id=organisation_id)
        lately = desk.one("page_test_since", organisation_id=organisation_id, since=desk.now - AGAIN_AFTER)
        if lately is not None:
            raise PageTestError(
                f"test {lately.page_test_id} has begun at {lately.begun_at:%H:%M:%S} UTC:"
                f" the next may begin {AGAIN_AFTER.seconds // 60} min later"
            )
        people = to_be_paged(desk.connection, organisation_id, desk.now, everybody=everybody)
        if not 0 < len(people) <= PEOPLE_MAX:
            raise PageTestError(f"{len(people)} people would be paged: a test pages 1 to {PEOPLE_MAX}")
        test = desk.one(
            "begin_page_test",
            organisation_id=organisation_id,
            everybody=everybody,
            begun_by=by,
            now=desk.now,
            until=desk.now + TEST_LASTS,
        )
        assert test is not None, "RETURNING gives a row"
        for person in people:
            _page(desk, int(test.page_test_id), person)
        desk.connection.execute("SELECT pg_notify('episode', '')")
    return int(test.page_test_id)


def runs(
    connection: psycopg.Connection[Any], organisations: Sequence[int], page_test_id: int | None = None
) -> list[Run]:
    """List the tests of these organisations, newest first, or the one of this number."""
    values = {"organisations": list(organisations), "page_test_id": page_test_id, "most": RUNS_MOST}
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(QUERIES["page_tests"], values).fetchall()


def report(connection: psycopg.Connection[Any], run: Run, *, now: datetime) -> Report:
    """Say what came of a test so far, beside the one before it, and whom none has reached lately."""
    responses = _responses(connection, run.page_test_id)
    cursor = connection.cursor(row_factory=namedtuple_row)
    before: Any = cursor.execute(QUERIES["page_test_before"], {"page_test_id": run.page_test_id}).fetchone()
    return Report(
        run=run,
        responses=responses,
        figures=figures(responses),
        before=figures(_responses(connection, before.page_test_id)) if before else None,
        untested=untested(connection, run.organisation_id, now=now),
    )


def untested(connection: psycopg.Connection[Any], organisation_id: int, *, now: datetime) -> list[PersonOnDuty]:
    """List whom an alarm may page now, and no test has reached in 35 days."""
    people = to_be_paged(connection, organisation_id, now, everybody=False)
    values = {"people": [each.person_id for each in people], "since": now - TESTED_WITHIN}
    cursor = connection.cursor(row_factory=namedtuple_row)
    rows: list[Any] = cursor.execute(QUERIES["tested_lately"], values).fetchall()
    reached = {row.recipient_id for row in rows}
    return [each for each in people if each.person_id not in reached]


def to_answer(connection: psycopg.Connection[Any], *, person_id: int, now: datetime) -> int | None:
    """Give the test that a person has not answered yet."""
    cursor = connection.cursor(row_factory=namedtuple_row)
    found: Any = cursor.execute(QUERIES["test_to_answer"], {"person_id": person_id, "now": now}).fetchone()
    return found.page_test_id if found else None


def answer_signed_in(connection: psycopg.Connection[Any], *, person_id: int, now: datetime) -> None:
    """Answer the test that a person has not answered yet, without its link."""
    page_test_id = to_answer(connection, person_id=person_id, now=now)
    connection.execute(QUERIES["answer_test"], {"page_test_id": page_test_id, "person_id": person_id, "now": now})


def _responses(connection: psycopg.Connection[Any], page_test_id: int) -> list[Response]:
    with connection.cursor(row_factory=class_row(Response)) as cursor:
        return cursor.execute(QUERIES["responses"], {"page_test_id": page_test_id}).fetchall()


def _page(desk: Desk, page_test_id: int, person: PersonOnDuty) -> None:
    for number, channel in enumerate(person.channels or [CONSOLE]):
        is_sent = number == 0 and channel != CONSOLE
        desk.run(
            "insert_test_notice",
            page_test_id=page_test_id,
            until=desk.now + TEST_LASTS,
            key=f"test:{page_test_id}:{person.person_id}:{number}",
            recipient_id=person.person_id,
            recipient=person.name,
            audience=audience_of(person.role),
            service_tier=person.service_tier,
            channel_url=channel,
            title=TEST_TITLE,
            body=paging_test_body(link=f"{desk.link}{TEST_PATH}"),
            now=desk.now,
            due_at=desk.now if is_sent else None,
            outcome=NO_CHANNEL if channel == CONSOLE else "" if is_sent else IN_RESERVE,
        )

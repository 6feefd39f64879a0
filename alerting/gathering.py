"""Gathers a person's notices beyond the limit into one that says how many; each keeps a row that says into which."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import structlog

from alerting.desk import Desk
from alerting.outcomes import Outcome
from alerting.paging import IN_RESERVE
from alerting.throttle import CROWD_WITHIN, CROWDED, Limit, crowd, decide
from alerting.words import gathered_body, gathered_title

DUE_MAX = 5000
"""Looked at in one turn; what is due beyond it goes out ungathered: at the bound more is said, not less."""

LISTED = 10
"""Of how many urgent alarms the notice that gathers them says whose they are."""

log = structlog.get_logger()


def gather(desk: Desk, limit: Limit) -> int:
    """Tell of what is due beyond the limits in one notice a person; gives how many were held back for it."""
    with desk.connection.transaction():
        return _gather_what_may_wait(desk, limit) + _gather_crowds(desk)


def _gather_what_may_wait(desk: Desk, limit: Limit) -> int:
    due = desk.all("due_that_may_wait", now=desk.now, most=DUE_MAX)
    people = sorted({row.recipient_id for row in due})
    if not people:
        return 0
    held = 0
    sent = _by_person(desk.all("sent_lately", people=people, since=desk.now - limit.within))
    waiting = _gathering(desk, people, may_wait=True)
    for person_id, rows in groupby(due, key=lambda row: row.recipient_id):
        decision = decide(
            sent.get(person_id, ()),
            [row.notice_id for row in rows],
            limit=limit,
            now=desk.now,
            is_gathering=person_id in waiting,
        )
        if decision.gathered_at is not None:
            _gather(desk, decision.gather, waiting.get(person_id), decision.gathered_at, urgent=False)
            held += len(decision.gather)
    return held


def _gather_crowds(desk: Desk) -> int:
    held = 0
    audiences = sorted(CROWDED)
    for row in desk.all("urgent_due", now=desk.now, since=desk.now - CROWD_WITHIN, audiences=audiences):
        alone = crowd(row.due, lately=row.lately)
        if alone == row.due:
            continue
        due = desk.all("urgent_of", person_id=row.recipient_id, now=desk.now, audiences=audiences, most=DUE_MAX)
        if rest := [notice.notice_id for notice in due][alone:]:
            waiting = _gathering(desk, [row.recipient_id], may_wait=False)
            _gather(desk, rest, waiting.get(row.recipient_id), desk.now, urgent=True)
            held += len(rest)
    return held


def _gathering(desk: Desk, people: Sequence[int], *, may_wait: bool) -> dict[int, int]:
    rows = desk.all("gathering", people=people, may_wait=may_wait)
    return {row.recipient_id: row.notice_id for row in rows}


def _gather(desk: Desk, held: Sequence[int], into: int | None, at: datetime, *, urgent: bool) -> None:
    if into is None:
        desk.run("open_gathering", like=held[0], now=desk.now, due_at=at, reserve=IN_RESERVE)
        opened = desk.one("gathering_of", like=held[0])
        assert opened is not None, "it was written just now"
        into = opened.notice_id
    desk.run("hold_back", notices=list(held), into=into, outcome=Outcome.GATHERED)
    told = desk.one("gathered_count", into=into, listed=LISTED)
    assert told is not None, "count(*) gives a row"
    desk.run(
        "say_gathered",
        into=into,
        count=told.count,
        title=gathered_title(told.count, urgent=urgent),
        body=gathered_body(told.count, told.titles, urgent=urgent, duties=told.duties, link=f"{desk.link}/"),
    )
    log.info("notices_gathered", into=into, count=len(held), urgent=urgent)


def _by_person(rows: Sequence[Any]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    for row in rows:
        found.setdefault(row.recipient_id, []).append(row.at)
    return found

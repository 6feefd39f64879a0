"""Gathers a person's notices beyond the limit into one that says how many; each keeps a row that says into which."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import structlog

from alerting.desk import Desk
from alerting.paging import IN_RESERVE
from alerting.throttle import Limit, decide
from alerting.words import gathered_body, gathered_title

DUE_MAX = 5000
"""Looked at in one turn; what is due beyond it goes out ungathered: at the bound more is said, not less."""

GATHERED = "gathered"
"""The outcome of a notice of which another one speaks."""

log = structlog.get_logger()


def gather(desk: Desk, limit: Limit) -> int:
    """Hold back what is due beyond the limit and tell of it in one notice a person; gives how many were held back."""
    held = 0
    with desk.connection.transaction():
        due = desk.all("due_that_may_wait", now=desk.now, most=DUE_MAX)
        if not due:
            return 0
        people = sorted({row.recipient_id for row in due})
        sent = _by_person(desk.all("sent_lately", people=people, since=desk.now - limit.within))
        waiting = {row.recipient_id: row.notice_id for row in desk.all("gathering", people=people)}
        for person_id, rows in groupby(due, key=lambda row: row.recipient_id):
            decision = decide(
                sent.get(person_id, ()),
                [row.notice_id for row in rows],
                limit=limit,
                now=desk.now,
                is_gathering=person_id in waiting,
            )
            if decision.gathered_at is not None:
                _gather(desk, decision.gather, waiting.get(person_id), decision.gathered_at)
                held += len(decision.gather)
                log.info("notices_gathered", person_id=person_id, count=len(decision.gather))
    return held


def _gather(desk: Desk, held: Sequence[int], into: int | None, at: datetime) -> None:
    if into is None:
        desk.run("open_gathering", like=held[0], now=desk.now, due_at=at, reserve=IN_RESERVE)
        opened = desk.one("gathering_of", like=held[0])
        assert opened is not None, "it was written just now"
        into = opened.notice_id
    desk.run("hold_back", notices=list(held), into=into, outcome=GATHERED)
    told = desk.one("gathered_count", into=into)
    assert told is not None, "count(*) gives a row"
    desk.run(
        "say_gathered",
        into=into,
        count=told.count,
        title=gathered_title(told.count),
        body=gathered_body(told.count, link=f"{desk.link}/"),
    )


def _by_person(rows: Sequence[Any]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    for row in rows:
        found.setdefault(row.recipient_id, []).append(row.at)
    return found

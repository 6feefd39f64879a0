"""Tells those whom a change of duty concerns, by notices of low priority: each thing that is said of it once.

What was said is found in care's history of changes, so that it is told whoever said it, by the console, the API or the
command line. Whoever has said it himself is not told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from alerting.addressing import audience_of
from alerting.desk import Desk
from alerting.duty_words import News, body, title
from alerting.isolation import one_by_one
from alerting.paging import CONSOLE, IN_RESERVE, NO_CHANNEL
from alerting.words import Text
from care.duty import PersonOnDuty, coordinators, people

NEWS_MAX = 200
"""Told in one turn; what is left is the next turn's, the oldest first."""


def tell_of_duty(desk: Desk) -> int:
    """Write the notices of what was said of the roster since the last turn; gives how many."""
    news = desk.all("duty_news", now=desk.now, most=NEWS_MAX)
    return one_by_one(news, lambda change: _tell(desk, change), what="change of duty")


def _tell(desk: Desk, change: Any) -> int:
    with desk.connection.transaction():
        if not desk.run("duty_is_told", change_id=change.change_id, what=change.what, now=desk.now):
            return 0
        told = dict(_concerned(change))
        written = sum(
            _write(desk, change, person, told[person.person_id]) for person in people(desk.connection, [*told])
        )
        if change.wants and change.what == "said":
            for person in coordinators(desk.connection, change.organisation_id, desk.now):
                if person.person_id not in {*told, change.said_by}:
                    written += _write(desk, change, person, News.WANTS_SUBSTITUTE)
        if written:
            desk.connection.execute("SELECT pg_notify('episode', '')")
    return written


def _concerned(change: Any) -> Iterator[tuple[int, News]]:
    """Give whom it concerns and what it is to each, but for whoever has said it."""
    by = {"said": change.said_by, "accepted": change.accepted_by, "revoked": change.revoked_by}[change.what]
    for person_id, news in _TOLD[change.kind, change.what](change):
        if person_id is not None and person_id != by:
            yield person_id, news


def _all_as(numbers: list[int], news: News) -> list[tuple[int | None, News]]:
    return [(each, news) for each in numbers]


_TOLD: Mapping[tuple[str, str], Callable[[Any], Sequence[tuple[int | None, News]]]] = {
    ("override", "said"): lambda c: [*_all_as(c.replaced, News.REPLACED), (c.person_id, News.PUT_ON)],
    ("override", "revoked"): lambda c: [*_all_as(c.replaced, News.ON_AGAIN), (c.person_id, News.NO_MORE)],
    ("leave", "said"): lambda c: [(c.person_id, News.AWAY), (c.substitute_id, News.STANDS_IN)],
    ("leave", "revoked"): lambda c: [(c.person_id, News.AWAY_NO_MORE), (c.substitute_id, News.STANDS_IN_NO_MORE)],
    ("swap", "said"): lambda c: [(c.person_id, News.SWAP_ASKED)],
    ("swap", "accepted"): lambda c: [(c.in_place_of_id, News.SWAP_AGREED)],
    ("swap", "revoked"): lambda c: _all_as(
        [c.person_id, c.in_place_of_id], News.SWAP_TAKEN_BACK if c.accepted_at else News.SWAP_DECLINED
    ),
}
"""Whom what is said of a change concerns. Of a swap, `person_id` is who is asked."""


def _write(desk: Desk, change: Any, person: PersonOnDuty, news: News) -> int:
    place = Text(zh=change.organisation_name, en=change.organisation_name_en)
    for number, channel in enumerate(person.channels or [CONSOLE]):
        is_sent = number == 0 and channel != CONSOLE
        desk.run(
            "insert_duty_notice",
            change_id=change.change_id,
            until=change.until,
            key=f"duty:{change.change_id}:{change.what}:{person.person_id}:{number}",
            recipient_id=person.person_id,
            recipient=person.name,
            audience=audience_of(person.role),
            service_tier=person.service_tier,
            channel_url=channel,
            title=title(news, duty_role=change.duty_role, place=place),
            body=body(
                news, since=change.since, until=change.until, time_zone=change.time_zone, link=f"{desk.link}/duty"
            ),
            now=desk.now,
            due_at=desk.now if is_sent else None,
            outcome=NO_CHANNEL if channel == CONSOLE else "" if is_sent else IN_RESERVE,
        )
    return 1

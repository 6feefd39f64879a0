"""Sends notices: claims a lease, hands each to its channel by apprise, records the outcome. At least once.

A person's channels are used in their order: what one refuses goes out by the next at once, and is tried by the first
again, unless it says that it never will take it. A crash between sending and recording leaves the lease to run out: the
notice is sent again under its same key. Waits grow, to a minute, for as long as the episode is open; only the notice of
a closed one is given up, loudly, or one that the next channel took. What a household is asked goes out when nothing of
an episode is due, and not when it is too late. The escalation's deadlines go on whatever happens here.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from alerting.desk import Desk
from alerting.gathering import gather
from alerting.link import Linking, body_to_send
from alerting.outcomes import Outcome
from alerting.paging import IN_RESERVE
from alerting.sending import hand_over, warm_up_channels
from alerting.throttle import Limit

WORKERS = 16
"""Notices in flight at a time; no more are claimed, so that none waits with its lease running."""

NOTICES_MAX = 1024
"""Claimed in one turn: bounds how long it goes on where channels take all there is."""

LOOK_S = 1.0
"""How long a turn waits for hand-overs alone: what becomes due meanwhile has the workers that are free."""

ATTEMPTS_MAX = 8
LEASE_S = 60
"""Four times what a hand-over can take: nobody else sends it meanwhile."""

RETRY_S = (2, 5, 10, 20, 40, 60, 60)
"""Machine seconds: networks do not run on clinical time."""

NO_LINKS = Linking()
USUAL = Limit()

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one hand-over ended; `for_good`: the channel says that it will never take this."""

    notice_id: int
    accepted: bool
    outcome: str
    for_good: bool = False


def warm_up(_desk: Desk) -> None:
    """Load the channels' code before the first notice needs it: it takes most of a second."""
    warm_up_channels()


def deliver(
    desk: Desk,
    pool: ThreadPoolExecutor,
    *,
    speed: float,
    clock: Callable[[], Any],
    linking: Linking = NO_LINKS,
    limit: Limit = USUAL,
) -> int:
    """Send what is due, a few at a time, so that what is urgent goes before all that waits when it comes.

    Gives how many notices were handed to a channel that took them.
    """
    taken, claimed, now = 0, 0, desk.now
    flying: dict[Future[Attempt], Any] = {}
    while flying or claimed < NOTICES_MAX:
        if claimed < NOTICES_MAX and (room := WORKERS - len(flying)):
            gather(replace(desk, now=now), limit)
            for notice in _claim(desk, now, lease_s=LEASE_S * speed, limit=room):
                claimed += 1
                flying[pool.submit(_send, notice, body_to_send(notice, linking, now))] = notice
        if not flying:
            break
        ended, _ = wait(flying, timeout=LOOK_S, return_when=FIRST_COMPLETED)
        now = clock()
        attempts = [(flying.pop(each), each.result()) for each in ended]
        _record(desk, attempts, now=now, speed=speed)
        taken += sum(attempt.accepted for _, attempt in attempts)
    return taken


def _claim(desk: Desk, now: datetime, *, lease_s: float, limit: int) -> Sequence[Any]:
    with desk.connection.transaction():
        for row in desk.all("too_late", now=now, outcome=Outcome.TOO_LATE):
            log.warning("notice", key=row.key, outcome=Outcome.TOO_LATE.value, given_up=True)
        desk.run("answered_meanwhile", now=now, outcome=Outcome.ANSWERED)
        return desk.all("claim_notices", now=now, lease_until=now + timedelta(seconds=lease_s), limit=limit)


def _record(desk: Desk, attempts: Sequence[tuple[Any, Attempt]], *, now: datetime, speed: float) -> None:
    """Write down how some hand-overs ended, and let the next channel have what was refused."""
    rows, refused = [], []
    for notice, attempt in attempts:
        must = notice.is_open and not notice.is_told
        again = not (attempt.accepted or attempt.for_good) and (must or notice.attempts < ATTEMPTS_MAX)
        retry_s = RETRY_S[min(notice.attempts, len(RETRY_S)) - 1]
        rows.append(
            {
                "notice_id": notice.notice_id,
                "due_at": now + timedelta(seconds=retry_s * speed) if again else None,
                "sent_at": now if attempt.accepted else None,
                "outcome": attempt.outcome,
            }
        )
        if not attempt.accepted:
            refused.append(_next_key(notice.key))
        given_up = not again and not attempt.accepted
        level = log.info if attempt.accepted else log.warning if again else log.error
        level("notice", key=notice.key, outcome=attempt.outcome, attempt=notice.attempts, given_up=given_up)
    if refused:  # first: who dies between the two sends it again by the first channel, and then by the next
        desk.run("next_channels", keys=refused, now=now, reserve=IN_RESERVE)
    desk.write("record_deliveries", rows)


def _next_key(key: str) -> str:
    """Give the key of the same notice over the person's next channel: keys end with the channel's place."""
    told, _, place = key.rpartition(":")
    return f"{told}:{int(place) + 1}" if place.isdecimal() else ""


def _send(notice: Any, body: str) -> Attempt:
    taken = hand_over(notice.channel_url, title=notice.title, body=body, key=notice.key)
    return Attempt(notice_id=notice.notice_id, accepted=taken.accepted, outcome=taken.outcome, for_good=taken.for_good)

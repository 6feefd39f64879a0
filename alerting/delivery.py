"""Sends notices: claims a lease, hands each to its channel by apprise, records the outcome. At least once.

A person's channels are used in their order: what one refuses goes out by the next at once, and is tried by the first
again, unless it says that it never will take it. A crash between sending and recording leaves the lease to run out: the
notice is sent again under its same key. Waits grow, to a minute, for as long as the episode is open; only the notice of
a closed one is given up, loudly. What a household is asked goes out when nothing of an episode is due, and not when it
is too late. The escalation's deadlines go on whatever happens here.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from alerting.desk import Desk
from alerting.gathering import gather
from alerting.link import Linking, body_to_send
from alerting.paging import IN_RESERVE
from alerting.sending import hand_over, warm_up_channels
from alerting.throttle import Limit

WORKERS = 8
"""Notices sent at a time, and claimed at a time: none waits behind another with its lease running."""

ROUNDS_MAX = 64
"""How often a turn claims anew: bounds how long it goes on where channels take all there is."""

ATTEMPTS_MAX = 8
LEASE_S = 60
"""Four times what a batch can take: nobody else sends it meanwhile."""

RETRY_S = (2, 5, 10, 20, 40, 60, 60)
"""Machine seconds: networks do not run on clinical time."""

TOO_LATE = "too late"
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
    taken, now = 0, desk.now
    for _ in range(ROUNDS_MAX):
        gather(replace(desk, now=now), limit)
        claimed = _claim(desk, now, lease_s=LEASE_S * speed)
        bodies = [body_to_send(notice, linking, now) for notice in claimed]
        for notice, attempt in zip(claimed, pool.map(_send, claimed, bodies), strict=True):
            taken += attempt.accepted
            _record(desk, notice, attempt, now=clock(), speed=speed)
        if not claimed:
            break
        now = clock()
    return taken


def _claim(desk: Desk, now: datetime, *, lease_s: float) -> Sequence[Any]:
    with desk.connection.transaction():
        for row in desk.all("too_late", now=now, outcome=TOO_LATE):
            log.warning("notice", key=row.key, outcome=TOO_LATE, given_up=True)
        return desk.all("claim_notices", now=now, lease_until=now + timedelta(seconds=lease_s), limit=WORKERS)


def _record(desk: Desk, notice: Any, attempt: Attempt, *, now: datetime, speed: float) -> None:
    retry_s = RETRY_S[min(notice.attempts, len(RETRY_S)) - 1]
    again = not (attempt.accepted or attempt.for_good) and (notice.is_open or notice.attempts < ATTEMPTS_MAX)
    desk.run(
        "record_delivery",
        notice_id=notice.notice_id,
        due_at=now + timedelta(seconds=retry_s * speed) if again else None,
        sent_at=now if attempt.accepted else None,
        outcome=attempt.outcome,
    )
    if not attempt.accepted:
        desk.run("next_channel", key=_next_key(notice.key), now=now, reserve=IN_RESERVE)
    given_up = not again and not attempt.accepted
    level = log.info if attempt.accepted else log.warning if again else log.error
    level("notice", key=notice.key, outcome=attempt.outcome, attempt=notice.attempts, given_up=given_up)


def _next_key(key: str) -> str:
    """Give the key of the same notice over the person's next channel: keys end with the channel's place."""
    told, _, place = key.rpartition(":")
    return f"{told}:{int(place) + 1}" if place.isdecimal() else ""


def _send(notice: Any, body: str) -> Attempt:
    taken = hand_over(notice.channel_url, title=notice.title, body=body, key=notice.key)
    return Attempt(notice_id=notice.notice_id, accepted=taken.accepted, outcome=taken.outcome, for_good=taken.for_good)

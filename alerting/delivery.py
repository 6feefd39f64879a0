"""Sends notices: claims a lease, hands each to its channel by apprise, records the outcome. At least once.

A crash between sending and recording leaves the lease to run out: the notice is sent again under its same key. A
channel that refuses is tried again with growing waits, then every minute, for as long as the episode is open; only
the notice of a closed one is given up, loudly. What a household is asked goes out when nothing of an episode is due,
and not when it is too late. The escalation's deadlines go on whatever happens here.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import apprise
import structlog

from alerting.desk import Desk

WORKERS = 8
"""Notices sent at a time, and claimed at a time: none waits behind another with its lease running."""

ROUNDS_MAX = 64
"""How often a turn claims anew: bounds how long it goes on where channels take all there is."""

ATTEMPTS_MAX = 8
TIMEOUT_S = 4.0
"""How long a channel may take to be connected with, and again between two parts of its answer."""

SERVICE_S = 15.0
"""How long a channel may take for all of it, however many parts that has."""

LEASE_S = 60
"""Four times what a batch can take: nobody else sends it meanwhile."""

RETRY_S = (2, 5, 10, 20, 40, 60, 60)
"""Machine seconds: networks do not run on clinical time."""

TOO_LATE = "too late"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one hand-over ended."""

    notice_id: int
    accepted: bool
    outcome: str


def warm_up(_desk: Desk) -> None:
    """Load the channels' code before the first notice needs it: it takes most of a second."""
    apprise.Apprise().add("json://localhost")


def deliver(desk: Desk, pool: ThreadPoolExecutor, *, speed: float, clock: Callable[[], Any]) -> int:
    """Send what is due, a few at a time, so that what is urgent goes before all that waits when it comes.

    Gives how many notices were handed to a channel that took them.
    """
    taken, now = 0, desk.now
    for _ in range(ROUNDS_MAX):
        claimed = _claim(desk, now, lease_s=LEASE_S * speed)
        for notice, attempt in zip(claimed, pool.map(_send, claimed), strict=True):
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
    again = not attempt.accepted and (notice.is_open or notice.attempts < ATTEMPTS_MAX)
    desk.run(
        "record_delivery",
        notice_id=notice.notice_id,
        due_at=now + timedelta(seconds=retry_s * speed) if again else None,
        sent_at=now if attempt.accepted else None,
        outcome=attempt.outcome,
    )
    given_up = not again and not attempt.accepted
    level = log.info if attempt.accepted else log.warning if again else log.error
    level("notice", key=notice.key, outcome=attempt.outcome, attempt=notice.attempts, given_up=given_up)


def _send(notice: Any) -> Attempt:
    """Hand one notice to its channel; what goes wrong within the channel's own code is an outcome like any other."""
    try:
        channel = apprise.Apprise(asset=apprise.AppriseAsset(service_timeout=SERVICE_S))
        if not channel.add(_with_key(notice.channel_url, notice.key)):
            return Attempt(notice_id=notice.notice_id, accepted=False, outcome="channel address not understood")
        for each in channel:
            each.socket_connect_timeout = min(each.socket_connect_timeout or TIMEOUT_S, TIMEOUT_S)
            each.socket_read_timeout = min(each.socket_read_timeout or TIMEOUT_S, TIMEOUT_S)
        accepted = bool(channel.notify(title=notice.title, body=notice.body))
    except Exception as exc:  # noqa: BLE001 - of any channel; its words may hold the address, which may hold a password
        return Attempt(notice_id=notice.notice_id, accepted=False, outcome=f"failed: {type(exc).__name__}")
    return Attempt(
        notice_id=notice.notice_id, accepted=accepted, outcome="accepted by channel" if accepted else "refused"
    )


def _with_key(url: str, key: str) -> str:
    """Put the notice's key into a webhook's header, so that the receiver can know a repeat."""
    if not url.startswith(("json://", "jsons://")):
        return url
    return f"{url}{'&' if '?' in url else '?'}+Idempotency-Key={key}"

"""Sends notices: claims a lease, hands each to its channel by apprise, records the outcome. At least once.

A crash between sending and recording leaves the lease to run out: the notice is sent again under its same key. A
channel that refuses is tried again with growing waits, then every minute, for as long as the episode is open; only
the notice of a closed one is given up, loudly. The escalation's deadlines go on whatever happens here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import apprise
import structlog

from alerting.desk import Desk

CLAIM_MAX = 32
ATTEMPTS_MAX = 8
LEASE_S = 30
RETRY_S = (2, 5, 10, 20, 40, 60, 60)
"""Machine seconds: networks do not run on clinical time."""

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
    """Send what is due; gives how many notices were handed to a channel that took them."""
    with desk.connection.transaction():
        claimed = desk.all(
            "claim_notices",
            now=desk.now,
            lease_until=desk.now + timedelta(seconds=LEASE_S * speed),
            limit=CLAIM_MAX,
        )
    taken = 0
    for notice, attempt in zip(claimed, pool.map(_send, claimed), strict=True):
        now = clock()
        taken += attempt.accepted
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
    return taken


def _send(notice: Any) -> Attempt:
    channel = apprise.Apprise()
    if not channel.add(_with_key(notice.channel_url, notice.key)):
        return Attempt(notice_id=notice.notice_id, accepted=False, outcome="channel address not understood")
    accepted = bool(channel.notify(title=notice.title, body=notice.body))
    return Attempt(
        notice_id=notice.notice_id, accepted=accepted, outcome="accepted by channel" if accepted else "refused"
    )


def _with_key(url: str, key: str) -> str:
    """Put the notice's key into a webhook's header, so that the receiver can know a repeat."""
    if not url.startswith(("json://", "jsons://")):
        return url
    return f"{url}{'&' if '?' in url else '?'}+Idempotency-Key={key}"

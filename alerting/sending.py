"""Hands one message to one channel by apprise, in bounded time."""

from dataclasses import dataclass
from urllib.parse import quote

import apprise

from alerting import sms
from alerting.outcomes import Outcome

TIMEOUT_S = 4.0
"""How long a channel may take to be connected with, and again between two parts of its answer."""

SERVICE_S = 15.0
"""How long a channel may take for all of it, however many parts that has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Whether a channel took a message, and in which words it is told; `for_good`: it will never take it."""

    accepted: bool
    outcome: str
    for_good: bool = False


def warm_up_channels() -> None:
    """Load the channels' code: it takes most of a second."""
    sms.register()
    apprise.Apprise().add("json://localhost")


def hand_over(channel_url: str, *, title: str, body: str, key: str) -> Taken:
    """Hand a message to a channel (an apprise address); what goes wrong in the channel's code is an outcome, too."""
    sms.register()
    try:
        channel = apprise.Apprise(asset=apprise.AppriseAsset(service_timeout=SERVICE_S))
        if not channel.add(_with_key(channel_url, key)):
            return Taken(accepted=False, outcome=Outcome.NOT_UNDERSTOOD.value)
        for each in channel:
            each.socket_connect_timeout = min(each.socket_connect_timeout or TIMEOUT_S, TIMEOUT_S)
            each.socket_read_timeout = min(each.socket_read_timeout or TIMEOUT_S, TIMEOUT_S)
        accepted = bool(channel.notify(title=title, body=body))
    except Exception as exc:  # noqa: BLE001 - of any channel; its words may hold the address, which may hold a password
        return Taken(accepted=False, outcome=f"{Outcome.FAILED}: {type(exc).__name__}")
    if accepted:
        return Taken(accepted=True, outcome=Outcome.ACCEPTED.value)
    said = [each for each in channel if isinstance(each, sms.ShortMessage) and each.outcome]
    return Taken(
        accepted=False,
        outcome=said[0].outcome if said else Outcome.REFUSED.value,
        for_good=any(each.for_good for each in said),
    )


KEYS = {
    "json": "+Idempotency-Key",
    "jsons": "+Idempotency-Key",
    "sms": "key",
    "smss": "key",
}
"""By which part of its address a kind of channel is given a message's key."""


def _with_key(url: str, key: str) -> str:
    """Put a message's key into a webhook's header, so that the receiver can know a repeat."""
    name = KEYS.get(url.partition("://")[0])
    if name is None:
        return url
    return f"{url}{'&' if '?' in url else '?'}{name}={quote(key, safe=':.')}"

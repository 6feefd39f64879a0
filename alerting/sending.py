"""Hands one message to one channel by apprise, in bounded time."""

from dataclasses import dataclass

import apprise

TIMEOUT_S = 4.0
"""How long a channel may take to be connected with, and again between two parts of its answer."""

SERVICE_S = 15.0
"""How long a channel may take for all of it, however many parts that has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Whether a channel took a message, and in which words it is told."""

    accepted: bool
    outcome: str


def warm_up_channels() -> None:
    """Load the channels' code: it takes most of a second."""
    apprise.Apprise().add("json://localhost")


def hand_over(channel_url: str, *, title: str, body: str, key: str) -> Taken:
    """Hand a message to a channel (an apprise address); what goes wrong in the channel's code is an outcome, too."""
    try:
        channel = apprise.Apprise(asset=apprise.AppriseAsset(service_timeout=SERVICE_S))
        if not channel.add(_with_key(channel_url, key)):
            return Taken(accepted=False, outcome="channel address not understood")
        for each in channel:
            each.socket_connect_timeout = min(each.socket_connect_timeout or TIMEOUT_S, TIMEOUT_S)
            each.socket_read_timeout = min(each.socket_read_timeout or TIMEOUT_S, TIMEOUT_S)
        accepted = bool(channel.notify(title=title, body=body))
    except Exception as exc:  # noqa: BLE001 - of any channel; its words may hold the address, which may hold a password
        return Taken(accepted=False, outcome=f"failed: {type(exc).__name__}")
    return Taken(accepted=accepted, outcome="accepted by channel" if accepted else "refused")


def _with_key(url: str, key: str) -> str:
    """Put a message's key into a webhook's header, so that the receiver can know a repeat."""
    if not url.startswith(("json://", "jsons://")):
        return url
    return f"{url}{'&' if '?' in url else '?'}+Idempotency-Key={key}"

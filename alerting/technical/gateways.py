"""What is wrong with a gateway: its silence, its Bluetooth, its clock, what waits in it. One alarm each.

A gateway that is silent is not judged by what it said last: its adapter, clock and outbox are unknown then. A trouble
with Bluetooth is told for two minutes after its end, so it counts only while the adapter's own state bears it out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerting.profile.technical import RULES, Family, Technical
from alerting.technical.finding import Finding, Standing, Subject, of_device, of_gateway
from alerting.technical.gateway_word import GatewayWord, Trouble

BEAT_S = 60.0
"""How often a gateway speaks that does not say it."""

_MACHINE = frozenset({"bus_gone", "bluetoothd_gone", "adapter_missing", "adapter_off", "scan_refused"})
_SILENT = frozenset({"silent_air"})
_OTHER = frozenset({"stale_though_heard"})
TROUBLES = _MACHINE | _SILENT | _OTHER
"""Causes (docs/wire-format.md) that keep devices from being heard. In a lonely house a silent air may be devices that
are switched off: that is their own silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Whether the centre hears gateways at all: deaf since when (None: it hears), and when it last heard again."""

    deaf_since: datetime | None = None
    heard_again_at: datetime | None = None

    def explains(self, word: GatewayWord, limits: Technical) -> bool:
        """Say whether this gateway's silence is the centre's: it was heard until about then."""
        return self.deaf_since is not None and word.alive_at > self.deaf_since - patience(word, limits)


def judge(
    word: GatewayWord, limits: Technical, hearing: Hearing, *, now: datetime, ahead: Iterable[str] = ()
) -> Iterator[Finding]:
    """Judge one gateway; `ahead` are devices whose readings it dates ahead of their receipt."""
    subject = of_gateway(word.gateway_id, word.organisation_id)
    silence = _silence(word, subject, limits, hearing, now=now)
    yield silence
    knows = silence.standing is Standing.WELL and word.online and word.heartbeat_at is not None
    for family, found in (
        (Family.ADAPTER, _adapter(word, limits, now)),
        (Family.CLOCK, _clock(word, limits, ahead)),
        (Family.BACKLOG, _backlog(word, limits, now)),
    ):
        if knows and found is not None:
            yield _fault(subject, family, *found)
        else:
            pending = family is Family.ADAPTER and bool(troubles_now(word))
            well = knows and not pending
            yield Finding(subject=subject, family=family, standing=Standing.WELL if well else Standing.UNKNOWN)


def down_since(word: GatewayWord, limits: Technical, *, now: datetime) -> datetime | None:
    """Say since when nothing can come from this gateway, where that is known: gone by its last will, or silent."""
    if not word.online or now - word.spoke_at >= patience(word, limits):
        recent = word.readings_at is not None and now - word.readings_at < patience(word, limits)
        return None if recent and word.online else word.alive_at
    return None


def deaf_since(word: GatewayWord) -> datetime | None:
    """Say since when no adapter of this gateway hears anybody, by its newest word."""
    found = [trouble for trouble in troubles_now(word) if trouble.cause not in _OTHER]
    whole = any(trouble.adapter is None for trouble in found)
    deaf = {trouble.adapter for trouble in found}
    if not found or not (whole or {adapter.name for adapter in word.adapters} <= deaf):
        return None
    return min(trouble.since for trouble in found)


def troubles_now(word: GatewayWord) -> list[Trouble]:
    """Give the troubles that the adapters' own states bear out; a silence began when somebody was last heard."""
    adapters = {adapter.name: adapter for adapter in word.adapters}
    found = []
    for trouble in word.troubles:
        concerned = [adapters[trouble.adapter]] if trouble.adapter in adapters else list(adapters.values())
        if trouble.cause in _MACHINE and not (concerned and all(adapter.scans for adapter in concerned)):
            found.append(trouble)
        elif trouble.cause in _SILENT:
            heard_at = max((adapter.heard_at for adapter in concerned if adapter.heard_at), default=None)
            if heard_at is None or heard_at <= trouble.since:
                found.append(replace(trouble, since=heard_at or trouble.since))
        elif trouble.cause in _OTHER:
            found.append(trouble)
    return found


def clocks_of_devices(rows: Iterable[tuple[str, int]]) -> Iterator[Finding]:
    """Judge devices that are dated ahead and that no gateway of ours reads: a phone's clock."""
    for device, organisation_id in rows:
        subject = of_device(device, organisation_id)
        yield Finding(
            subject=subject,
            family=Family.CLOCK,
            standing=Standing.FAULT,
            rule=RULES[Family.CLOCK],
            evidence={"why": "dated_ahead", "devices": [device]},
        )


def _silence(word: GatewayWord, subject: Subject, limits: Technical, hearing: Hearing, *, now: datetime) -> Finding:
    settle = timedelta(seconds=limits.gateway.offline_s)
    due = word.spoke_at + patience(word, limits)
    if not word.online:
        due = min(due, word.said_at + settle)
    if hearing.heard_again_at is not None:
        due = max(due, hearing.heard_again_at + settle)
    if now < due or hearing.explains(word, limits):
        fresh = word.online and now - word.spoke_at < patience(word, limits)
        return Finding(subject=subject, family=Family.GATEWAY, standing=Standing.WELL if fresh else Standing.UNKNOWN)
    evidence = {
        "why": "no_heartbeat" if word.online else "last_will",
        "last_heard_at": word.alive_at.isoformat(),
    }
    return _fault(subject, Family.GATEWAY, word.spoke_at, evidence)


def patience(word: GatewayWord, limits: Technical) -> timedelta:
    """Say how long this gateway may say nothing."""
    said_s = max(word.heartbeat_s or BEAT_S, 0.0)
    longer_s = min(limits.gateway.beats * said_s, limits.gateway.silent_s_max)
    return timedelta(seconds=max(limits.gateway.silent_s, longer_s))


def late_since(word: GatewayWord, limits: Technical, hearing: Hearing, *, now: datetime) -> datetime | None:
    """Say since when a gateway is missed that may become silent: half of its patience is over, or its last will stands.

    None also where the centre explains it.
    """
    again = hearing.heard_again_at
    just_back = again is not None and now < again + timedelta(seconds=limits.gateway.offline_s)
    fresh = word.online and now - word.spoke_at < patience(word, limits) / 2
    return None if fresh or just_back or hearing.explains(word, limits) else word.spoke_at


def _adapter(word: GatewayWord, limits: Technical, now: datetime) -> tuple[datetime, Mapping[str, object]] | None:
    found = troubles_now(word)
    since = min((trouble.since for trouble in found), default=now)
    if now - since < timedelta(seconds=limits.adapter.trouble_s):
        return None
    named = sorted({f"{trouble.cause} {trouble.adapter or ''}".strip() for trouble in found})
    return since, {"why": "bluetooth", "troubles": named}


def _clock(word: GatewayWord, limits: Technical, ahead: Iterable[str]) -> tuple[datetime, Mapping[str, object]] | None:
    if word.heartbeat_at is None:
        return None
    skew_s = (word.sent_at - word.heartbeat_at).total_seconds() if word.sent_at else 0.0
    devices = sorted(ahead)
    wrong = {
        "clock_ahead": skew_s > limits.clock.ahead_s,
        "clock_behind": -skew_s > limits.clock.behind_s,
        "not_synchronised": word.synchronised is False,
        "dated_ahead": bool(devices),
    }
    why = next((reason for reason, holds in wrong.items() if holds), None)
    if why is None:
        return None
    return word.heartbeat_at, {"why": why, "skew_s": round(skew_s, 1), "devices": devices}


def _backlog(word: GatewayWord, limits: Technical, now: datetime) -> tuple[datetime, Mapping[str, object]] | None:
    """Judge the oldest reading that waited at the last heartbeat; it is taken to wait still."""
    if word.oldest_at is None or now - word.oldest_at < timedelta(seconds=limits.backlog.older_s):
        return None
    return word.oldest_at, {"why": "backlog", "oldest_at": word.oldest_at.isoformat()}


def _fault(subject: Subject, family: Family, since: datetime, evidence: Mapping[str, object]) -> Finding:
    return Finding(
        subject=subject, family=family, standing=Standing.FAULT, rule=RULES[family], since=since, evidence=evidence
    )

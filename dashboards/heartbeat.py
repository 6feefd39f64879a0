"""A gateway's heartbeat as the screens read it (core): what is missing, or of another form, is None and no error.

The form is docs/wire-format.md's; a gateway may be older or newer than the centre.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ENTRIES_MOST = 64
TEXT_CHARACTERS_MOST = 200
HEARTBEAT_S = 60.0
"""How often a gateway speaks that does not say it."""
HEARTBEATS_MISSED = 2
"""So many missed make a word old."""
FRESH_S_MIN, FRESH_S_MAX = 30.0, 7200.0
"""A word is good for so long at least, since networks tarry, and at most, however rarely its gateway means to speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterWord:
    """One Bluetooth adapter; `trouble` says why it is unavailable, in its stack's words."""

    name: str
    state: str
    trouble: str
    links: int | None
    links_max: int | None
    silent_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryWord:
    """How often each rung was taken since the outbox was made, the last of them, and what is wrong now."""

    counts: Mapping[str, int]
    refused: int
    troubles: tuple[str, ...]
    last_rung: str | None
    last_because: str | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxWord:
    """What waits in the outbox."""

    depth: int | None
    hours_left: float | None
    thinned: int
    disk_full: bool
    set_aside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceWord:
    """One device that the gateway reads."""

    address: str
    name: str
    driver: str | None
    kind: str | None
    state: str | None
    connected: bool
    last_reading_age_s: float | None
    rssi: int | None
    battery_percent: float | None
    claimed_by: str | None
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourWord:
    """One health device in reach that the gateway does not read; `streams`: worn all the time, None: not known."""

    address: str
    name: str
    driver: str | None
    product: str | None
    kind: str | None
    streams: bool | None
    wellness: bool
    rssi: int | None
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """All of it; `fresh_for`: how long it may pass for news."""

    fresh_for: timedelta
    synchronised: bool | None
    clock_jumps: int
    adapters: tuple[AdapterWord, ...]
    recovery: RecoveryWord
    outbox: OutboxWord
    undecoded: int
    overrun: int
    devices: tuple[DeviceWord, ...]
    nearby: tuple[NeighbourWord, ...]
    config_refused: str | None
    config_left_out: int
    certificate_expires_at: datetime | None
    version: str | None


def read_heartbeat(document: object) -> Heartbeat:
    """Read a status document."""
    word = _Word(document)
    clock, config, recovery = word.part("clock"), word.part("config"), word.part("recovery")
    last = recovery.part("last")
    return Heartbeat(
        fresh_for=_fresh_for(word.number("heartbeat_s")),
        synchronised=clock.flag("synchronised"),
        clock_jumps=clock.whole("jumps") or 0,
        adapters=tuple(_adapter(entry) for entry in word.parts("adapters")),
        recovery=RecoveryWord(
            counts=recovery.counts(but=("refused",)),
            refused=recovery.whole("refused") or 0,
            troubles=tuple(dict.fromkeys(each.text("cause") or "?" for each in recovery.parts("troubles"))),
            last_rung=last.text("rung"),
            last_because=last.text("because"),
            last_at=last.instant("at"),
        ),
        outbox=_outbox(word.part("outbox")),
        undecoded=word.whole("undecoded") or 0,
        overrun=word.whole("overrun") or 0,
        devices=tuple(_device(entry) for entry in word.parts("devices") if entry.text("address")),
        nearby=tuple(_neighbour(entry) for entry in word.parts("nearby") if entry.text("address")),
        config_refused=config.text("refused"),
        config_left_out=config.whole("left_out") or 0,
        certificate_expires_at=word.part("certificate").instant("expires_at"),
        version=word.part("versions").text("hearthwatch"),
    )


def _fresh_for(heartbeat_s: float | None) -> timedelta:
    said_s = HEARTBEAT_S if heartbeat_s is None else heartbeat_s
    return timedelta(seconds=min(max(HEARTBEATS_MISSED * said_s, FRESH_S_MIN), FRESH_S_MAX))


def _adapter(entry: "_Word") -> AdapterWord:
    state, _, trouble = (entry.text("state") or "unavailable").partition(":")
    return AdapterWord(
        name=entry.text("name") or "?",
        state=state,
        trouble=trouble.strip(),
        links=entry.whole("links"),
        links_max=entry.whole("links_max"),
        silent_s=entry.number("last_advertisement_age_s"),
    )


def _outbox(entry: "_Word") -> OutboxWord:
    return OutboxWord(
        depth=entry.whole("depth"),
        hours_left=entry.number("hours_left"),
        thinned=entry.whole("thinned") or 0,
        disk_full=entry.flag("disk_full") or False,
        set_aside=entry.whole("set_aside") or 0,
    )


def _device(entry: "_Word") -> DeviceWord:
    return DeviceWord(
        address=entry.text("address") or "",
        name=entry.text("name") or "",
        driver=entry.text("driver"),
        kind=entry.text("kind"),
        state=entry.text("state"),
        connected=entry.flag("connected") or False,
        last_reading_age_s=entry.age_s("last_reading_age_s"),
        rssi=entry.whole("rssi"),
        battery_percent=entry.number("battery_percent"),
        claimed_by=entry.text("claimed_by"),
        model=" ".join(part for part in (entry.text("manufacturer"), entry.text("model")) if part),
    )


def _neighbour(entry: "_Word") -> NeighbourWord:
    return NeighbourWord(
        address=entry.text("address") or "",
        name=entry.text("name") or "",
        driver=entry.text("driver"),
        product=entry.text("product"),
        kind=entry.text("kind"),
        streams=entry.flag("streams"),
        wellness=entry.flag("wellness") or False,
        rssi=entry.whole("rssi"),
        age_s=entry.age_s("age_s") or 0.0,
    )


class _Word:
    """One object of the document."""

    def __init__(self, value: object) -> None:
        self._fields: Mapping[str, Any] = value if isinstance(value, dict) else {}

    def part(self, name: str) -> "_Word":
        return _Word(self._fields.get(name))

    def parts(self, name: str) -> Sequence["_Word"]:
        value = self._fields.get(name)
        entries = value[:ENTRIES_MOST] if isinstance(value, list) else []
        return [_Word(entry) for entry in entries if isinstance(entry, dict)]

    def counts(self, *, but: Collection[str]) -> Mapping[str, int]:
        counted = {name: self.whole(name) for name in list(self._fields)[:ENTRIES_MOST] if name not in but}
        return {name: count for name, count in counted.items() if count is not None}

    def text(self, name: str) -> str | None:
        value = self._fields.get(name)
        return value[:TEXT_CHARACTERS_MOST] if isinstance(value, str) else None

    def flag(self, name: str) -> bool | None:
        value = self._fields.get(name)
        return value if isinstance(value, bool) else None

    def number(self, name: str) -> float | None:
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if abs(value) < 1e15 and not math.isnan(value) else None

    def whole(self, name: str) -> int | None:
        value = self.number(name)
        return None if value is None else round(value)

    def age_s(self, name: str) -> float | None:
        """Read an age that a `timedelta` can hold; one that lies ahead counts as now."""
        value = self.number(name)
        return None if value is None else min(max(value, 0.0), timedelta(days=3650).total_seconds())

    def instant(self, name: str) -> datetime | None:
        try:
            instant = datetime.fromisoformat(self.text(name) or "")
        except ValueError:
            return None
        return instant.astimezone(UTC) if instant.tzinfo else None

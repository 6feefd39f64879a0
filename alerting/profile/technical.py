"""The limits of technical alarms (CLINICAL 6.4), as typed values, and how the table [technical] is read: strictly."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from alerting.profile.urgency import Consequence, Priority
from vitals.signals import Signal

T = TypeVar("T")
Refuse = Callable[[str], Exception]
"""Makes the error of whoever reads the profile."""

_DAY_S = 86_400
_LONGEST_S = 30 * _DAY_S


class Family(StrEnum):
    """What is wrong: one open episode of each per subject. Silence of a device is `no_data`, apart ([silence])."""

    SPOT_OVERDUE = "spot_overdue"
    BATTERY = "battery"
    GATEWAY = "gateway"
    ADAPTER = "adapter"
    CLOCK = "clock"
    BACKLOG = "backlog"
    INGEST = "ingest"
    BROKER = "broker"
    UNATTRIBUTED = "unattributed"
    UNBOUND_LOW = "unbound_low"
    UNJUDGED = "unjudged"
    ROSTER = "roster"
    STORM = "storm"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotOverdue:
    """When the next single measurement is due, and when its absence is told, in seconds; the night in local hours."""

    every_s: Mapping[Signal, int]
    low_after_s: int
    medium_after_s: int
    night_from_h: int
    night_until_h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """How empty a device's battery is when it is told, and how full when that is over, in per cent."""

    low_percent: int
    medium_percent: int
    clear_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """How long a gateway may say nothing, and how long its last will may stand.

    `beats`: one that means to speak rarely may miss so many beats; `silent_s_max` bounds what it can ask for.
    """

    silent_s: int
    beats: int
    silent_s_max: int
    offline_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterLimits:
    """How long a gateway's Bluetooth may be in trouble."""

    trouble_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLimits:
    """How far a gateway's clock may be ahead of receipt, and behind it; delay on the way looks like being behind."""

    ahead_s: int
    behind_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogLimits:
    """How old what waits in a gateway may be."""

    older_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestLimits:
    """How long ingest may say nothing; one on a fast clinical clock may miss so many words."""

    silent_s: int
    words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLimits:
    """How long ingest may be without a broker; how long one may bring nothing, and of how many gateways at least."""

    without_s: int
    nobody_s: int
    gateways_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnattributedLimits:
    """How new a reading that belongs to nobody must be to be told, and for how long there must be none for an end."""

    within_s: int
    quiet_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnboundLowLimits:
    """How new a critical value of nobody's device must be."""

    within_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnjudgedLimits:
    """How long a patient's readings may wait for being judged, as judging them fails."""

    after_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterLimits:
    """How long ahead it is told that nobody will be on a duty to which unanswered alarms are carried."""

    ahead_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StormLimits:
    """From how many technical faults of one kind on, begun within how long of each other, they have one cause.

    `share_percent`: of all that could have it. `overdue_`: of overdue measurements, many of which are due at one hour;
    `model_`: of devices of one model, which fail as they take an update. `grows_percent`: at so much of what it held
    when it last alarmed it alarms anew.
    """

    members_min: int
    share_percent: int
    within_s: int
    overdue_members_min: int
    overdue_share_percent: int
    model_within_s: int
    grows_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """How long after a person has closed a technical alarm whose cause goes on it is told again, by its priority."""

    low_s: int
    medium_s: int
    high_s: int

    def after_s(self, priority: Priority) -> int:
        """Give it for a priority."""
        return {Priority.LOW: self.low_s, Priority.MEDIUM: self.medium_s, Priority.HIGH: self.high_s}[priority]


@dataclass(frozen=True, slots=True, kw_only=True)
class Technical:
    """All of it; `consequences` is by rule id."""

    spot_overdue: SpotOverdue
    battery: Battery
    gateway: GatewayLimits
    adapter: AdapterLimits
    clock: ClockLimits
    backlog: BacklogLimits
    ingest: IngestLimits
    broker: BrokerLimits
    unattributed: UnattributedLimits
    unbound_low: UnboundLowLimits
    unjudged: UnjudgedLimits
    roster: RosterLimits
    storm: StormLimits
    again: Again
    consequences: Mapping[str, Consequence]


GRADED = {
    Family.SPOT_OVERDUE: ("TECH-SPOT-OVERDUE", "TECH-SPOT-OVERDUE-LONG"),
    Family.BATTERY: ("TECH-BATTERY", "TECH-BATTERY-CRITICAL"),
    Family.STORM: ("TECH-STORM", "TECH-STORM-MEDIUM"),
}
"""Families that are low first and medium later: their rules in that order."""

RULES = {
    Family.GATEWAY: "TECH-GATEWAY",
    Family.ADAPTER: "TECH-ADAPTER",
    Family.CLOCK: "TECH-CLOCK",
    Family.BACKLOG: "TECH-BACKLOG",
    Family.INGEST: "TECH-INGEST",
    Family.BROKER: "TECH-BROKER",
    Family.UNATTRIBUTED: "TECH-UNKNOWN-DEVICE",
    Family.UNBOUND_LOW: "TECH-UNBOUND-LOW",
    Family.UNJUDGED: "TECH-UNJUDGED",
    Family.ROSTER: "TECH-ROSTER",
}
"""Families with one rule, whose priority the profile says."""

_PLAIN: dict[Family, type] = {
    Family.BATTERY: Battery,
    Family.GATEWAY: GatewayLimits,
    Family.ADAPTER: AdapterLimits,
    Family.CLOCK: ClockLimits,
    Family.BACKLOG: BacklogLimits,
    Family.INGEST: IngestLimits,
    Family.BROKER: BrokerLimits,
    Family.UNATTRIBUTED: UnattributedLimits,
    Family.UNBOUND_LOW: UnboundLowLimits,
    Family.UNJUDGED: UnjudgedLimits,
    Family.ROSTER: RosterLimits,
    Family.STORM: StormLimits,
}
_SPOT = tuple(field.name for field in fields(SpotOverdue) if field.name != "every_s")


def parse_technical(document: Mapping[str, Any], refuse: Refuse) -> Technical:
    """Read the table [technical] of a profile. Raises what `refuse` makes of anything unknown, missing or unsourced."""
    tables = document.get("technical")
    if not isinstance(tables, dict):
        raise refuse("profile: the table [technical] is missing")
    if unknown := tables.keys() - {*Family, "again"}:
        raise refuse(f"technical: unknown table {', '.join(sorted(unknown))}")
    values = {name: _sourced(f"technical.{name}", tables.get(name), refuse) for name in (*Family, "again")}
    plain: dict[str, Any] = {
        family.value: _filled(kind, family, values[family], refuse) for family, kind in _PLAIN.items()
    }
    found = Technical(
        spot_overdue=_spot(values[Family.SPOT_OVERDUE], refuse),
        again=_filled(Again, "again", values["again"], refuse),
        consequences={c.rule: c for c in _consequences(values, refuse)},
        **plain,
    )
    _check(found, refuse)
    return found


def _sourced(where: str, table: object, refuse: Refuse) -> dict[str, Any]:
    """Give a table's values, each of which must have a source of its own."""
    if not isinstance(table, dict):
        raise refuse(f"{where}: the table is missing")
    source = table.get("source")
    values = {key: value for key, value in table.items() if key != "source"}
    if not isinstance(source, dict):
        raise refuse(f"{where}: no table [{where}.source]; every value needs one")
    if missing := values.keys() - source.keys():
        raise refuse(f"{where}: no source for {', '.join(sorted(missing))} (or the key is misspelt)")
    if stray := source.keys() - values.keys():
        raise refuse(f"{where}.source: names {', '.join(sorted(stray))}, which has no value")
    return values


def _filled(kind: type[T], name: str, values: Mapping[str, Any], refuse: Refuse) -> T:
    where = f"technical.{name}"
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := values.keys() - names - {"priority"}:
        raise refuse(f"{where}: unknown key {', '.join(sorted(unknown))}")
    return kind(**{each: _count(where, values, each, refuse) for each in names})


def _spot(values: Mapping[str, Any], refuse: Refuse) -> SpotOverdue:
    where = f"technical.{Family.SPOT_OVERDUE}"
    every: dict[Signal, int] = {}
    for key in values.keys() - set(_SPOT):
        signal = key.removesuffix("_every_s")
        if signal == key or signal not in set(Signal):
            raise refuse(f"{where}: unknown key {key}; an interval is named SIGNAL_every_s")
        every[Signal(signal)] = _count(where, values, key, refuse)
    limits = {name: _count(where, values, name, refuse) for name in _SPOT}
    return SpotOverdue(every_s=every, **limits)


def _count(where: str, values: Mapping[str, Any], key: str, refuse: Refuse) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _LONGEST_S:
        raise refuse(f"{where}: {key} = {value!r}, not a whole number from 1 to {_LONGEST_S}")
    return value


def _consequences(values: Mapping[str, Mapping[str, Any]], refuse: Refuse) -> Iterator[Consequence]:
    for family, rules in GRADED.items():
        for rule, priority in zip(rules, (Priority.LOW, Priority.MEDIUM), strict=True):
            yield _consequence(family, rule, priority)
    for family, rule in RULES.items():
        named = values[family].get("priority")
        if named not in set(Priority):
            raise refuse(f"technical.{family}: priority = {named!r}, not one of {', '.join(Priority)}")
        yield _consequence(family, rule, Priority(named))


def _consequence(family: Family, rule: str, priority: Priority) -> Consequence:
    return Consequence(rule=rule, family=family.value, priority=priority, emergency=False, tier3=False, technical=True)


def _check(found: Technical, refuse: Refuse) -> None:
    """Refuse limits that contradict each other."""
    battery, spot = found.battery, found.spot_overdue
    if not battery.medium_percent < battery.low_percent < battery.clear_percent <= 100:
        raise refuse("technical.battery: medium_percent, low_percent and clear_percent must grow, up to 100")
    if spot.low_after_s >= spot.medium_after_s:
        raise refuse("technical.spot_overdue: low_after_s must be less than medium_after_s")
    if not 0 < spot.night_until_h < spot.night_from_h < 24:
        raise refuse("technical.spot_overdue: the night must begin on one day and end on the next")
    storm = found.storm
    if not (storm.members_min > 1 and storm.overdue_members_min > 1 and storm.grows_percent > 100):
        raise refuse("technical.storm: one fault is no storm, and one grows beyond what it was: over 1, over 100 %")
    if storm.share_percent > 100 or storm.overdue_share_percent > 100:
        raise refuse("technical.storm: share_percent and overdue_share_percent are at most 100")
    if found.gateway.silent_s > found.gateway.silent_s_max:
        raise refuse("technical.gateway: silent_s is beyond silent_s_max")

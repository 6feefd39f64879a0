"""The clinical profile: every threshold, duration and timer, as typed values named by a hash."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal
from vitals.sustained import SustainedRule

if TYPE_CHECKING:
    from alerting.profile.technical import Technical  # which is built from this file's values


class Priority(StrEnum):
    """Alarm priority in the sense of IEC 60601-1-8."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Trust(StrEnum):
    """Which samples of a signal a sustained rule looks at."""

    GOOD = "good"  # measured well, by a medical device
    QUESTIONABLE = "questionable"  # they have a number, and their device or we doubt it
    WELLNESS = "wellness"  # measured well, by a wearable that is no medical device


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Channel:
    """One stream of samples that sustained rules judge on its own."""

    signal: Signal
    trust: Trust = Trust.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What a rule's raise means: which family of episodes, how urgent, whether it opens a tier-3 case.

    `special_priority` is the priority for red patients, children and pregnancy, where it differs.
    """

    rule: str
    family: str
    priority: Priority
    emergency: bool
    tier3: bool
    technical: bool = False
    special_priority: Priority | None = None

    @property
    def rank(self) -> int:
        """Order of urgency: 0 high with emergency, 1 high, 2 medium, 3 low."""
        return {Priority.HIGH: 1 - self.emergency, Priority.MEDIUM: 2, Priority.LOW: 3}[self.priority]


class Confirm(StrEnum):
    """What a first single measurement beyond a limit needs, to raise (CLINICAL 3.1)."""

    REPEAT = "repeat"  # a second one in time; its absence raises
    ONLY_REPEAT = "only_repeat"  # a second one in time; its absence is another rule's
    AT_ONCE = "at_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatRule:
    """A limit on single measurements, and what confirms that it is broken.

    `low` is true when values under `limit` (exclusive) are the dangerous ones, else those above it.
    """

    rule: str
    signal: Signal
    low: bool
    limit: int
    repeat_from_ms: int
    repeat_until_ms: int
    clear_at: int
    clear_repeats: int
    confirm: Confirm = Confirm.REPEAT

    def is_breach(self, value: int) -> bool:
        """Say whether a scaled value breaks the limit."""
        return value < self.limit if self.low else value > self.limit

    def is_well(self, value: int) -> bool:
        """Say whether a scaled value is well inside the limit, hysteresis included."""
        return value >= self.clear_at if self.low else value <= self.clear_at


@dataclass(frozen=True, slots=True, kw_only=True)
class FeverRule:
    """A temperature above `above` (exclusive) for longer than a stated time, by readings (CLINICAL 3.3)."""

    rule: str
    above: int
    longer_than_ms: int
    block_ms: int
    clear_at: int
    clear_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """When the absence of good data becomes an alarm (CLINICAL 6.4), in seconds."""

    low_after_s: int
    medium_after_s: int
    medium_after_watched_s: int
    lost_while_low_s: int
    still_present_after_false_alarm_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Escalation's deadlines for one priority (CLINICAL 6.2), in seconds; the first three count from the alarm."""

    duty_s: int
    tier3_s: int
    exhausted_s: int
    repeat_s: int
    ack_s: int
    tier3_ack_s: int
    monitor_s: int
    referred_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A whole profile. `consequences` is by rule id; a rule id may be judged both sustained and by repeat."""

    name: str
    version: int
    effective_from: date
    profile_hash: str
    body: str
    sustained: Mapping[Channel, tuple[SustainedRule, ...]]
    repeat: tuple[RepeatRule, ...]
    fever: tuple[FeverRule, ...]
    silence: Silence
    timers: Mapping[Priority, Timers]
    consequences: Mapping[str, Consequence]
    technical: "Technical"


NO_DATA = "TECH-NODATA"


def no_data_rule(priority: Priority) -> str:
    """Give the rule id of silence at a priority; both are one family."""
    return NO_DATA if priority is Priority.LOW else f"{NO_DATA}-LONG"


TIMER_NAMES = tuple(field.name for field in fields(Timers))


def described(profile: Profile) -> list[tuple[str, str, str, str, str, str]]:
    """Give each rule as a line a clinician reads: id, how it is judged, limit, persistence, priority, tier 3."""
    judged: list[tuple[str, str, str, str]] = [
        (
            r.rule,
            "sustained",
            _bound(channel.signal, r.limit.breach, low=r.low),
            f"{r.share_percent} % of samples in {r.window_ms // 1000} s, coverage {r.coverage_percent} %",
        )
        for channel, rules in profile.sustained.items()
        for r in rules
    ]
    judged += [
        (
            r.rule,
            "repeat",
            _bound(r.signal, r.limit, low=r.low),
            f"a second one {r.repeat_from_ms // 1000}-{r.repeat_until_ms // 1000} s later, or none in time",
        )
        for r in profile.repeat
    ]
    judged += [
        (
            r.rule,
            "fever",
            _bound(Signal.TEMPERATURE, r.above, low=False),
            f"longer than {r.longer_than_ms / 3_600_000:g} h, one such reading each {r.block_ms / 3_600_000:g} h",
        )
        for r in profile.fever
    ]
    lines = []
    for rule, how, limit, persistence in judged:
        consequence = profile.consequences[rule]
        urgency = f"{consequence.priority} + emergency" if consequence.emergency else consequence.priority.value
        lines.append((rule, how, limit, persistence, urgency, "yes" if consequence.tier3 else "no"))
    return lines


def _bound(signal: Signal, limit: int, *, low: bool) -> str:
    """Write an exclusive limit as people do: values are whole hundredths, so "< 88.01" is "<= 88"."""
    inclusive = limit - 1 if low else limit + 1
    if inclusive % 10 == 0:
        sign, shown = ("<=" if low else ">="), inclusive
    else:
        sign, shown = ("<" if low else ">"), limit
    return f"{signal} {sign} {unscaled(signal, shown):g} {SIGNALS[signal].unit}"

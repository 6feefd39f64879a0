"""The local alarm's rules: which devices show an oxygen low enough to wake the house, by the centre's critical rule.

A stream is judged by the oracle (`vitals.sustained`), single measurements as the centre judges them: a second one below
the limit confirms, and none within the interval does as well (CLINICAL 3.1). A stream that is lost while it is low
raises too (ARCHITECTURE section 5). Only good values count, and none of a device's memory. Silence neither ends a
condition nor forgets one that builds up. Times are clinical milliseconds that only ever go forward.

Of the standard adult profile only SPO2-CRIT is an emergency, so it alone is judged here. A fever is not: whoever
measured it holds the number in the hand.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from vitals.quality import Quality
from vitals.reading import Acquisition, Reading
from vitals.signals import Signal
from vitals.sustained import Kind, SustainedRule, SustainedState, step

DEVICES_MAX = 255


class Why(StrEnum):
    """What decided."""

    SUSTAINED = "sustained_low"
    LOST = "lost_while_low"
    REPEATED = "low_again"
    UNREPEATED = "low_without_repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotRule:
    """A limit on single measurements (exclusive); values in the signal's scale."""

    below: int
    repeat_until_ms: int
    clear_at: int
    clear_repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRules:
    """What is judged here; the defaults are the standard adult profile's (gateway/alarm/settings.py)."""

    sustained: SustainedRule
    lost_while_low_ms: int
    spot: SpotRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One device's danger: since when, the deciding value, what decided."""

    device: str
    since_ms: int
    value: int
    why: Why


class LocalAlarm:
    """All devices' conditions. Bounded: at `devices_max` the one not heard for longest goes, if it shows no danger."""

    def __init__(self, rules: LocalRules, *, devices_max: int = DEVICES_MAX) -> None:
        self.unwatched = 0
        self._rules = rules
        self._devices_max = devices_max
        self._watches: dict[str, _Watch] = {}

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The dangers that hold now, the oldest first."""
        found = (watch.condition for watch in self._watches.values())
        return tuple(sorted((c for c in found if c), key=lambda c: (c.since_ms, c.device)))

    @property
    def awaiting_repeat(self) -> tuple[str, ...]:
        """Devices whose single low measurement waits for a second one."""
        return tuple(device for device, watch in self._watches.items() if watch.spot.awaits_repeat)

    def hear(self, reading: Reading, now_ms: int) -> None:
        """Judge one reading; what is not a good SpO2 of this moment changes nothing."""
        if (
            reading.signal is not Signal.SPO2
            or reading.value is None
            or reading.quality is not Quality.GOOD
            or reading.acquisition is Acquisition.STORED
        ):
            return
        watch = self._watch(reading.device)
        if watch is None:
            self.unwatched += 1
        elif reading.acquisition is Acquisition.CONTINUOUS:
            watch.stream.hear(now_ms, reading.value)
        else:
            watch.spot.hear(now_ms, reading.value)

    def pass_time(self, now_ms: int) -> None:
        """Judge what time alone decides: a repeat that never came, a low stream that fell silent."""
        for watch in self._watches.values():
            watch.stream.pass_time(now_ms)
            watch.spot.pass_time(now_ms)

    def forget(self, device: str) -> None:
        """Watch a device no more, whatever it showed: people have taken it away."""
        self._watches.pop(device, None)

    def take_up(self, conditions: Iterable[Condition]) -> None:
        """Go on with what held before a restart: only good values end it."""
        for condition in conditions:
            watch = self._watch(condition.device)
            if watch is None:
                self.unwatched += 1
            elif condition.why in (Why.SUSTAINED, Why.LOST):
                watch.stream.take_up(condition)
            else:
                watch.spot.take_up(condition)

    def _watch(self, device: str) -> "_Watch | None":
        watch = self._watches.pop(device, None)
        if watch is None:
            if len(self._watches) >= self._devices_max:
                calm = next((name for name, other in self._watches.items() if other.is_calm), None)
                if calm is None:
                    return None
                del self._watches[calm]
            watch = _Watch(stream=_Stream(self._rules, device), spot=_Spot(self._rules.spot, device))
        self._watches[device] = watch  # the newest heard stands last
        return watch


class _Stream:
    """One device's stream under the oracle."""

    def __init__(self, rules: LocalRules, device: str) -> None:
        self.condition: Condition | None = None
        self._device = device
        self._lost_while_low_ms = rules.lost_while_low_ms
        self._state = SustainedState(rules=(rules.sustained,))
        self._building: Condition | None = None
        self._building_at_ms = 0

    @property
    def is_calm(self) -> bool:
        return self.condition is None and self._building is None

    def hear(self, now_ms: int, value: int) -> None:
        for event in step(self._state, now_ms, value):
            said = Condition(device=self._device, since_ms=event.since_ms, value=value, why=Why.SUSTAINED)
            match event.kind:
                case Kind.PENDING:
                    self._building, self._building_at_ms = said, now_ms
                case Kind.RAISE:
                    self.condition, self._building = said, None
                case Kind.DISCARD:
                    self._building = None
                case Kind.CLEAR:
                    self.condition = None
                case Kind.LATE:
                    pass

    def pass_time(self, now_ms: int) -> None:
        silent_since_ms = max(self._building_at_ms, self._state.last_ms)
        if self._building and now_ms - silent_since_ms >= self._lost_while_low_ms:
            lost = self._building
            self.take_up(
                Condition(device=lost.device, since_ms=lost.since_ms, value=lost.value, why=Why.LOST),
            )

    def take_up(self, condition: Condition) -> None:
        self.condition, self._building = condition, None
        self._state.hold(0)


class _Spot:
    """One device's single measurements, in order of time (the centre's `repeat_spells`, one at a time)."""

    def __init__(self, rule: SpotRule, device: str) -> None:
        self.condition: Condition | None = None
        self._rule = rule
        self._device = device
        self._first: Condition | None = None
        self._well = 0

    @property
    def awaits_repeat(self) -> bool:
        return self._first is not None

    @property
    def is_calm(self) -> bool:
        return self.condition is None and self._first is None

    def hear(self, now_ms: int, value: int) -> None:
        self.pass_time(now_ms)
        is_low = value < self._rule.below
        if self.condition:
            self._well = self._well + 1 if value >= self._rule.clear_at else 0
            if self._well >= self._rule.clear_repeats:
                self.condition, self._well = None, 0
        elif self._first is None:
            if is_low:
                self._first = Condition(device=self._device, since_ms=now_ms, value=value, why=Why.REPEATED)
        elif now_ms > self._first.since_ms:
            if is_low:
                self._raise(Why.REPEATED, value)
            self._first = None

    def pass_time(self, now_ms: int) -> None:
        if self._first and now_ms > self._first.since_ms + self._rule.repeat_until_ms:
            self._raise(Why.UNREPEATED, self._first.value)
            self._first = None

    def take_up(self, condition: Condition) -> None:
        self.condition, self._first, self._well = condition, None, 0

    def _raise(self, why: Why, value: int) -> None:
        assert self._first is not None
        self.condition = Condition(device=self._device, since_ms=self._first.since_ms, value=value, why=why)
        self._well = 0


@dataclass(slots=True, kw_only=True)
class _Watch:
    stream: _Stream
    spot: _Spot

    @property
    def condition(self) -> Condition | None:
        return self.stream.condition or self.spot.condition

    @property
    def is_calm(self) -> bool:
        return self.stream.is_calm and self.spot.is_calm

"""The sustained rules in plain Python: what the engine is checked against, and a gateway's local floor.

Normative text: CLINICAL section 3.1, ARCHITECTURE section 8, ADR 15. For one patient and one signal, over samples
of one kind (the good ones of a continuous device, for most rules) in event time:

- Time falls into buckets. How long they are grows with the window (`GRAINS`): a rule looks at its last `window` of
  whole buckets and the present one, so that it never sees less than its stated time. A bucket remembers how many
  samples it holds, and for each rule how many broke its limit. Of 10 s at most COUNT_MAX samples are counted.
- A rule is *met* by a sample that breaks its limit, when data has flowed for at least the window since it began (began
  anew once every bucket of its grain had run empty), at least `coverage_percent` of the window's buckets hold a
  sample, and at least `share_percent` of the samples break the limit. A sample that is fine raises nothing.
- Met while not active: RAISE. Not yet met, but the last `building_ms` of buckets each hold a sample and at least the
  share of them breaks the limit: PENDING, so that a fall that loses its signal is not forgotten; DISCARD when a sample
  that is fine brings the share down. Absence of data never discards.
- Active: no breaches are counted. `clear_ms` of whole 10 s buckets without a sample short of `clear_at`, no gap among
  them over `clear_gap_ms`, and a sample that is well: CLEAR.
- A sample older than the newest judged one is LATE: it changes nothing here, the caller judges again from what is
  stored. A sample of another kind is neither evidence nor clock.

A rule's limits may be the patient's own; its times are the same for everybody. Integers only: milliseconds since the
Unix epoch and the signal's scaled value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

BUCKET_MS = 10_000
"""The shortest bucket: what clearing is counted in, and what a continuous device must keep filling."""

COUNT_MAX = 40
"""Samples counted in 10 s: four a second, more than any pulse oximeter has to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """How finely a window is counted: buckets of this length, of which the last `slots` are kept."""

    bucket_ms: int
    slots: int

    @property
    def window_ms_max(self) -> int:
        """The longest window of whole buckets beside the present one."""
        return self.bucket_ms * (self.slots - 1)


GRAINS = (
    Grain(bucket_ms=10_000, slots=8),
    Grain(bucket_ms=20_000, slots=16),
    Grain(bucket_ms=60_000, slots=16),
)
NEVER_MS = -1_000_000_000
"""The last sample's time where there was none: every bucket has run empty since."""

AGE_MAX = max(grain.slots for grain in GRAINS)
"""Where the age of data stops growing: beyond any window."""

WELL_MAX = 255

CLEAR_MS_MAX = (WELL_MAX - 1) * BUCKET_MS


class RuleError(ValueError):
    """A sustained rule can not be judged; the message names the number and what is possible."""


class Kind(IntEnum):
    """What a rule said."""

    PENDING = 1
    DISCARD = 2
    RAISE = 3
    CLEAR = 4
    LATE = 5


class Phase(IntEnum):
    """Where a rule stands for one patient."""

    IDLE = 0
    PENDING = 1
    ACTIVE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Where a rule's danger begins, exclusive, and from where on it is over, inclusive; in the signal's scale."""

    breach: int
    clear_at: int


NEVER_LOW = Limit(breach=-32768, clear_at=-32768)
NEVER_HIGH = Limit(breach=32767, clear_at=32767)
"""The limits of a rule that does not hold for a patient: no sample breaks them, every sample is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedRule:
    """One limit held for a time. `low`: values under the limit are the dangerous ones, else those above it.

    The window is whole buckets of one of `GRAINS`, `building_ms` too (0: never pending).
    """

    rule: str
    low: bool
    limit: Limit
    window_ms: int
    share_percent: int
    coverage_percent: int
    building_ms: int
    clear_ms: int
    clear_gap_ms: int

    def __post_init__(self) -> None:
        if not 0 < self.window_ms <= GRAINS[-1].window_ms_max:
            raise RuleError(f"window of {self.window_ms} ms is not within 1 to {GRAINS[-1].window_ms_max}")
        bucket_ms = self.grain.bucket_ms
        for name, ms in (("window", self.window_ms), ("building time", self.building_ms)):
            if ms % bucket_ms:
                raise RuleError(f"{name} of {ms} ms is no multiple of {bucket_ms}, as this window is counted")
        if not 0 <= self.building_ms <= self.window_ms:
            raise RuleError(f"building time of {self.building_ms} ms is not within the window of {self.window_ms}")
        for name, ms in (("clearing time", self.clear_ms), ("gap in clearing", self.clear_gap_ms)):
            if not 0 <= ms <= CLEAR_MS_MAX or ms % BUCKET_MS:
                raise RuleError(f"{name} of {ms} ms is no multiple of {BUCKET_MS} up to {CLEAR_MS_MAX}")

    @property
    def grain_index(self) -> int:
        """Which of `GRAINS` the window is counted in: the finest that holds it."""
        return next(i for i, grain in enumerate(GRAINS) if self.window_ms <= grain.window_ms_max)

    @property
    def grain(self) -> Grain:
        """The grain the window is counted in."""
        return GRAINS[self.grain_index]

    @property
    def window_buckets(self) -> int:
        """The window in whole buckets, the present one apart."""
        return self.window_ms // self.grain.bucket_ms

    @property
    def building_buckets(self) -> int:
        """How many of the last buckets, the present one among them, make a condition that builds up."""
        return self.building_ms // self.grain.bucket_ms

    @property
    def clear_buckets(self) -> int:
        """Whole 10 s buckets without a sample short of `clear_at` that end the condition."""
        return self.clear_ms // BUCKET_MS

    @property
    def clear_gap_buckets(self) -> int:
        """Empty 10 s buckets in a row that do not begin the clearing anew."""
        return self.clear_gap_ms // BUCKET_MS

    def is_breach(self, value: int, limit: Limit) -> bool:
        """Say whether a scaled value breaks this limit."""
        return value < limit.breach if self.low else value > limit.breach

    def is_well(self, value: int, limit: Limit) -> bool:
        """Say whether a scaled value is well inside this limit, hysteresis included."""
        return value >= limit.clear_at if self.low else value <= limit.clear_at

    @property
    def never(self) -> Limit:
        """The limit of somebody for whom this rule does not hold."""
        return NEVER_LOW if self.low else NEVER_HIGH


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedEvent:
    """What was said when: `at_ms` the deciding sample, `since_ms` the window's first bucket with a breach.

    `valid` and `below` count the window's samples and those that break the limit, `buckets` those that hold any.
    """

    rule: str
    kind: Kind
    at_ms: int
    since_ms: int
    value: int
    valid: int
    below: int
    buckets: int


class SustainedState:
    """What one patient's signal has shown: how full the buckets are, and where each rule stands."""

    def __init__(self, rules: Sequence[SustainedRule], limits: Sequence[Limit] | None = None) -> None:
        self.rules = tuple(rules)
        self.limits = tuple(limits) if limits is not None else tuple(rule.limit for rule in rules)
        self.last_ms = NEVER_MS
        self.count = 0
        """Samples counted in the present 10 s; they are in no ring yet."""
        self.valid = [[0] * grain.slots for grain in GRAINS]
        self.age = [0 for _ in GRAINS]
        """Buckets since the one in which data began."""
        self.below = [[0] * rule.grain.slots for rule in self.rules]
        self.phase = [Phase.IDLE for _ in self.rules]
        self.well = [0 for _ in self.rules]
        """While active: 10 s buckets since the last with a sample that was not well."""

    def hold(self, index: int) -> None:
        """Let a rule's condition hold, as something else than its samples decided."""
        self.phase[index], self.well[index] = Phase.ACTIVE, 0
        self.below[index] = [0] * self.rules[index].grain.slots


def step(state: SustainedState, t_ms: int, value: int) -> list[SustainedEvent]:
    """Judge one sample and move the state; events in the order of the rules."""
    if t_ms < state.last_ms:
        return [
            SustainedEvent(rule="", kind=Kind.LATE, at_ms=t_ms, since_ms=t_ms, value=value, valid=0, below=0, buckets=0)
        ]
    if t_ms // BUCKET_MS != state.last_ms // BUCKET_MS:
        _turn_over(state, t_ms)
    state.last_ms = t_ms
    if state.count < COUNT_MAX:
        state.count += 1
        for index, (rule, limit) in enumerate(zip(state.rules, state.limits, strict=True)):
            slot = t_ms // rule.grain.bucket_ms % rule.grain.slots
            state.below[index][slot] += state.phase[index] is not Phase.ACTIVE and rule.is_breach(value, limit)
    judged = (_judge(state, index, value) for index in range(len(state.rules)))
    return [event for event in judged if event is not None]


def _turn_over(state: SustainedState, t_ms: int) -> None:
    """Begin a new 10 s bucket: put the last one's count where it belongs, empty what time has passed by."""
    for index, grain in enumerate(GRAINS):
        was, now = state.last_ms // grain.bucket_ms, t_ms // grain.bucket_ms
        state.valid[index][was % grain.slots] += state.count
        rings = [state.valid[index]]
        rings += [ring for ring, rule in zip(state.below, state.rules, strict=True) if rule.grain_index == index]
        for passed in range(max(was, now - grain.slots) + 1, now + 1):
            for ring in rings:
                ring[passed % grain.slots] = 0
        state.age[index] = min(AGE_MAX, state.age[index] + now - was) if now - was < grain.slots else 0
    state.count = 0
    passed = t_ms // BUCKET_MS - state.last_ms // BUCKET_MS
    for index, rule in enumerate(state.rules):
        if state.phase[index] is Phase.ACTIVE:
            whole = passed - 1 <= rule.clear_gap_buckets
            state.well[index] = min(WELL_MAX, state.well[index] + passed) if whole else 0


def _judge(state: SustainedState, index: int, value: int) -> SustainedEvent | None:
    rule = state.rules[index]
    kind = _said(state, index, value)
    if kind is None:
        return None
    state.phase[index] = {Kind.RAISE: Phase.ACTIVE, Kind.PENDING: Phase.PENDING}.get(kind, Phase.IDLE)
    state.well[index] = 0
    window = _Window(state, index, rule.window_buckets + 1)
    if kind is Kind.RAISE:
        state.hold(index)
    return SustainedEvent(
        rule=rule.rule,
        kind=kind,
        at_ms=state.last_ms,
        since_ms=window.since_ms,
        value=value,
        valid=window.valid,
        below=window.below,
        buckets=window.buckets,
    )


def _said(state: SustainedState, index: int, value: int) -> Kind | None:
    rule, limit, phase = state.rules[index], state.limits[index], state.phase[index]
    if phase is Phase.ACTIVE:
        if not rule.is_well(value, limit):
            state.well[index] = 0
        return Kind.CLEAR if state.well[index] > rule.clear_buckets else None
    recent = _Window(state, index, rule.building_buckets)
    low = rule.building_buckets > 0 and recent.below * 100 >= rule.share_percent * recent.valid
    if not rule.is_breach(value, limit):
        return Kind.DISCARD if phase is Phase.PENDING and not low else None
    window = _Window(state, index, rule.window_buckets + 1)
    if (
        state.age[rule.grain_index] > rule.window_buckets
        and window.buckets * 100 >= rule.coverage_percent * rule.window_buckets
        and window.below * 100 >= rule.share_percent * window.valid
    ):
        return Kind.RAISE
    if phase is Phase.IDLE and low and recent.buckets == rule.building_buckets:
        return Kind.PENDING
    return None


class _Window:
    """Counts over the last buckets, the present one among them, and where the first one with a breach began."""

    def __init__(self, state: SustainedState, index: int, width: int) -> None:
        rule = state.rules[index]
        grain, valid, below = rule.grain, state.valid[rule.grain_index], state.below[index]
        present = state.last_ms // grain.bucket_ms
        self.valid = self.below = self.buckets = 0
        self.since_ms = state.last_ms
        for bucket in range(present, present - width, -1):
            slot = bucket % grain.slots
            samples = valid[slot] + (state.count if bucket == present else 0)
            self.valid += samples
            self.below += below[slot]
            self.buckets += samples > 0
            if below[slot]:
                self.since_ms = min(self.since_ms, bucket * grain.bucket_ms)

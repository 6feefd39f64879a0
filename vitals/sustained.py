"""The sustained-low rule in plain Python: what the engine is checked against, and a gateway's local floor.

Normative text: CLINICAL section 3.1, ARCHITECTURE section 8. For one patient and one signal, over good samples of
a continuous device in event time:

- Samples fall into 10 s buckets. A bucket remembers how many samples it holds and how many were below each limit;
  it counts at most 255 samples, later ones in the same bucket are not counted.
- A rule looks at its last `window_buckets` whole buckets and the present one, so that it never sees less than its
  stated time. It is *met* when data has flowed for at least the window since it began (began anew after a gap as
  long as the window), at least `coverage_percent` of `window_buckets` buckets hold a sample, and at least
  `share_percent` of the samples are below.
- Met while not active: RAISE. Not yet met, but the last `building_buckets` buckets each hold a sample and at least
  the share of them is below: PENDING, so that a fall that loses its signal is not forgotten; DISCARD when that
  ends by good data. Absence of data never discards.
- Active: values at or above `clear_at` for `clear_ms`, with no gap over `clear_gap_ms`: CLEAR.
- A sample older than the newest judged one is LATE: it changes nothing here, the caller judges again from what is
  stored. A sample that is not good is neither evidence nor clock.

Integers only: milliseconds since the Unix epoch and the signal's scaled value.
"""

from dataclasses import dataclass, field
from enum import IntEnum

BUCKET_MS = 10_000
BUCKETS = 32
COUNT_MAX = 255


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
class SustainedRule:
    """One limit held for a time. `below` is exclusive, in the signal's scale; windows at most 31 buckets."""

    rule: str
    below: int
    window_buckets: int
    share_percent: int
    coverage_percent: int
    building_buckets: int
    clear_at: int
    clear_ms: int
    clear_gap_ms: int

    @property
    def window_ms(self) -> int:
        """The window's length in event time."""
        return self.window_buckets * BUCKET_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedEvent:
    """What was said when: `at_ms` the deciding sample, `since_ms` the first low bucket of its window."""

    rule: str
    kind: Kind
    at_ms: int
    since_ms: int
    value: int
    valid: int
    below: int
    buckets: int


@dataclass(slots=True)
class _Progress:
    began_ms: int = 0
    phase: Phase = Phase.IDLE
    clear_since_ms: int = -1


@dataclass(slots=True)
class SustainedState:
    """What one patient's signal has shown: the ring of buckets, and where each rule stands."""

    rules: tuple[SustainedRule, ...]
    last_ms: int = -1
    valid: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    below: list[list[int]] = field(default_factory=list)
    progress: list[_Progress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.below = [[0] * BUCKETS for _ in self.rules]
        self.progress = [_Progress() for _ in self.rules]


def step(state: SustainedState, t_ms: int, value: int) -> list[SustainedEvent]:
    """Judge one good sample and move the state; events in the order of the rules."""
    if t_ms < state.last_ms:
        return [
            SustainedEvent(rule="", kind=Kind.LATE, at_ms=t_ms, since_ms=t_ms, value=value, valid=0, below=0, buckets=0)
        ]
    gap_ms = t_ms - state.last_ms if state.last_ms >= 0 else None
    bucket = _advance(state, t_ms)
    slot = bucket % BUCKETS
    if state.valid[slot] < COUNT_MAX:
        state.valid[slot] += 1
        for index, rule in enumerate(state.rules):
            state.below[index][slot] += value < rule.below
    events = []
    for index, rule in enumerate(state.rules):
        if gap_ms is None or gap_ms >= rule.window_ms:
            state.progress[index].began_ms = t_ms
        event = _judge(state, index, t_ms, value, gap_ms)
        if event:
            events.append(event)
    state.last_ms = t_ms
    return events


def _advance(state: SustainedState, t_ms: int) -> int:
    bucket = t_ms // BUCKET_MS
    if state.last_ms >= 0:
        for passed in range(max(state.last_ms // BUCKET_MS, bucket - BUCKETS) + 1, bucket + 1):
            state.valid[passed % BUCKETS] = 0
            for counts in state.below:
                counts[passed % BUCKETS] = 0
    return bucket


def _judge(state: SustainedState, index: int, t_ms: int, value: int, gap_ms: int | None) -> SustainedEvent | None:
    rule, progress = state.rules[index], state.progress[index]
    if progress.phase is Phase.ACTIVE:
        return _judge_clearing(state, index, t_ms, value, gap_ms)
    window = _Window(state, index, t_ms, rule.window_buckets + 1)
    if t_ms - progress.began_ms >= rule.window_ms and window.is_met(rule):
        progress.phase, progress.clear_since_ms = Phase.ACTIVE, -1
        return window.event(rule, Kind.RAISE, t_ms, value)
    recent = _Window(state, index, t_ms, rule.building_buckets)
    building = recent.buckets == rule.building_buckets and recent.below * 100 >= rule.share_percent * recent.valid
    if building and progress.phase is Phase.IDLE:
        progress.phase = Phase.PENDING
        return window.event(rule, Kind.PENDING, t_ms, value)
    settled = recent.below * 100 < rule.share_percent * recent.valid
    if settled and progress.phase is Phase.PENDING:
        progress.phase = Phase.IDLE
        return window.event(rule, Kind.DISCARD, t_ms, value)
    return None


def _judge_clearing(
    state: SustainedState, index: int, t_ms: int, value: int, gap_ms: int | None
) -> SustainedEvent | None:
    rule, progress = state.rules[index], state.progress[index]
    if value < rule.clear_at:
        progress.clear_since_ms = -1
        return None
    if progress.clear_since_ms < 0 or gap_ms is None or gap_ms > rule.clear_gap_ms:
        progress.clear_since_ms = t_ms
    if t_ms - progress.clear_since_ms < rule.clear_ms:
        return None
    progress.phase, progress.clear_since_ms = Phase.IDLE, -1
    return _Window(state, index, t_ms, rule.window_buckets + 1).event(rule, Kind.CLEAR, t_ms, value)


class _Window:
    """Counts over the last buckets, and where the first low one began."""

    def __init__(self, state: SustainedState, index: int, t_ms: int, width: int) -> None:
        last = t_ms // BUCKET_MS
        self.valid = self.below = self.buckets = 0
        self.since_ms = t_ms
        for bucket in range(last, last - width, -1):
            slot = bucket % BUCKETS
            self.valid += state.valid[slot]
            self.below += state.below[index][slot]
            self.buckets += state.valid[slot] > 0
            if state.below[index][slot]:
                self.since_ms = min(self.since_ms, bucket * BUCKET_MS)

    def is_met(self, rule: SustainedRule) -> bool:
        """Say whether coverage and share are reached."""
        covered = self.buckets * 100 >= rule.coverage_percent * rule.window_buckets
        return covered and self.below * 100 >= rule.share_percent * self.valid

    def event(self, rule: SustainedRule, kind: Kind, t_ms: int, value: int) -> SustainedEvent:
        """Say it with its evidence."""
        return SustainedEvent(
            rule=rule.rule,
            kind=kind,
            at_ms=t_ms,
            since_ms=self.since_ms,
            value=value,
            valid=self.valid,
            below=self.below,
            buckets=self.buckets,
        )

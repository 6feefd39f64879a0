"""The sustained rules as one would write them by hand in plain Python to be fast: what the engine's ratios are against.

It says what `vitals.sustained` says. A sample inside the band of values that change nothing costs a few comparisons, a
window is summed once in ten seconds and kept up to date sample by sample, and only grains that a rule needs are kept.
"""

from collections.abc import Iterable, Sequence

from vitals.sustained import (
    BUCKET_MS,
    COUNT_MAX,
    GRAINS,
    NEVER_MS,
    WELL_MAX,
    Kind,
    Phase,
    SustainedEvent,
    SustainedRule,
)

Said = list[tuple[int, SustainedEvent]]
"""(whose row, what was said) in the order of the samples, then of the rules."""

Late = list[tuple[int, int]]
"""(whose row, Unix ms)."""

_IDLE, _PENDING, _ACTIVE = (int(phase) for phase in Phase)
_EVERYTHING, _NOTHING = 40_000, -40_000


class PlainWard:
    """The state of so many patients."""

    def __init__(self, rules: Sequence[SustainedRule], patients: int) -> None:
        self.patients = [Patient(rules) for _ in range(patients)]

    def judge(self, rows: Iterable[int], t_ms: Iterable[int], values: Iterable[int]) -> tuple[Said, Late]:
        """Judge samples in order; gives what was said, and which came late."""
        said: Said = []
        late: Late = []
        patients = self.patients
        for row, t, value in zip(rows, t_ms, values, strict=True):
            patient = patients[row]
            if patient.low <= value <= patient.high and patient.last <= t < patient.end:
                patient.last = t
                patient.count += 1
            elif t < patient.last:
                late.append((row, t))
            else:
                said += [(row, event) for event in patient.judge(t, value)]
        return said, late


class Patient:
    """One patient: the present 10 s, the rings of the grains in use, and where each rule stands."""

    __slots__ = ("count", "end", "grains", "high", "idle", "last", "low", "rules")

    def __init__(self, rules: Sequence[SustainedRule]) -> None:
        used = {rule.grain_index: Ring(rule.grain_index) for rule in rules}
        self.grains = list(used.values())
        self.rules = [Rule(rule, used[rule.grain_index]) for rule in rules]
        self.last, self.end, self.count = NEVER_MS, NEVER_MS // BUCKET_MS * BUCKET_MS + BUCKET_MS, 0
        self.low, self.high, self.idle = _EVERYTHING, _NOTHING, True

    def take(self, t: int, value: int) -> list[SustainedEvent] | None:
        """Judge a sample alone; None where it came late."""
        if t < self.last:
            return None
        if self.low <= value <= self.high and t < self.end:
            self.last = t
            self.count += 1
            return []
        return self.judge(t, value)

    def judge(self, t: int, value: int) -> list[SustainedEvent]:
        """Judge a sample that is not late and may change something."""
        if t >= self.end:
            self._turn_over(t)
            self.count = 0
        self.last = t
        counted = self.count < COUNT_MAX
        self.count += 1
        events: list[SustainedEvent] = []
        if self.idle and self.low <= value <= self.high:
            return events
        low, high = _NOTHING, _EVERYTHING
        count = self.count if counted else COUNT_MAX
        for rule in self.rules:
            broken = value < rule.breach if rule.is_low else value > rule.breach
            if broken or rule.phase:
                kind = rule.say(value, counted, count, broken)
                if kind:
                    events.append(rule.event(kind, t, value, count))
            edge = rule.edge()
            if rule.is_low:
                low = max(low, edge)
            else:
                high = min(high, edge)
        self.low, self.high = low, high
        self.idle = not any(rule.phase for rule in self.rules)
        return events

    def _turn_over(self, t: int) -> None:
        last, count = self.last, min(self.count, COUNT_MAX)
        for ring in self.grains:
            ring.turn(last, t, count)
        passed = t // BUCKET_MS - last // BUCKET_MS
        for rule in self.rules:
            rule.turn(passed)
        self.end = t - t % BUCKET_MS + BUCKET_MS


class Ring:
    """How many samples the buckets of a grain held, and since when data flows."""

    __slots__ = ("age", "counts", "ms", "passed", "slot", "slots")

    def __init__(self, grain: int) -> None:
        self.ms, self.slots = GRAINS[grain].bucket_ms, GRAINS[grain].slots
        self.counts = [0] * self.slots
        self.age = self.slot = self.passed = 0

    def turn(self, last: int, t: int, count: int) -> None:
        """Go on to the bucket of `t`."""
        was, now = last // self.ms, t // self.ms
        self.counts[was % self.slots] += count
        self.passed = passed = now - was
        self.slot = now % self.slots
        if passed == 1:
            self.counts[self.slot] = 0
            self.age += 1
        elif passed >= self.slots:
            self.counts = [0] * self.slots
            self.age = 0
        elif passed:
            for bucket in range(was + 1, now + 1):
                self.counts[bucket % self.slots] = 0
            self.age += passed


class Rule:
    """Where a rule stands for a patient, and its window's sums."""

    __slots__ = (
        "below",
        "below_sum",
        "breach",
        "buckets",
        "clear_at",
        "fresh",
        "held",
        "is_low",
        "phase",
        "recent",
        "recent_below",
        "recent_buckets",
        "ring",
        "rule",
        "valid",
        "well",
        "window",
    )

    def __init__(self, rule: SustainedRule, ring: Ring) -> None:
        self.rule, self.ring = rule, ring
        self.is_low, self.breach, self.clear_at = rule.low, rule.limit.breach, rule.limit.clear_at
        self.window = rule.window_buckets
        self.below = [0] * ring.slots
        self.held = self.fresh = False
        self.phase = _IDLE
        self.well = self.below_sum = self.valid = self.buckets = 0
        self.recent = self.recent_below = self.recent_buckets = 0

    def say(self, value: int, counted: bool, count: int, broken: bool) -> Kind | None:
        """Hold a sample against the rule."""
        rule = self.rule
        if self.phase == _ACTIVE:
            if value < self.clear_at if self.is_low else value > self.clear_at:
                self.well = 0
            elif self.well > rule.clear_buckets:
                return Kind.CLEAR
            return None
        if not self.fresh:
            self._sum()
        if broken and counted:
            self.below[self.ring.slot] += 1
            self.below_sum += 1
            self.recent_below += 1
            self.held = True
        low = self.recent_below * 100 >= rule.share_percent * (self.recent + count)
        if not broken:
            return None if low else Kind.DISCARD
        if (
            self.ring.age > self.window
            and self.buckets * 100 >= rule.coverage_percent * self.window
            and self.below_sum * 100 >= rule.share_percent * (self.valid + count)
        ):
            return Kind.RAISE
        if low and self.phase == _IDLE and rule.building_ms and self.recent_buckets == rule.building_buckets:
            return Kind.PENDING
        return None

    def event(self, kind: Kind, t: int, value: int, count: int) -> SustainedEvent:
        """Say it, with the evidence, and stand where it leads."""
        self._sum()
        slots, present, since = self.ring.slots, t // self.ring.ms, t
        for bucket in range(present - self.window, present + 1):
            if self.below[bucket % slots]:
                since = min(since, bucket * self.ring.ms)
                break
        said = SustainedEvent(
            rule=self.rule.rule,
            kind=kind,
            at_ms=t,
            since_ms=since,
            value=value,
            valid=self.valid + count,
            below=self.below_sum,
            buckets=self.buckets,
        )
        self.phase = {Kind.RAISE: _ACTIVE, Kind.PENDING: _PENDING}.get(kind, _IDLE)
        self.well = 0
        if kind is Kind.RAISE:
            self.below = [0] * slots
            self.held = self.fresh = False
        return said

    def edge(self) -> int:
        """Give where the values that change nothing end."""
        if self.phase == _IDLE:
            return self.breach
        nothing, everything = (_NOTHING, _EVERYTHING) if self.is_low else (_EVERYTHING, _NOTHING)
        if self.phase == _PENDING:
            return everything
        return self.clear_at if self.well else nothing

    def turn(self, tens_passed: int) -> None:
        """Go on to a new 10 s bucket; the ring has gone on already."""
        self.fresh = False
        if self.phase == _ACTIVE:
            whole = tens_passed - 1 <= self.rule.clear_gap_buckets
            self.well = min(WELL_MAX, self.well + tens_passed) if whole else 0
        elif self.held and self.ring.passed:
            ring = self.ring
            for back in range(min(ring.passed, ring.slots)):
                self.below[ring.slot - back] = 0
            self.held = any(self.below)

    def _sum(self) -> None:
        counts, below, slot = self.ring.counts, self.below, self.ring.slot
        # A negative index is the slot that lies so far back.
        places = range(slot - self.window, slot + 1)
        recent = range(slot - self.rule.building_buckets + 1, slot + 1)
        self.valid = sum([counts[place] for place in places])
        self.below_sum = sum([below[place] for place in places])
        self.recent = sum([counts[place] for place in recent])
        self.recent_below = sum([below[place] for place in recent])
        # The present bucket holds the sample that is judged.
        self.buckets = 1 + sum([counts[place] > 0 for place in places[:-1]])
        self.recent_buckets = 1 + sum([counts[place] > 0 for place in recent[:-1]])
        self.fresh = True

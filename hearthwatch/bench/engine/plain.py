"""The sustained rules as one would write them by hand in plain Python: what the engine's ratios are against.

It says what `vitals.sustained` says. A window is summed once in ten seconds and kept up to date sample by sample, and
only grains that a rule needs are kept. `PlainWard` holds every sample against every rule; `BandedWard` has the engine's
own shortcut as well: a sample inside the band of values that change nothing costs a few comparisons.
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
    """The state of so many patients; every sample is held against every rule."""

    def __init__(self, rules: Sequence[SustainedRule], patients: int) -> None:
        self.patients = [Patient(rules) for _ in range(patients)]

    def judge(self, rows: Iterable[int], t_ms: Iterable[int], values: Iterable[int]) -> tuple[Said, Late]:
        """Judge samples in order; gives what was said, and which came late."""
        said: Said = []
        late: Late = []
        patients = self.patients
        for row, t, value in zip(rows, t_ms, values, strict=True):
            patient = patients[row]
            if t < patient.last:
                late.append((row, t))
                continue
            patient.count_in(t)
            if events := patient.hold(t, value):
                said += [(row, event) for event in events]
        return said, late


class BandedWard(PlainWard):
    """The same; what changes nothing is only counted."""

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

    __slots__ = ("busy", "count", "end", "grains", "high", "last", "low", "rules")

    def __init__(self, rules: Sequence[SustainedRule]) -> None:
        used = {rule.grain_index: Ring(rule.grain_index) for rule in rules}
        self.grains = list(used.values())
        self.rules = [Rule(rule, used[rule.grain_index]) for rule in rules]
        self.last, self.end, self.count = NEVER_MS, NEVER_MS // BUCKET_MS * BUCKET_MS + BUCKET_MS, 0
        self.busy = False
        self._find_band()

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
        self.count_in(t)
        return [] if not self.busy and self.low <= value <= self.high else self.hold(t, value)

    def count_in(self, t: int) -> None:
        """Count a sample that is not late."""
        if t >= self.end:
            self._turn_over(t)
        self.last = t
        self.count += 1

    def hold(self, t: int, value: int) -> list[SustainedEvent]:
        """Hold a counted sample against every rule."""
        events: list[SustainedEvent] = []
        end = self.end
        counted = self.count <= COUNT_MAX
        count = self.count if counted else COUNT_MAX
        active = False
        for rule in self.rules:
            if value < rule.breach if rule.is_low else value > rule.breach:
                kind = rule.say_of_breach(counted, count, end)
            elif rule.phase:
                kind = rule.say_of_other(value, count, end)
            else:
                continue
            if kind:
                events.append(rule.event(kind, t, value, count, end))
            elif rule.phase == _ACTIVE:
                active = True
        self.busy = True
        if active or events:
            self._find_band()
        return events

    def _turn_over(self, t: int) -> None:
        count = min(self.count, COUNT_MAX)
        for ring in self.grains:
            now = t // ring.ms
            ring.counts[ring.slot] += count
            ring.passed = passed = now - ring.bucket
            if passed:
                ring.bucket, ring.slot = now, now % ring.slots
                if passed == 1:
                    ring.counts[ring.slot] = 0
                    ring.age += 1
                else:
                    ring.leap()
        if self.busy:
            passed = t // BUCKET_MS - self.last // BUCKET_MS
            for rule in self.rules:
                rule.turn(passed)
            self.busy = any(rule.held or rule.phase for rule in self.rules)
        self.end = t - t % BUCKET_MS + BUCKET_MS
        self.count = 0

    def _find_band(self) -> None:
        low, high = _NOTHING, _EVERYTHING
        for rule in self.rules:
            edge = rule.edge()
            if rule.is_low:
                low = max(low, edge)
            else:
                high = min(high, edge)
        self.low, self.high = low, high


class Ring:
    """How many samples the buckets of a grain held, and since when data flows."""

    __slots__ = ("age", "bucket", "counts", "ms", "passed", "slot", "slots")

    def __init__(self, grain: int) -> None:
        self.ms, self.slots = GRAINS[grain].bucket_ms, GRAINS[grain].slots
        self.counts = [0] * self.slots
        self.age = self.passed = 0
        self.bucket = NEVER_MS // self.ms
        self.slot = self.bucket % self.slots

    def leap(self) -> None:
        """Empty what was passed by; the present bucket is the new one already."""
        if self.passed >= self.slots:
            self.counts = [0] * self.slots
            self.age = 0
            return
        for back in range(self.passed):
            self.counts[self.slot - back] = 0
        self.age += self.passed


class Rule:
    """Where a rule stands for a patient, and its window's sums."""

    __slots__ = (
        "below",
        "below_sum",
        "breach",
        "buckets",
        "building",
        "builds",
        "clear_at",
        "covered",
        "held",
        "is_low",
        "phase",
        "recent",
        "recent_below",
        "ring",
        "rule",
        "share",
        "summed",
        "valid",
        "well",
        "window",
    )

    def __init__(self, rule: SustainedRule, ring: Ring) -> None:
        self.rule, self.ring = rule, ring
        self.is_low, self.breach, self.clear_at = rule.low, rule.limit.breach, rule.limit.clear_at
        self.window, self.building, self.share = rule.window_buckets, rule.building_buckets, rule.share_percent
        self.below = [0] * ring.slots
        self.held, self.phase = False, _IDLE
        self.summed = NEVER_MS
        self.well = self.below_sum = self.valid = self.buckets = 0
        self.recent = self.recent_below = 0
        self.covered = self.builds = False

    def say_of_breach(self, counted: bool, count: int, end: int) -> Kind | None:
        """Hold a sample that breaks the limit against the rule."""
        if self.phase == _ACTIVE:
            self.well = 0
            return None
        if self.summed != end:
            self._sum(end)
        if counted:
            self.below[self.ring.slot] += 1
            self.below_sum += 1
            self.recent_below += 1
            self.held = True
        if self.covered and self.below_sum * 100 >= self.share * (self.valid + count):
            return Kind.RAISE
        if self.builds and self.phase == _IDLE and self.recent_below * 100 >= self.share * (self.recent + count):
            return Kind.PENDING
        return None

    def say_of_other(self, value: int, count: int, end: int) -> Kind | None:
        """Hold a sample that does not break the limit against a rule that is not idle."""
        if self.phase == _ACTIVE:
            if value < self.clear_at if self.is_low else value > self.clear_at:
                self.well = 0
            elif self.well > self.rule.clear_buckets:
                return Kind.CLEAR
            return None
        if self.summed != end:
            self._sum(end)
        return None if self.recent_below * 100 >= self.share * (self.recent + count) else Kind.DISCARD

    def event(self, kind: Kind, t: int, value: int, count: int, end: int) -> SustainedEvent:
        """Say it, with the evidence, and stand where it leads."""
        self._sum(end)
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
            self.held = False
            self.summed = NEVER_MS
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
        if self.phase == _ACTIVE:
            whole = tens_passed - 1 <= self.rule.clear_gap_buckets
            self.well = min(WELL_MAX, self.well + tens_passed) if whole else 0
        elif self.held and self.ring.passed:
            ring = self.ring
            for back in range(min(ring.passed, ring.slots)):
                self.below[ring.slot - back] = 0
            self.held = any(self.below)

    def _sum(self, end: int) -> None:
        counts, below, slot = self.ring.counts, self.below, self.ring.slot
        # A negative index is the slot that lies so far back.
        places = range(slot - self.window, slot + 1)
        recent = range(slot - self.building + 1, slot + 1)
        self.valid = sum([counts[place] for place in places])
        self.below_sum = sum([below[place] for place in places])
        self.recent = sum([counts[place] for place in recent])
        self.recent_below = sum([below[place] for place in recent])
        # The present bucket holds the sample that is judged.
        self.buckets = 1 + sum([counts[place] > 0 for place in places[:-1]])
        self.covered = self.ring.age > self.window and self.buckets * 100 >= self.rule.coverage_percent * self.window
        self.builds = self.building > 0 and all(counts[place] for place in recent[:-1])
        self.summed = end

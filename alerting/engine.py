"""The streaming engine: the sustained rules of `vitals.sustained`, for all patients of one partition at once.

State is struct-of-arrays, one row a patient (row = patient_id // 32: ids are dense and a partition holds one
residue). `step` takes a batch in any size and gives exactly what the plain-Python oracle gives sample by sample.
No clock, no IO, integers only.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.feed import PARTITION_COUNT
from vitals.sustained import BUCKET_MS, BUCKETS, COUNT_MAX, Kind, Phase, SustainedEvent, SustainedRule

LAYOUT = "sustained-1"

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientEvent:
    """What a rule said about whom."""

    patient_id: int
    event: SustainedEvent


class EngineState:
    """The arrays of one partition. Shapes: (patients,), (patients, 32) or (rules, patients[, 32])."""

    def __init__(self, rules: Sequence[SustainedRule], partition: int) -> None:
        self.rules = tuple(rules)
        self.partition = partition
        self._allocate(0)

    def _allocate(self, patients: int) -> None:
        count = len(self.rules)
        self.last_ms = np.full(patients, -1, np.int64)
        self.valid = np.zeros((patients, BUCKETS), np.uint8)
        self.below = np.zeros((count, patients, BUCKETS), np.uint8)
        self.began_ms = np.zeros((count, patients), np.int64)
        self.phase = np.zeros((count, patients), np.uint8)
        self.clear_since_ms = np.full((count, patients), -1, np.int64)

    ARRAYS = ("last_ms", "valid", "below", "began_ms", "phase", "clear_since_ms")
    _BY_RULE = frozenset({"below", "began_ms", "phase", "clear_since_ms"})

    def grow(self, patients: int) -> None:
        """Make room for at least this many rows."""
        held = len(self.last_ms)
        if patients <= held:
            return
        old = {name: getattr(self, name) for name in self.ARRAYS}
        self._allocate(max(patients, 2 * held, 64))
        for name, array in old.items():
            new = getattr(self, name)
            if name in self._BY_RULE:
                new[:, :held] = array
            else:
                new[:held] = array

    def forget(self, patient_id: int) -> None:
        """Set one patient's row back to the beginning."""
        self.grow(patient_id // PARTITION_COUNT + 1)
        fresh = EngineState(self.rules, self.partition)
        fresh.grow(1)
        self._copy_row(fresh, 0, patient_id // PARTITION_COUNT)

    def replace(self, patient_id: int, judged: "EngineState") -> None:
        """Take over one patient's row from another state of the same partition and rules."""
        self.grow(patient_id // PARTITION_COUNT + 1)
        self._copy_row(judged, patient_id // PARTITION_COUNT, patient_id // PARTITION_COUNT)

    def _copy_row(self, source: "EngineState", from_row: int, to_row: int) -> None:
        for name in self.ARRAYS:
            mine, theirs = getattr(self, name), getattr(source, name)
            if name in self._BY_RULE:
                mine[:, to_row] = theirs[:, from_row]
            else:
                mine[to_row] = theirs[from_row]

    def dump(self) -> bytes:
        """Write the arrays (NumPy's npz, no pickle)."""
        buffer = io.BytesIO()
        np.savez(buffer, **{name: getattr(self, name) for name in self.ARRAYS})
        return buffer.getvalue()

    def load(self, payload: bytes) -> None:
        """Read what `dump` wrote under the same layout and rules."""
        with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
            for name in self.ARRAYS:
                setattr(self, name, arrays[name].copy())


def rules_hash(rules: Sequence[SustainedRule]) -> str:
    """Name a set of rules; a snapshot taken under another one is not used."""
    return hashlib.sha256(repr(tuple(rules)).encode()).hexdigest()


def step(
    state: EngineState, patient_ids: npt.NDArray[np.int32], t_ms: Ints, values: Ints
) -> tuple[list[PatientEvent], Flags]:
    """Judge good samples (any order between patients; sorted by time within one) and say which came late.

    All three arrays have shape (n,); ids belong to the state's partition. Returns events in the order of rounds
    (the k-th sample of every patient together) and a mask of shape (n,): True where a sample was older than the
    patient's newest judged one and changed nothing.
    """
    late = np.zeros(len(t_ms), np.bool_)
    if not len(t_ms):
        return [], late
    rows = patient_ids.astype(np.int64) // PARTITION_COUNT
    state.grow(int(rows.max()) + 1)
    order = np.lexsort((t_ms, rows))
    sorted_rows = rows[order]
    starts = np.flatnonzero(np.r_[True, sorted_rows[1:] != sorted_rows[:-1]])
    nth = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    by_round = order[np.argsort(nth, kind="stable")]
    events: list[PatientEvent] = []
    for chosen in np.split(by_round, np.cumsum(np.bincount(nth))[:-1]):
        is_late = t_ms[chosen] < state.last_ms[rows[chosen]]
        late[chosen[is_late]] = True
        now = chosen[~is_late]
        if len(now):
            events += _round(state, rows[now], t_ms[now], values[now].astype(np.int64))
    return events, late


def _round(state: EngineState, rows: Ints, t_ms: Ints, values: Ints) -> list[PatientEvent]:
    """Judge one sample of each of these patients."""
    last = state.last_ms[rows]
    first = last < 0
    gap = t_ms - last
    bucket = t_ms // BUCKET_MS
    age = (bucket[:, None] - np.arange(BUCKETS)[None, :]) % BUCKETS
    entered = np.where(first, 0, np.minimum(bucket - last // BUCKET_MS, BUCKETS))
    keep = age >= entered[:, None]
    valid = state.valid[rows] * keep
    slot = bucket % BUCKETS
    each = np.arange(len(rows))
    counts = valid[each, slot] < COUNT_MAX
    valid[each, slot] += counts
    state.valid[rows] = valid
    state.last_ms[rows] = t_ms
    events: list[PatientEvent] = []
    for index, rule in enumerate(state.rules):
        below = state.below[index, rows] * keep
        below[each, slot] += counts & (values < rule.below)
        state.below[index, rows] = below
        began = np.where(first | (gap >= rule.window_ms), t_ms, state.began_ms[index, rows])
        state.began_ms[index, rows] = began
        events += _judge(state, index, _Sample(rows, t_ms, values, gap, first, age, valid, below, began))
    return events


@dataclass(frozen=True, slots=True)
class _Sample:
    rows: Ints
    t_ms: Ints
    values: Ints
    gap_ms: Ints
    first: Flags
    age: Ints
    valid: npt.NDArray[np.uint8]
    below: npt.NDArray[np.uint8]
    began_ms: Ints

    def window(self, width: int) -> tuple[Ints, Ints, Ints]:
        """Count valid samples, samples below, and buckets that hold one, over the last `width` buckets."""
        inside = self.age < width
        valid = np.where(inside, self.valid, 0)
        return (
            valid.sum(1, dtype=np.int64),
            np.where(inside, self.below, 0).sum(1, dtype=np.int64),
            (valid > 0).sum(1, dtype=np.int64),
        )

    def since_ms(self, width: int) -> Ints:
        """Give the start of the first low bucket of the window, the sample's own time where there is none."""
        oldest = np.where((self.age < width) & (self.below > 0), self.age, -1).max(1)
        start = (self.t_ms // BUCKET_MS - oldest) * BUCKET_MS
        return np.where(oldest < 0, self.t_ms, np.minimum(start, self.t_ms))


def _judge(state: EngineState, index: int, now: _Sample) -> list[PatientEvent]:
    rule = state.rules[index]
    phase = state.phase[index, now.rows]
    active = phase == Phase.ACTIVE
    valid, below, buckets = now.window(rule.window_buckets + 1)
    met = (
        ~active
        & (now.t_ms - now.began_ms >= rule.window_ms)
        & (buckets * 100 >= rule.coverage_percent * rule.window_buckets)
        & (below * 100 >= rule.share_percent * valid)
    )
    recent_valid, recent_below, recent_buckets = now.window(rule.building_buckets)
    low = recent_below * 100 >= rule.share_percent * recent_valid
    begins = ~active & ~met & (phase == Phase.IDLE) & low & (recent_buckets == rule.building_buckets)
    ends = ~active & ~met & (phase == Phase.PENDING) & ~low
    cleared = _clearing(state, index, now, active)
    if not (met | begins | ends | cleared).any():
        return []
    said = np.select(
        [met, begins, ends, cleared], [int(Kind.RAISE), int(Kind.PENDING), int(Kind.DISCARD), int(Kind.CLEAR)], 0
    )
    state.phase[index, now.rows] = np.select(
        [met, begins, ends | cleared],
        [np.uint8(Phase.ACTIVE), np.uint8(Phase.PENDING), np.uint8(Phase.IDLE)],
        phase,
    )
    since = now.since_ms(rule.window_buckets + 1)
    return [
        PatientEvent(
            patient_id=int(now.rows[i]) * PARTITION_COUNT + state.partition,
            event=SustainedEvent(
                rule=rule.rule,
                kind=Kind(int(said[i])),
                at_ms=int(now.t_ms[i]),
                since_ms=int(since[i]),
                value=int(now.values[i]),
                valid=int(valid[i]),
                below=int(below[i]),
                buckets=int(buckets[i]),
            ),
        )
        for i in np.flatnonzero(said)
    ]


def _clearing(state: EngineState, index: int, now: _Sample, active: Flags) -> Flags:
    rule = state.rules[index]
    since = state.clear_since_ms[index, now.rows]
    well = active & (now.values >= rule.clear_at)
    anew = well & ((since < 0) | now.first | (now.gap_ms > rule.clear_gap_ms))
    since = np.where(anew, now.t_ms, since)
    cleared: Flags = well & (now.t_ms - since >= rule.clear_ms)
    state.clear_since_ms[index, now.rows] = np.where(well & ~cleared, since, -1)
    return cleared

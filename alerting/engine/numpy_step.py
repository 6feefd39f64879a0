"""The engine's step in NumPy: what is of no interest is proved so at once, the rest is judged a round at a time."""

import numpy as np
import numpy.typing as npt

from alerting.engine.layout import (
    AGE_OFFSET,
    BUSY,
    COUNT_MASK,
    EVENT_DTYPE,
    RING_BYTES,
    RING_OFFSETS,
    TIME_SHIFT,
    Events,
    Flags,
    Ints,
)
from alerting.engine.table import Table
from vitals.sustained import AGE_MAX, BUCKET_MS, COUNT_MAX, GRAINS, WELL_MAX, Kind, Phase

CHUNK = 32_768
"""Samples looked at together: their columns stay in the processor's second cache."""

Bytes = npt.NDArray[np.uint8]
_NOTHING = np.empty(0, EVENT_DTYPE)
_TENS = tuple(grain.bucket_ms // BUCKET_MS for grain in GRAINS)


def step(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    """Judge samples (shape (n,) each, in order of time for each row) and say which came late, shape (n,)."""
    late = np.zeros(len(rows), np.bool_)
    said: list[Events] = []
    for at in range(0, len(rows), CHUNK):
        here = rows[at : at + CHUNK], t_ms[at : at + CHUNK], values[at : at + CHUNK]
        for chosen in _rounds(table, here[0]):
            if chosen is None:
                events, behind = _round(table, *here)
                late[at : at + CHUNK] = behind
            else:
                events, behind = _round(table, *(column[chosen] for column in here))
                late[at + chosen[behind]] = True
                events["index"] = chosen[events["index"]]
            if len(events):
                events["index"] += at
                said.append(events)
    if not said:
        return _NOTHING.copy(), late
    together = np.concatenate(said)
    return together[np.lexsort((together["rule"], together["index"]))], late


def _rounds(table: Table, rows: Ints) -> list[Ints | None]:
    """Cut a chunk into rounds with at most one sample a row each; None: all of it is one."""
    ordinal = np.arange(len(rows), dtype=np.uint16)
    table.mark[rows] = ordinal
    if np.array_equal(table.mark.take(rows), ordinal):
        return [None]
    by_row = np.sort(rows.astype(np.int64) << 16 | ordinal)
    starts = np.flatnonzero(np.r_[True, by_row[1:] >> 16 != by_row[:-1] >> 16])
    nth = np.arange(len(by_row)) - np.repeat(starts, np.diff(np.r_[starts, len(by_row)]))
    index = np.sort(nth << 16 | (by_row & 0xFFFF)) & 0xFFFF
    return list(np.split(index, np.cumsum(np.bincount(nth))[:-1]))


def _round(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    """Judge one sample each of some rows; events say which by its place among them."""
    word, limits = table.word.take(rows), table.band.take(rows).view(np.int16)
    last = word >> TIME_SHIFT
    inside = (values >= limits[0::2]) & (values <= limits[1::2])
    same = last >= t_ms // BUCKET_MS * BUCKET_MS
    late = last > t_ms
    plain = inside & same & ~late
    counted = t_ms << TIME_SHIFT | np.minimum((word & COUNT_MASK) + 1, COUNT_MAX) | word & BUSY
    if plain.all():
        table.word[rows] = counted
        return _NOTHING.copy(), late
    table.word[rows] = np.where(plain, counted, word)
    rest = np.flatnonzero(~(plain | late))
    quiet = inside[rest] & (word[rest] & BUSY == 0)
    turning, judged = rest[quiet], rest[~quiet]
    if len(turning):
        _turn_over_quiet(table, rows[turning], t_ms[turning], word[turning])
    if not len(judged):
        return _NOTHING.copy(), late
    events = _judge(table, _Samples(rows[judged], t_ms[judged], values[judged].astype(np.int64), word[judged]))
    events["index"] = judged[events["index"]]
    return events, late


def _turn_over_quiet(table: Table, rows: Ints, t_ms: Ints, word: Ints) -> None:
    """Begin a new bucket for rows of which `tail` holds nothing: only the counts of samples move."""
    flat, base = table.ring.reshape(-1), rows * RING_BYTES
    count = (word & COUNT_MASK).astype(np.uint8)
    was_ten, now_ten = (word >> TIME_SHIFT) // BUCKET_MS, t_ms // BUCKET_MS
    for index, grain in enumerate(GRAINS):
        was, now = was_ten // _TENS[index], now_ten // _TENS[index]
        offset, mask = base + RING_OFFSETS[index], grain.slots - 1
        flat[offset + (was & mask)] += count
        passed = now - was
        if index:
            moved = np.flatnonzero(passed)
            if not len(moved):
                continue
            if len(moved) < len(passed):
                offset, now, passed = offset[moved], now[moved], passed[moved]
        flat[offset + (now & mask)] = 0
        if passed.max() > 1:
            _wipe(flat, offset, now, np.minimum(passed, grain.slots), mask)
        place = offset + (AGE_OFFSET + index - RING_OFFSETS[index])
        older = np.minimum(flat.take(place) + passed, AGE_MAX)
        flat[place] = np.where(passed < grain.slots, older, 0)
    table.word[rows] = t_ms << TIME_SHIFT | 1


def _wipe(flat: Bytes, offset: Ints, now: Ints, passed: Ints, mask: int) -> None:
    """Empty the buckets that time has passed by without a sample."""
    for back in range(1, int(passed.max())):
        longer = np.flatnonzero(passed > back)
        flat[offset[longer] + ((now[longer] - back) & mask)] = 0


class _Samples:
    """One sample each of some rows, with what is known of the row: copies, written back at the end."""

    def __init__(self, rows: Ints, t_ms: Ints, values: Ints, word: Ints) -> None:
        self.rows, self.t_ms, self.values = rows, t_ms, values
        self.last, self.count, self.busy = word >> TIME_SHIFT, word & COUNT_MASK, word & BUSY
        self.ten = t_ms // BUCKET_MS
        self.tens_passed = self.ten - self.last // BUCKET_MS


def _judge(table: Table, now: _Samples) -> Events:
    plan = table.plan
    tail = table.tail.take(now.rows, axis=0)
    turning = np.flatnonzero(now.tens_passed)
    if len(turning):
        _turn_over(table, now, turning, tail)
    counted = now.count < COUNT_MAX
    now.count += counted
    limits = table.limits.take(table.limit_set[now.rows], axis=0).astype(np.int64)
    said = []
    low, high = np.full(len(tail), -32768), np.full(len(tail), 32767)
    for rule in range(len(plan.rules)):
        breach, clear_at = limits[:, rule, 0], limits[:, rule, 1]
        is_low = plan.low[rule]
        broken = now.values < breach if is_low else now.values > breach
        well = now.values >= clear_at if is_low else now.values <= clear_at
        events = _judge_rule(table, rule, now, tail, counted, broken, well)
        if len(events):
            said.append(events)
        phase, wellness = tail[:, plan.phase_offset + rule], tail[:, plan.well_offset + rule]
        everything, nothing = (32767, -32768) if is_low else (-32768, 32767)
        stands = [phase == Phase.IDLE, phase == Phase.PENDING, wellness > 0]
        edge = np.select(stands, [breach, everything, clear_at], nothing)
        if is_low:
            low = np.maximum(low, edge)
        else:
            high = np.minimum(high, edge)
    table.tail[now.rows] = tail
    busy = tail.view(np.int64).any(1)
    table.word[now.rows] = now.t_ms << TIME_SHIFT | np.where(busy, BUSY, 0) | now.count
    table.band[now.rows] = high << 16 | low & 0xFFFF
    return np.concatenate(said) if said else _NOTHING.copy()


def _turn_over(table: Table, now: _Samples, turning: Ints, tail: Bytes) -> None:
    """Begin a new bucket where time has come to one: in `ring` at once, in the rows' copies of `tail`."""
    plan = table.plan
    rows, t_ms = now.rows[turning], now.t_ms[turning]
    word = now.last[turning] << TIME_SHIFT | now.count[turning]
    _turn_over_quiet(table, rows, t_ms, word)
    now.count[turning] = 0
    busy = turning[now.busy[turning] > 0]
    if not len(busy):
        return
    held = tail[busy]
    ten, was_ten = now.ten[busy], now.last[busy] // BUCKET_MS
    for index, grain in enumerate(GRAINS):
        of_grain = np.flatnonzero(plan.grain == index)
        passed = ten // _TENS[index] - was_ten // _TENS[index]
        if not len(of_grain) or not passed.any():
            continue
        kept = ((ten // _TENS[index])[:, None] - np.arange(grain.slots)) % grain.slots >= passed[:, None]
        for rule in of_grain.tolist():
            held[:, plan.below_offset[rule] : plan.below_offset[rule] + grain.slots] *= kept
    passed = now.tens_passed[busy]
    for rule in range(len(plan.rules)):
        well = held[:, plan.well_offset + rule]
        counts = (held[:, plan.phase_offset + rule] == Phase.ACTIVE) & (passed - 1 <= plan.clear_gap_buckets[rule])
        held[:, plan.well_offset + rule] = np.where(counts, np.minimum(well + passed, WELL_MAX), 0)
    tail[busy] = held


def _judge_rule(
    table: Table, rule: int, now: _Samples, tail: Bytes, counted: Flags, broken: Flags, well: Flags
) -> Events:
    plan = table.plan
    grain = GRAINS[plan.grain[rule]]
    phase, wellness = tail[:, plan.phase_offset + rule], tail[:, plan.well_offset + rule]
    active = phase == Phase.ACTIVE
    wellness[active & ~well] = 0
    slot = now.ten // _TENS[plan.grain[rule]] & (grain.slots - 1)
    counts = np.flatnonzero(counted & broken & ~active)
    tail[counts, plan.below_offset[rule] + slot[counts]] += 1
    age = table.ring.reshape(-1).take(now.rows * RING_BYTES + (AGE_OFFSET + plan.grain[rule]))
    pending = phase == Phase.PENDING
    begins = broken & (phase == Phase.IDLE) if plan.building[rule] else np.zeros_like(broken)
    cleared = active & (wellness > plan.clear_buckets[rule])
    look = np.flatnonzero((broken & ~active & (age > plan.window[rule])) | begins | (pending & ~broken) | cleared)
    if not len(look):
        return _NOTHING
    window = _Window(table, rule, now, tail, look, slot[look])
    idle = ~active[look]
    met = idle & broken[look] & (age[look] > plan.window[rule]) & window.met
    kind = np.select(
        [met, begins[look] & window.building, pending[look] & ~broken[look] & ~window.low, cleared[look]],
        [int(Kind.RAISE), int(Kind.PENDING), int(Kind.DISCARD), int(Kind.CLEAR)],
        0,
    )
    spoke = np.flatnonzero(kind)
    if not len(spoke):
        return _NOTHING
    events = window.events(spoke, kind[spoke])
    chosen, said = look[spoke], kind[spoke]
    tail[chosen, plan.phase_offset + rule] = np.select(
        [said == Kind.RAISE, said == Kind.PENDING], [int(Phase.ACTIVE), int(Phase.PENDING)], int(Phase.IDLE)
    )
    tail[chosen, plan.well_offset + rule] = 0
    raised = chosen[said == Kind.RAISE]
    tail[raised, plan.below_offset[rule] : plan.below_offset[rule] + grain.slots] = 0
    return events


class _Window:
    """What the last buckets of a rule hold, the present one among them, for the rows looked at."""

    def __init__(self, table: Table, rule: int, now: _Samples, tail: Bytes, look: Ints, slot: Ints) -> None:
        plan = table.plan
        self._rule, self._now, self._look = rule, now, look
        self._grain = grain = GRAINS[plan.grain[rule]]
        begin, ring_begin = plan.below_offset[rule], RING_OFFSETS[plan.grain[rule]]
        below = tail[look, begin : begin + grain.slots]
        valid = table.ring[now.rows[look], ring_begin : ring_begin + grain.slots]
        self._behind = behind = (slot[:, None] - np.arange(grain.slots)) & (grain.slots - 1)
        valid[np.arange(len(look)), slot] += now.count[look].astype(np.uint8)
        inside, recent = behind <= plan.window[rule], behind < plan.building[rule]
        self.valid = np.where(inside, valid, 0).sum(1, dtype=np.int64)
        self._low = np.where(inside, below, 0)
        self.below = self._low.sum(1, dtype=np.int64)
        self.buckets = (inside & (valid > 0)).sum(1)
        share = plan.share[rule]
        self.met = (self.buckets * 100 >= plan.coverage[rule] * plan.window[rule]) & (
            self.below * 100 >= share * self.valid
        )
        recent_below = np.where(recent, below, 0).sum(1, dtype=np.int64)
        self.low = recent_below * 100 >= share * np.where(recent, valid, 0).sum(1, dtype=np.int64)
        self.building = self.low & ((recent & (valid > 0)).sum(1) == plan.building[rule])

    def events(self, spoke: Ints, kind: Ints) -> Events:
        """Say it for those that spoke, with the evidence."""
        chosen = self._look[spoke]
        oldest = np.where(self._low[spoke] > 0, self._behind[spoke], -1).max(1)
        at_ms = self._now.t_ms[chosen]
        begun = (at_ms // self._grain.bucket_ms - oldest) * self._grain.bucket_ms
        events = np.empty(len(spoke), EVENT_DTYPE)
        events["row"], events["index"], events["rule"] = self._now.rows[chosen], chosen, self._rule
        events["kind"], events["value"], events["at_ms"] = kind, self._now.values[chosen], at_ms
        events["since_ms"] = np.where(oldest < 0, at_ms, np.minimum(begun, at_ms))
        events["valid"], events["below"], events["buckets"] = self.valid[spoke], self.below[spoke], self.buckets[spoke]
        return events

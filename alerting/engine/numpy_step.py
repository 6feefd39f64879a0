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
    TENS,
    TIME_SHIFT,
    Events,
    Flags,
    Ints,
)
from alerting.engine.packed import filled, kept, last_buckets, total
from alerting.engine.table import Table
from vitals.sustained import AGE_MAX, BUCKET_MS, COUNT_MAX, GRAINS, WELL_MAX, Kind, Phase

CHUNK = 32_768
"""Samples looked at together: their columns stay in the processor's second cache."""

Bytes = npt.NDArray[np.uint8]
_NOTHING = np.empty(0, EVENT_DTYPE)
_KEPT = tuple(kept(grain) for grain in GRAINS)
_LAST = tuple(tuple(last_buckets(grain, count) for count in range(grain.slots + 1)) for grain in GRAINS)
"""By grain and by how many buckets."""

_GROWN = int(np.array([AGE_MAX] * 3 + [0], np.uint8).view(np.int32)[0])
"""The ages of data that has flowed for longer than any window: they grow no more."""


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
                if len(events):
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
    last, ten = word >> TIME_SHIFT, t_ms // BUCKET_MS
    inside = (values >= limits[0::2]) & (values <= limits[1::2])
    late = last > t_ms
    plain = inside & (last >= ten * BUCKET_MS) & ~late
    counted = t_ms << TIME_SHIFT | np.minimum((word & COUNT_MASK) + 1, COUNT_MAX) | word & BUSY
    if plain.all():
        table.word[rows] = counted
        return _NOTHING, late
    table.word[rows] = np.where(plain, counted, word)
    rest = np.flatnonzero(~(plain | late))
    quiet = inside[rest] & (word[rest] & BUSY == 0)
    turning = rest[quiet]
    if len(turning):
        some = _Samples(rows[turning], t_ms[turning], values[turning], word[turning], ten[turning])
        _turn_ring(table, some)
        table.word[some.rows] = some.t_ms << TIME_SHIFT | 1
    if len(turning) == len(rest):
        return _NOTHING, late
    judged = rest[~quiet]
    some = _Samples(rows[judged], t_ms[judged], values[judged].astype(np.int64), word[judged], ten[judged])
    events = _judge(table, some)
    if len(events):
        events["index"] = judged[events["index"]]
    return events, late


class _Samples:
    """One sample each of some rows, with what `word` says of the row; `ten` is the sample's 10 s bucket."""

    def __init__(self, rows: Ints, t_ms: Ints, values: Ints, word: Ints, ten: Ints) -> None:
        self.rows, self.t_ms, self.values, self.ten = rows, t_ms, values, ten
        self.last, self.count, self.busy = word >> TIME_SHIFT, word & COUNT_MASK, word & BUSY
        self.was_ten = self.last // BUCKET_MS

    def those(self, chosen: Ints) -> "_Samples":
        """Choose some of them."""
        word = self.last << TIME_SHIFT | self.count | self.busy
        return _Samples(self.rows[chosen], self.t_ms[chosen], self.values[chosen], word[chosen], self.ten[chosen])


def _turn_ring(table: Table, now: _Samples) -> None:
    """Begin a new bucket: put the last one's count where it belongs, empty what time has passed by, grow older."""
    flat = table.ring.reshape(-1)
    base, count = now.rows * np.int64(RING_BYTES), now.count.astype(np.uint8)
    follows = bool((now.ten - now.was_ten == 1).all())
    for index, grain in enumerate(GRAINS):
        was, present = (now.was_ten, now.ten) if index == 0 else (now.was_ten // TENS[index], now.ten // TENS[index])
        offset, mask = base + RING_OFFSETS[index], grain.slots - 1
        flat[offset + (was & mask)] += count
        if follows:
            empty = offset + (present & mask) if index == 0 else (offset + (present & mask))[present != was]
            flat[empty] = 0
        else:
            _wipe(flat, offset, present, np.minimum(present - was, grain.slots), mask)
    ages = table.ring.view(np.int32).reshape(-1).take(now.rows * np.int64(RING_BYTES // 4) + AGE_OFFSET // 4)
    growing = np.flatnonzero(ages != _GROWN) if follows else np.arange(len(base))
    for index, grain in enumerate(GRAINS):
        passed = now.ten[growing] // TENS[index] - now.was_ten[growing] // TENS[index]
        place = base[growing] + (AGE_OFFSET + index)
        older = np.minimum(flat.take(place) + passed, AGE_MAX)
        flat[place] = np.where(passed < grain.slots, older, 0)


def _wipe(flat: Bytes, offset: Ints, present: Ints, passed: Ints, mask: int) -> None:
    for back in range(int(passed.max())):
        longer = np.flatnonzero(passed > back)
        flat[offset[longer] + ((present[longer] - back) & mask)] = 0


def _judge(table: Table, now: _Samples) -> Events:
    plan = table.plan
    tail = table.tail.take(now.rows, axis=0)
    turning = np.flatnonzero(now.ten != now.was_ten)
    if len(turning):
        turned = now.those(turning)
        _turn_ring(table, turned)
        busy = np.flatnonzero(turned.busy)
        if len(busy):
            tail[turning[busy]] = _turn_tail(table, tail[turning[busy]], turned.those(busy))
        now.count[turning] = 0
    counted = now.count < COUNT_MAX
    now.count += counted
    limits = table.limits.take(table.limit_set[now.rows], axis=0)
    ages = table.ring[now.rows, AGE_OFFSET : AGE_OFFSET + len(GRAINS)]
    said = []
    low, high = np.full(len(tail), -32768), np.full(len(tail), 32767)
    for rule in range(len(plan.rules)):
        breach, clear_at = limits[:, rule, 0], limits[:, rule, 1]
        is_low = plan.low[rule]
        broken = now.values < breach if is_low else now.values > breach
        well = now.values >= clear_at if is_low else now.values <= clear_at
        old = ages[:, plan.grain[rule]] > plan.window[rule]
        events = _judge_rule(table, rule, now, tail, counted, broken, well, old)
        if len(events):
            said.append(events)
        phase, wellness = tail[:, plan.phase_offset + rule], tail[:, plan.well_offset + rule]
        everything, nothing = (32767, -32768) if is_low else (-32768, 32767)
        active = np.where(wellness > 0, clear_at, nothing)
        edge = np.where(phase == Phase.IDLE, breach, np.where(phase == Phase.ACTIVE, active, everything))
        low, high = (np.maximum(low, edge), high) if is_low else (low, np.minimum(high, edge))
    table.tail[now.rows] = tail
    busy = tail.view(np.uint64).any(1)
    table.word[now.rows] = now.t_ms << TIME_SHIFT | np.where(busy, BUSY, 0) | now.count
    table.band[now.rows] = high << 16 | low & 0xFFFF
    return np.concatenate(said) if said else _NOTHING


def _turn_tail(table: Table, tail: Bytes, now: _Samples) -> Bytes:
    """Begin a new bucket in copies of the rows' tails."""
    plan, words = table.plan, tail.view(np.uint64)
    for index, grain in enumerate(GRAINS):
        of_grain = np.flatnonzero(plan.grain == index).tolist()
        present = now.ten // TENS[index]
        passed = np.minimum(present - now.was_ten // TENS[index], grain.slots)
        if of_grain and passed.any():
            mask = _KEPT[index][present & (grain.slots - 1), passed]
            for rule in of_grain:
                words[:, plan.below_words(rule)] &= mask
    passed = now.ten - now.was_ten
    for rule in range(len(plan.rules)):
        well = tail[:, plan.well_offset + rule]
        counts = (tail[:, plan.phase_offset + rule] == Phase.ACTIVE) & (passed - 1 <= plan.clear_gap_buckets[rule])
        tail[:, plan.well_offset + rule] = np.where(counts, np.minimum(well + passed, WELL_MAX), 0)
    return tail


def _judge_rule(
    table: Table,
    rule: int,
    now: _Samples,
    tail: Bytes,
    counted: Flags,
    broken: Flags,
    well: Flags,
    old: Flags,
) -> Events:
    plan = table.plan
    grain = GRAINS[plan.grain[rule]]
    phase, wellness = tail[:, plan.phase_offset + rule], tail[:, plan.well_offset + rule]
    active = phase == Phase.ACTIVE
    wellness[active & ~well] = 0
    breaks = broken & ~active
    slot = now.ten // TENS[plan.grain[rule]] & (grain.slots - 1)
    counts = np.flatnonzero(counted & breaks)
    tail[counts, plan.below_offset[rule] + slot[counts]] += 1
    cleared = active & (wellness > plan.clear_buckets[rule])
    builds = breaks & (phase == Phase.IDLE) if plan.building[rule] else np.zeros_like(broken)
    settles = (phase == Phase.PENDING) & ~broken
    look = np.flatnonzero((breaks & old) | builds | settles | cleared)
    if not len(look):
        return _NOTHING
    window = _Window(table, rule, now, tail, look, slot[look])
    kind = np.where((breaks & old)[look] & window.is_met, int(Kind.RAISE), 0)
    kind[(kind == 0) & builds[look] & window.is_building] = Kind.PENDING
    kind[settles[look] & ~window.is_low] = Kind.DISCARD
    kind[cleared[look]] = Kind.CLEAR
    spoke = np.flatnonzero(kind)
    if not len(spoke):
        return _NOTHING
    events = window.events(spoke, kind[spoke])
    chosen, said = look[spoke], kind[spoke]
    after = np.array([Phase.IDLE, Phase.PENDING, Phase.IDLE, Phase.ACTIVE, Phase.IDLE], np.uint8)
    tail[chosen, plan.phase_offset + rule] = after[said]
    tail[chosen, plan.well_offset + rule] = 0
    tail[chosen[said == Kind.RAISE], plan.below_offset[rule] : plan.below_offset[rule] + grain.slots] = 0
    return events


class _Window:
    """What the last buckets of a rule hold, the present one among them, for the rows looked at."""

    def __init__(self, table: Table, rule: int, now: _Samples, tail: Bytes, look: Ints, slot: Ints) -> None:
        plan, index = table.plan, int(table.plan.grain[rule])
        self._rule, self._now, self._look, self._slot, self._grain = rule, now, look, slot, GRAINS[index]
        first = RING_OFFSETS[index] // 8
        ring = table.ring.view(np.uint64)
        valid = ring[now.rows[look], first : first + self._grain.slots // 8]
        below = tail.view(np.uint64)[look, plan.below_words(rule)]
        count, share = now.count[look], int(plan.share[rule])
        inside, present = _LAST[index][plan.window[rule] + 1][slot], _LAST[index][1][slot]
        self._below = below & inside
        self.valid, self.below = total(valid & inside) + count, total(self._below)
        self.buckets = filled((valid & inside) | present)
        self.is_met = (self.buckets * 100 >= plan.coverage[rule] * plan.window[rule]) & (
            self.below * 100 >= share * self.valid
        )
        recent = _LAST[index][plan.building[rule]][slot]
        self.is_low = total(below & recent) * 100 >= share * (total(valid & recent) + count)
        self.is_building = self.is_low & (filled((valid | present) & recent) == plan.building[rule])

    def events(self, spoke: Ints, kind: Ints) -> Events:
        """Say it for those that spoke, with the evidence."""
        chosen, slots = self._look[spoke], self._grain.slots
        behind = (self._slot[spoke][:, None] - np.arange(slots)) % slots
        oldest = np.where(self._below[spoke].view(np.uint8) > 0, behind, -1).max(1)
        at_ms = self._now.t_ms[chosen]
        begun = (at_ms // self._grain.bucket_ms - oldest) * self._grain.bucket_ms
        events = np.empty(len(spoke), EVENT_DTYPE)
        events["row"], events["index"], events["rule"] = self._now.rows[chosen], chosen, self._rule
        events["kind"], events["value"], events["at_ms"] = kind, self._now.values[chosen], at_ms
        events["since_ms"] = np.where(oldest < 0, at_ms, np.minimum(begun, at_ms))
        events["valid"], events["below"], events["buckets"] = self.valid[spoke], self.below[spoke], self.buckets[spoke]
        return events

"""The engine's step in NumPy: what is of no interest is proved so at once, the rest is judged a round at a time."""

from typing import Any

import numpy as np
import numpy.typing as npt

from alerting.engine.layout import (
    BUSY,
    COUNT_MASK,
    EVENT_DTYPE,
    TENS,
    TIME_SHIFT,
    Events,
    Flags,
    Ints,
)
from alerting.engine.packed import filled, kept, total
from alerting.engine.table import Table
from vitals.sustained import AGE_MAX, BUCKET_MS, COUNT_MAX, GRAINS, WELL_MAX, Kind, Phase

CHUNK_MAX = 65_536
"""Samples looked at together, at most: an ordinal of two bytes tells them apart."""

Bytes = npt.NDArray[np.uint8]
_NOTHING = np.empty(0, EVENT_DTYPE)
_KEPT = tuple(kept(grain) for grain in GRAINS)
_RAISE, _CLEAR, _PENDS, _DISCARD = (int(k) for k in (Kind.RAISE, Kind.CLEAR, Kind.PENDING, Kind.DISCARD))
_IDLE, _PENDING, _ACTIVE = (int(phase) for phase in Phase)
_PHASE_AFTER = np.zeros(len(Kind) + 1, np.uint8)
_PHASE_AFTER[_RAISE], _PHASE_AFTER[_PENDS] = _ACTIVE, _PENDING


def step(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    """Judge samples (shape (n,) each, in order of time for each row) and say which came late, shape (n,)."""
    late = np.zeros(len(rows), np.bool_)
    said: list[Events] = []
    chunks = -(-len(rows) // CHUNK_MAX)
    size = -(-len(rows) // max(1, chunks))
    for at in range(0, len(rows), size or 1):
        end = at + size
        here = rows[at:end].astype(np.int64), t_ms[at:end], values[at:end]
        for chosen in _rounds(table, here[0]):
            if chosen is None:
                events, behind = _round(table, *here)
                late[at:end] = behind
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
    by_row = np.sort(rows << 16 | ordinal)
    starts = np.flatnonzero(np.r_[True, by_row[1:] >> 16 != by_row[:-1] >> 16])
    nth = np.arange(len(by_row)) - np.repeat(starts, np.diff(np.r_[starts, len(by_row)]))
    index = np.sort(nth << 16 | (by_row & 0xFFFF)) & 0xFFFF
    return list(np.split(index, np.cumsum(np.bincount(nth))[:-1]))


def _round(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    """Judge one sample each of some rows; events say which by its place among them."""
    word, limits = table.word.take(rows), table.band.take(rows).view(np.int16)
    inside = values >= limits[0::2]
    inside &= values <= limits[1::2]
    counted = t_ms << TIME_SHIFT
    late = word > counted | (1 << TIME_SHIFT) - 1
    plain = word >= _begun(t_ms) << TIME_SHIFT
    plain &= inside
    plain &= ~late
    count = word & COUNT_MASK
    count += 1
    counted |= np.minimum(count, COUNT_MAX, out=count)
    counted |= np.bitwise_and(word, BUSY, out=count)
    if plain.all():
        table.word[rows] = counted
        return _NOTHING, late
    np.copyto(counted, word, where=~plain)
    table.word[rows] = counted
    rest = (~(plain | late)).nonzero()[0]
    quiet = inside[rest] & (word[rest] & BUSY == 0)
    turning = rest[quiet]
    if len(turning):
        some = _Samples(rows[turning], t_ms[turning], values[turning], word[turning])
        _turn_ring(table, some)
        table.word[some.rows] = some.t_ms << TIME_SHIFT | 1
    if len(turning) == len(rest):
        return _NOTHING, late
    judged = rest[~quiet]
    some = _Samples(rows[judged], t_ms[judged], values[judged], word[judged])
    events = _judge(table, some)
    if len(events):
        events["index"] = judged[events["index"]]
    return events, late


def _begun(t_ms: Ints) -> Any:
    """Give when the 10 s began in which each sample lies: one number where it is the same for all."""
    first, last = int(t_ms.min()) // BUCKET_MS, int(t_ms.max()) // BUCKET_MS
    return np.int64(first * BUCKET_MS) if first == last else t_ms - t_ms % BUCKET_MS


class _Samples:
    """One sample each of some rows, with what `word` says of the row; `ten` is the sample's 10 s bucket."""

    def __init__(self, rows: Ints, t_ms: Ints, values: Ints, word: Ints) -> None:
        self.rows, self.t_ms, self.values, self.ten = rows, t_ms, values, t_ms // BUCKET_MS
        self.last, self.count, self.busy = word >> TIME_SHIFT, word & COUNT_MASK, word & BUSY
        self.was_ten = self.last // BUCKET_MS

    def those(self, chosen: Ints) -> "_Samples":
        """Choose some of them."""
        word = self.last << TIME_SHIFT | self.count | self.busy
        return _Samples(self.rows[chosen], self.t_ms[chosen], self.values[chosen], word[chosen])


def _turn_ring(table: Table, now: _Samples) -> None:
    """Begin a new bucket: put the last one's count where it belongs, empty what time has passed by, grow older."""
    flat = table.ring.reshape(-1)
    plan = table.plan
    base, count = now.rows * np.int64(plan.ring_bytes), now.count.astype(np.uint8)
    follows = bool((now.ten - now.was_ten == 1).all())
    for index in plan.grains:
        grain = GRAINS[index]
        was, present = (now.was_ten, now.ten) if index == 0 else (now.was_ten // TENS[index], now.ten // TENS[index])
        offset, mask = base + plan.ring_offsets[index], grain.slots - 1
        flat[offset + (was & mask)] += count
        if follows:
            empty = offset + (present & mask) if index == 0 else (offset + (present & mask))[present != was]
            flat[empty] = 0
        else:
            _wipe(flat, offset, present, np.minimum(present - was, grain.slots), mask)
    ages = _ages(table, now)
    grown = sum(AGE_MAX << 8 * index for index in plan.grains)
    growing = np.flatnonzero(ages != grown) if follows else np.arange(len(base))
    for index in plan.grains:
        passed = now.ten[growing] // TENS[index] - now.was_ten[growing] // TENS[index]
        place = base[growing] + (plan.age_offset + index)
        older = np.minimum(flat.take(place) + passed, AGE_MAX)
        flat[place] = np.where(passed < GRAINS[index].slots, older, 0)


def _ages(table: Table, now: _Samples) -> npt.NDArray[np.int32]:
    """Give the rows' ages, a byte for each grain in an int32; data that has flowed for long grows no older."""
    plan = table.plan
    place = now.rows * np.int64(plan.ring_bytes // 4) + plan.age_offset // 4
    return table.ring.view(np.int32).reshape(-1).take(place)


def _wipe(flat: Bytes, offset: Ints, present: Ints, passed: Ints, mask: int) -> None:
    for back in range(int(passed.max())):
        longer = np.flatnonzero(passed > back)
        flat[offset[longer] + ((present[longer] - back) & mask)] = 0


def _judge(table: Table, now: _Samples) -> Events:
    """Judge one sample each of rows of which nothing is known beforehand, by all rules at once; shapes (n, rules)."""
    plan = table.plan
    tail = table.tail.take(now.rows, axis=0)
    turning = (now.ten != now.was_ten).nonzero()[0]
    if len(turning):
        turned = now.those(turning)
        _turn_ring(table, turned)
        busy = turned.busy.nonzero()[0]
        if len(busy):
            tail[turning[busy]] = _turn_tail(table, tail[turning[busy]], turned.those(busy))
        now.count[turning] = 0
    counted = now.count < COUNT_MAX
    now.count += counted
    limits = table.limits if len(table.limits) == 1 else table.limits.take(table.limit_set[now.rows], axis=0)
    breach, clear_at, value = limits[:, :, 0], limits[:, :, 1], now.values[:, None]
    broken, is_well = value < breach, value >= clear_at
    if not plan.low.all():
        broken, is_well = np.where(plan.low, broken, value > breach), np.where(plan.low, is_well, value <= clear_at)
    slots = np.stack([now.ten // tens & (grain.slots - 1) for tens, grain in zip(TENS, GRAINS, strict=True)], axis=1)
    phase, well = tail[:, plan.phase_columns], tail[:, plan.well_columns]
    active = phase == _ACTIVE
    well[active & ~is_well] = 0
    breaks = broken & ~active
    row, rule = (breaks & counted[:, None]).nonzero()
    tail[row, plan.below_offset[rule] + slots[row, plan.grain[rule]]] += 1
    ages = _ages(table, now)
    may_raise = breaks & (ages.view(np.uint8).reshape(-1, 4)[:, plan.grain] > plan.window.astype(np.uint8))
    may_pend = breaks & (phase == _IDLE) & (plan.building > 0)
    may_discard = (phase == _PENDING) & ~broken
    clears = active & (well > plan.clear_buckets)
    row, rule = (may_raise | may_pend | may_discard | clears).nonzero()
    events = _NOTHING
    if len(row):
        window = _Window(table, now, tail, row, rule, slots[row, plan.grain[rule]])
        kind = np.where(may_raise[row, rule] & window.is_met, _RAISE, 0)
        kind[(kind == 0) & may_pend[row, rule] & window.is_building] = _PENDS
        kind[may_discard[row, rule] & ~window.is_low] = _DISCARD
        kind[clears[row, rule]] = _CLEAR
        spoke = kind.nonzero()[0]
        if len(spoke):
            events = window.events(spoke, kind[spoke])
            _move(table, tail, row[spoke], rule[spoke], kind[spoke])
    _put_back(table, now, tail, breach, clear_at)
    return events


def _move(table: Table, tail: Bytes, row: Ints, rule: Ints, kind: Ints) -> None:
    """Let the rules that spoke stand where what they said puts them."""
    plan = table.plan
    tail[row, plan.phase_offset + rule] = _PHASE_AFTER[kind]
    tail[row, plan.well_offset + rule] = 0
    words = tail.view(np.uint64)
    raised = (kind == _RAISE).nonzero()[0]
    for each_row, each_rule in zip(row[raised].tolist(), rule[raised].tolist(), strict=True):
        words[each_row, plan.below_words(each_rule)] = 0


def _put_back(table: Table, now: _Samples, tail: Bytes, breach: Ints, clear_at: Ints) -> None:
    """Write the rows back, with the band of values that now change nothing for any rule."""
    plan = table.plan
    phase, well = tail[:, plan.phase_columns], tail[:, plan.well_columns]
    while_active = np.where(well > 0, clear_at, plan.nothing)
    edge = np.where(phase == _IDLE, breach, np.where(phase == _ACTIVE, while_active, plan.everything))
    low = np.where(plan.low, edge, -32768).max(1, initial=-32768).astype(np.int32)
    high = np.where(plan.low, 32767, edge).min(1, initial=32767).astype(np.int32)
    table.tail[now.rows] = tail
    busy = tail.view(np.uint64).any(1)
    table.word[now.rows] = now.t_ms << TIME_SHIFT | np.where(busy, BUSY, 0) | now.count
    table.band[now.rows] = high << 16 | low & 0xFFFF


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
    passed = (now.ten - now.was_ten)[:, None]
    well = tail[:, plan.well_columns]
    counts = (tail[:, plan.phase_columns] == _ACTIVE) & (passed - 1 <= plan.clear_gap_buckets)
    tail[:, plan.well_columns] = np.where(counts, np.minimum(well + passed, WELL_MAX), 0)
    return tail


class _Window:
    """What the last buckets hold, the present one among them, for each row and rule looked at; shape (n,)."""

    def __init__(self, table: Table, now: _Samples, tail: Bytes, row: Ints, rule: Ints, slot: Ints) -> None:
        plan = table.plan
        self._now, self._plan, self._row, self._rule, self._slot = now, plan, row, rule, slot
        two = np.arange(2)
        valid = table.ring.view(np.uint64)[now.rows[row][:, None], plan.ring_word[rule][:, None] + two]
        below = tail.view(np.uint64)[row[:, None], (plan.below_offset[rule] // 8)[:, None] + two]
        inside, recent, present = (mask[rule, slot] for mask in (plan.inside, plan.recent, plan.present))
        count, share = now.count[row], plan.share[rule]
        self._below = below & inside
        self.valid, self.below = total(valid & inside) + count, total(self._below)
        self.buckets = filled((valid & inside) | present)
        self.is_met = (self.buckets * 100 >= plan.coverage[rule] * plan.window[rule]) & (
            self.below * 100 >= share * self.valid
        )
        self.is_low = total(below & recent) * 100 >= share * (total(valid & recent) + count)
        self.is_building = self.is_low & (filled((valid | present) & recent) == plan.building[rule])

    def events(self, spoke: Ints, kind: Ints) -> Events:
        """Say it for those that spoke, with the evidence."""
        row, rule = self._row[spoke], self._rule[spoke]
        tens = self._plan.tens[rule]
        behind = (self._slot[spoke][:, None] - np.arange(16)) & self._plan.slot_mask[rule][:, None]
        oldest = np.where(self._below[spoke].view(np.uint8) > 0, behind, -1).max(1)
        at_ms = self._now.t_ms[row]
        begun = (self._now.ten[row] // tens - oldest) * tens * BUCKET_MS
        events = np.empty(len(spoke), EVENT_DTYPE)
        events["row"], events["index"], events["rule"] = self._now.rows[row], row, rule
        events["kind"], events["value"], events["at_ms"] = kind, self._now.values[row], at_ms
        events["since_ms"] = np.where(oldest < 0, at_ms, np.minimum(begun, at_ms))
        events["valid"], events["below"], events["buckets"] = self.valid[spoke], self.below[spoke], self.buckets[spoke]
        return events

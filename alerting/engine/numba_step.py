"""The engine's step compiled by Numba: sample by sample over the same arrays as the NumPy step, with the same answers.

A block of samples is touched before it is judged: reading each row's hot word lets the processor fetch many of them at
once, where judging them one after the other would wait for each.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"

import numba
import numpy as np

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

TOUCH = 128
"""Samples touched together."""

EVENTS_MAX = 4096
"""Events one call can hold; a batch that says more is taken up again where it stopped."""

_TEN = BUCKET_MS
(_MS0, _MS1, _MS2), (_S0, _S1, _S2) = zip(*((grain.bucket_ms, grain.slots) for grain in GRAINS), strict=True)
_R0, _R1, _R2 = RING_OFFSETS
_RAISE, _CLEAR, _PENDS, _DISCARD = (int(k) for k in (Kind.RAISE, Kind.CLEAR, Kind.PENDING, Kind.DISCARD))
_IDLE, _PENDING, _ACTIVE = (int(phase) for phase in Phase)


def step(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    """Judge samples (shape (n,) each, in order of time for each row) and say which came late, shape (n,)."""
    late = np.zeros(len(rows), np.bool_)
    plan = table.plan
    said: list[Events] = []
    room = np.empty((EVENTS_MAX, 10), np.int64)
    begin = 0
    while begin < len(rows):
        begin, spoken, _ = _run(
            begin,
            rows,
            t_ms,
            values,
            late,
            table.word,
            table.band,
            table.ring,
            table.tail,
            table.limit_set,
            table.limits,
            plan.below_offset,
            plan.phase_offset,
            plan.well_offset,
            plan.grain,
            plan.low,
            plan.window,
            plan.building,
            plan.share,
            plan.coverage,
            plan.clear_buckets,
            plan.clear_gap_buckets,
            room,
        )
        if spoken:
            events = np.empty(spoken, EVENT_DTYPE)
            for column, name in enumerate(EVENT_DTYPE.names or ()):
                events[name] = room[:spoken, column]
            said.append(events)
    return (np.concatenate(said) if said else np.empty(0, EVENT_DTYPE)), late


@numba.njit(cache=True, nogil=True)
def _run(
    begin,
    rows,
    t_ms,
    values,
    late,
    word,
    band,
    ring,
    tail,
    limit_set,
    limits,
    below_offset,
    phase_offset,
    well_offset,
    grain,
    low,
    window,
    building,
    share,
    coverage,
    clear_buckets,
    clear_gap_buckets,
    room,
):
    rules = len(grain)
    spoken = touched = 0
    n = len(rows)
    block = begin
    while block < n:
        end = min(block + TOUCH, n)
        for i in range(block, end):
            row = rows[i]
            held = word[row]
            touched += band[row]
            if held >> TIME_SHIFT < t_ms[i] - t_ms[i] % _TEN:
                touched += ring[row, 0] + ring[row, RING_BYTES - 1]
                if held & BUSY:
                    touched += tail[row, 0]
        for i in range(block, end):
            row = rows[i]
            t = np.int64(t_ms[i])
            value = np.int64(values[i])
            held = word[row]
            last = held >> TIME_SHIFT
            edges = np.int64(band[row])
            floor = (edges & 0xFFFF ^ 0x8000) - 0x8000
            inside = floor <= value <= edges >> 16
            bucket = t - t % _TEN
            if inside and bucket <= last <= t:
                word[row] = t << TIME_SHIFT | held & BUSY | min((held & COUNT_MASK) + 1, COUNT_MAX)
                continue
            if t < last:
                late[i] = True
                continue
            if spoken + rules > EVENTS_MAX:
                return i, spoken, touched
            count = held & COUNT_MASK
            if last < bucket:
                _turn_ring(ring, row, last, t, count)
                count = 0
                if held & BUSY:
                    _turn_tail(tail, row, last, t, below_offset, phase_offset, well_offset, grain, clear_gap_buckets)
            if inside and not held & BUSY:
                word[row] = t << TIME_SHIFT | 1
                continue
            counted = count < COUNT_MAX
            count += counted
            held_to = limit_set[row]
            lowest, highest = np.int64(-32768), np.int64(32767)
            for rule in range(rules):
                breach = np.int64(limits[held_to, rule, 0])
                clear_at = np.int64(limits[held_to, rule, 1])
                is_low = low[rule]
                broken = value < breach if is_low else value > breach
                first = below_offset[rule]
                g = grain[rule]
                phase = np.int64(tail[row, phase_offset + rule])
                kind = 0
                if phase == _ACTIVE:
                    well = value >= clear_at if is_low else value <= clear_at
                    if not well:
                        tail[row, well_offset + rule] = 0
                    elif tail[row, well_offset + rule] > clear_buckets[rule]:
                        kind = _CLEAR
                elif broken:
                    slot = _slot(g, t)
                    tail[row, first + slot] += counted
                    old = ring[row, AGE_OFFSET + g] > window[rule]
                    if old or (phase == _IDLE and building[rule] > 0):
                        kind = _judge_low(
                            ring,
                            tail,
                            row,
                            count,
                            old,
                            phase == _IDLE,
                            first,
                            g,
                            slot,
                            window[rule],
                            building[rule],
                            share[rule],
                            coverage[rule],
                        )
                elif phase == _PENDING:
                    slot = _slot(g, t)
                    if not _is_low(ring, tail, row, count, first, g, slot, building[rule], share[rule]):
                        kind = _DISCARD
                if kind:
                    phase = _phase_after(kind)
                    tail[row, phase_offset + rule] = phase
                    tail[row, well_offset + rule] = 0
                    room[spoken, 0], room[spoken, 1], room[spoken, 2], room[spoken, 3] = row, i, rule, kind
                    room[spoken, 4], room[spoken, 5] = value, t
                    _evidence(ring, tail, row, count, first, g, window[rule], t, room[spoken])
                    if kind == _RAISE:
                        for place in range(first, first + _slots(g)):
                            tail[row, place] = 0
                    spoken += 1
                wellness = tail[row, well_offset + rule]
                if is_low:
                    lowest = max(lowest, _edge(phase, wellness, breach, clear_at, 32767, -32768))
                else:
                    highest = min(highest, _edge(phase, wellness, breach, clear_at, -32768, 32767))
            busy = 0
            for column in range(tail.shape[1]):
                busy |= tail[row, column]
            word[row] = t << TIME_SHIFT | (BUSY if busy else 0) | count
            band[row] = highest << 16 | lowest & 0xFFFF
        block = end
    return n, spoken, touched


@numba.njit(inline="always")
def _edge(phase, wellness, breach, clear_at, everything, nothing):
    """Give where the values that change nothing for a rule end."""
    if phase == _IDLE:
        return breach
    if phase == _PENDING:
        return everything
    return clear_at if wellness > 0 else nothing


@numba.njit(inline="always")
def _phase_after(kind):
    if kind == _RAISE:
        return _ACTIVE
    return _PENDING if kind == _PENDS else _IDLE


@numba.njit(inline="always")
def _slots(g):
    return _S0 if g == 0 else (_S1 if g == 1 else _S2)


@numba.njit(inline="always")
def _bucket(g, t):
    """Give the bucket of an instant; each division is by a constant."""
    return t // _MS0 if g == 0 else (t // _MS1 if g == 1 else t // _MS2)


@numba.njit(inline="always")
def _slot(g, t):
    return _bucket(g, t) & (_slots(g) - 1)


@numba.njit(inline="always")
def _ring_of(g):
    return _R0 if g == 0 else (_R1 if g == 1 else _R2)


@numba.njit
def _judge_low(ring, tail, row, count, old, idle, first, g, slot, window, building, share, coverage):
    """Say RAISE or PENDING for a sample that breaks its limit, or 0."""
    valid_sum = below_sum = buckets = recent_valid = recent_below = recent_buckets = np.int64(0)
    begin, mask = _ring_of(g), _slots(g) - 1
    for back in range(window + 1):
        place = (slot - back) & mask
        samples = np.int64(ring[row, begin + place]) + (count if back == 0 else 0)
        breaches = np.int64(tail[row, first + place])
        valid_sum += samples
        below_sum += breaches
        buckets += samples > 0
        if back < building:
            recent_valid += samples
            recent_below += breaches
            recent_buckets += samples > 0
    if old and buckets * 100 >= coverage * window and below_sum * 100 >= share * valid_sum:
        return _RAISE
    if idle and building > 0 and recent_buckets == building and recent_below * 100 >= share * recent_valid:
        return _PENDS
    return 0


@numba.njit
def _is_low(ring, tail, row, count, first, g, slot, building, share):
    """Say whether the last buckets still hold the share of breaches that makes a condition build up."""
    valid_sum = below_sum = np.int64(0)
    begin, mask = _ring_of(g), _slots(g) - 1
    for back in range(building):
        place = (slot - back) & mask
        valid_sum += np.int64(ring[row, begin + place]) + (count if back == 0 else 0)
        below_sum += np.int64(tail[row, first + place])
    return below_sum * 100 >= share * valid_sum


@numba.njit
def _evidence(ring, tail, row, count, first, g, window, t, said):
    """Write since when, and what the window holds, into an event's last four columns."""
    valid_sum = below_sum = buckets = np.int64(0)
    since = t
    present = _bucket(g, t)
    begin, mask = _ring_of(g), _slots(g) - 1
    for back in range(window + 1):
        place = (present - back) & mask
        samples = np.int64(ring[row, begin + place]) + (count if back == 0 else 0)
        breaches = np.int64(tail[row, first + place])
        valid_sum += samples
        below_sum += breaches
        buckets += samples > 0
        if breaches > 0:
            since = min(since, (present - back) * (_MS0 if g == 0 else (_MS1 if g == 1 else _MS2)))
    said[6], said[7], said[8], said[9] = since, valid_sum, below_sum, buckets


@numba.njit(inline="always")
def _turn_grain(ring, row, count, was, now, begin, slots, age):
    """Begin a new bucket of one grain: put down the count, empty what time has passed by, and grow older."""
    ring[row, begin + (was & (slots - 1))] += count
    passed = now - was
    if passed > 0:
        for back in range(min(passed, slots)):
            ring[row, begin + (now - back & (slots - 1))] = 0
        ring[row, age] = min(AGE_MAX, ring[row, age] + passed) if passed < slots else 0


@numba.njit(inline="always")
def _turn_ring(ring, row, last, t, count):
    _turn_grain(ring, row, count, last // _MS0, t // _MS0, _R0, _S0, AGE_OFFSET)
    _turn_grain(ring, row, count, last // _MS1, t // _MS1, _R1, _S1, AGE_OFFSET + 1)
    _turn_grain(ring, row, count, last // _MS2, t // _MS2, _R2, _S2, AGE_OFFSET + 2)


@numba.njit
def _turn_tail(tail, row, last, t, below_offset, phase_offset, well_offset, grain, clear_gap_buckets):
    passed_tens = t // _TEN - last // _TEN
    for rule in range(len(grain)):
        if tail[row, phase_offset + rule] == _ACTIVE:
            well = well_offset + rule
            gap = passed_tens - 1 > clear_gap_buckets[rule]
            tail[row, well] = 0 if gap else min(WELL_MAX, tail[row, well] + passed_tens)
            continue
        g = grain[rule]
        now, slots = _bucket(g, t), _slots(g)
        for back in range(min(now - _bucket(g, last), slots)):
            tail[row, below_offset[rule] + (now - back & (slots - 1))] = 0

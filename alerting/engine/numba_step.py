"""The engine's step compiled by Numba: sample by sample over the same arrays as the NumPy step, with the same answers.

Rows come in no order, so what is not in the processor's cache is asked for ahead of need (`fetch`), where the samples
would otherwise wait for it one after the other: the hot bytes some samples ahead, the counts as well while buckets
begin anew, and all of a row that has to be held against the rules. These are set aside and judged at the end of their
block; until then their row's band is closed, so that what follows of the same row waits behind them. What an index is
made of is unsigned: a signed one costs a test for counting from the end, which is most of the time a turn of the
buckets takes.
"""

# mypy: disable-error-code="no-untyped-def"

from functools import partial
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from alerting.engine.layout import (
    BUSY,
    COUNT_MASK,
    EVENT_DTYPE,
    HOT_BAND,
    TENS,
    TIME_SHIFT,
    Events,
    Flags,
    Ints,
    Plan,
)
from alerting.engine.prefetch import fetch
from alerting.engine.table import Table
from vitals.sustained import AGE_MAX, BUCKET_MS, COUNT_MAX, GRAINS, WELL_MAX, Kind, Phase

BLOCK = 128
"""Of so many samples those that need it are judged together, after the others."""

AHEAD = 64
"""So many samples ahead the hot bytes are asked for, and half as many ahead the counts."""

BLOCKS_SAID = 8
"""One call holds what so many blocks can say at most; a batch that says more is taken up again where it stopped."""

COMPILED_FROM = "1a75a7727d9e8780"
"""Names what the compiled code takes from other files: a test says when it is another. Without it the machine code that
Numba keeps on the disk, made anew only when this file changes, would go on with old numbers.
"""

_compiled: Any = partial(numba.njit, _nrt=False)
"""Compile without counting references to arrays: counting them took three quarters of a turn of the buckets. What is
compiled so must not make an array."""

_U = np.uint64
_0, _1, _TEN_MS = _U(0), _U(1), _U(BUCKET_MS)
_M0, _M1, _M2 = (_U(grain.slots - 1) for grain in GRAINS)
_T0, _T1, _T2 = (_U(tens) for tens in TENS)
_OLDEST, _WELLEST = np.uint8(AGE_MAX), _U(WELL_MAX)
_RAISE, _CLEAR, _PENDS, _DISCARD = (int(k) for k in (Kind.RAISE, Kind.CLEAR, Kind.PENDING, Kind.DISCARD))
_IDLE, _PENDING, _ACTIVE = (int(phase) for phase in Phase)

RULE_DTYPE = np.dtype(
    [
        (name, "<u8")
        for name in ("grain", "ring", "age", "below", "phase", "well", "window", "building", "share", "coverage")
    ]
    + [(name, "<u8") for name in ("clear_buckets", "clear_gap_buckets")]
    + [("low", "?")]
)
"""One rule's numbers as the compiled step reads them."""


def step(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    """Judge samples (shape (n,) each, in order of time for each row) and say which came late, shape (n,)."""
    late = np.zeros(len(rows), np.bool_)
    rules = _rules(table.plan)
    ring, tail, words = table.ring.reshape(-1), table.tail.reshape(-1), table.tail.view(np.int64)
    said: list[Events] = []
    room, waiting = np.empty((BLOCKS_SAID * BLOCK * max(1, len(rules)), 10), np.int64), np.empty(BLOCK, np.int64)
    begin = 0
    while begin < len(rows):
        begin, spoken = _run(
            begin,
            (rows, t_ms, values, late),
            (table.word, table.band, ring, tail, words),
            table.ring.view(np.int32),
            table.limits,
            rules,
            _rings(table.plan),
            room,
            waiting,
        )
        if spoken:
            events = np.empty(spoken, EVENT_DTYPE)
            for column, name in enumerate(EVENT_DTYPE.names or ()):
                events[name] = room[:spoken, column]
            said.append(events)
    return (np.concatenate(said) if said else np.empty(0, EVENT_DTYPE)), late


def _rings(plan: Plan) -> tuple[Any, ...]:
    """Say which grains are kept, where each lies in a row of `ring`, where the ages do, and a row's length."""
    lengths = (*plan.ring_offsets, plan.age_offset, plan.ring_bytes)
    return (*(grain in plan.grains for grain in range(len(GRAINS))), *map(_U, lengths))


def _rules(plan: Plan) -> npt.NDArray[np.void]:
    rules = np.zeros(len(plan.rules), RULE_DTYPE)
    rules["below"] = plan.below_offset
    rules["ring"] = [plan.ring_offsets[grain] for grain in plan.grain]
    rules["age"] = plan.age_offset + plan.grain
    rules["phase"] = plan.phase_offset + np.arange(len(rules))
    rules["well"] = plan.well_offset + np.arange(len(rules))
    for name in ("grain", "window", "building", "share", "coverage", "clear_buckets", "clear_gap_buckets", "low"):
        rules[name] = getattr(plan, name)
    return rules


@_compiled(cache=True, nogil=True)
def _run(begin, samples, state, held_to, limits, rules, rings, room, waiting):
    rows, t_ms, values, late = samples
    word, band, ring, tail, words = state
    stride, ring_bytes = _U(words.shape[1] * 8), rings[7]
    spoken, turns, n = 0, False, len(rows)
    block = begin
    while block < n:
        end = min(block + BLOCK, n)
        if spoken + (end - block) * len(rules) > len(room):
            return block, spoken
        waits = _0
        for i in range(block, end):
            ahead = _U(rows[min(i + AHEAD, n - 1)])
            fetch(word, ahead)
            fetch(band, ahead)
            if turns:
                _fetch_row(ring, _U(rows[min(i + AHEAD // 2, n - 1)]), ring_bytes)
            row = _U(rows[i])
            t = np.int64(t_ms[i])
            value = np.int64(values[i])
            held = word[row]
            last = held >> TIME_SHIFT
            if t < last:
                late[i] = True
                continue
            edges = np.int64(band[row])
            lowest = (edges & 0xFFFF ^ 0x8000) - 0x8000
            inside = lowest <= value <= edges >> 16
            same = last >= t - np.int64(_U(t) % _TEN_MS)
            if inside and same:
                turns = False
                word[row] = t << TIME_SHIFT | held & BUSY | min((held & COUNT_MASK) + 1, COUNT_MAX)
            elif inside and not held & BUSY:
                turns = True
                if last >= 0:
                    was, ten = _U(last) // _TEN_MS, _U(t) // _TEN_MS
                    _turn_ring(ring, row * ring_bytes, np.uint8(held & COUNT_MASK), was, ten, rings)
                word[row] = t << TIME_SHIFT | 1
            else:
                waiting[waits] = i
                waits += _1
                band[row] = HOT_BAND
                _fetch_row(ring, row, ring_bytes)
                _fetch_row(tail, row, stride)
        for place in range(waits):
            spoken = _judge(waiting[place], samples, state, held_to, limits, rules, rings, room, spoken)
        block = end
    return n, spoken


@_compiled(inline="always")
def _fetch_row(array, row, length):
    fetch(array, row * length)
    fetch(array, row * length + length - _1)


@_compiled()
def _judge(i, samples, state, held_to, limits, rules, rings, room, spoken):
    """Hold one sample against all rules; gives how many events are in the room now."""
    rows, t_ms, values, late = samples
    word, band, ring, tail, words = state
    row, t, value = _U(rows[i]), np.int64(t_ms[i]), np.int64(values[i])
    held = word[row]
    last = held >> TIME_SHIFT
    if t < last:
        late[i] = True
        return spoken
    count = held & COUNT_MASK
    ring_at, tail_at = row * rings[7], row * _U(words.shape[1] * 8)
    ten = _U(t) // _TEN_MS
    if last >= 0:
        was = _U(last) // _TEN_MS
        if was != ten:
            _turn_ring(ring, ring_at, np.uint8(count), was, ten, rings)
            count = 0
            if held & BUSY:
                _turn_tail(tail, tail_at, was, ten, rules)
    counted = count < COUNT_MAX
    count += counted
    limits_of = limits[held_to[row, -1]]
    lowest, highest = np.int64(-32768), np.int64(32767)
    for number in range(len(rules)):
        rule = rules[number]
        breach, clear_at = np.int64(limits_of[number, 0]), np.int64(limits_of[number, 1])
        broken = value < breach if rule.low else value > breach
        well = value >= clear_at if rule.low else value <= clear_at
        phase = np.int64(tail[tail_at + rule.phase])
        kind = 0
        if phase == _ACTIVE:
            if not well:
                tail[tail_at + rule.well] = 0
            elif tail[tail_at + rule.well] > rule.clear_buckets:
                kind = _CLEAR
        elif broken:
            slot = _bucket(rule.grain, ten) & _mask(rule.grain)
            tail[tail_at + rule.below + slot] += np.uint8(counted)
            old = ring[ring_at + rule.age] > rule.window
            if old or (phase == _IDLE and rule.building > 0):
                kind = _judge_low(ring, ring_at, tail, tail_at, _U(count), old, phase == _IDLE, slot, rule)
        elif phase == _PENDING:
            slot = _bucket(rule.grain, ten) & _mask(rule.grain)
            if not _is_low(ring, ring_at, tail, tail_at, _U(count), slot, rule):
                kind = _DISCARD
        if kind:
            phase = _phase_after(kind)
            tail[tail_at + rule.phase] = np.uint8(phase)
            tail[tail_at + rule.well] = 0
            room[spoken, 0], room[spoken, 1], room[spoken, 2], room[spoken, 3] = rows[i], i, number, kind
            room[spoken, 4], room[spoken, 5] = value, t
            _evidence(ring, ring_at, tail, tail_at, _U(count), t, ten, rule, room[spoken])
            if kind == _RAISE:
                for slot in range(_mask(rule.grain) + _1):
                    tail[tail_at + rule.below + slot] = 0
            spoken += 1
        wellness = tail[tail_at + rule.well]
        if rule.low:
            lowest = max(lowest, _edge(phase, wellness, breach, clear_at, 32767, -32768))
        else:
            highest = min(highest, _edge(phase, wellness, breach, clear_at, -32768, 32767))
    busy = np.int64(0)
    for column in range(words.shape[1]):
        busy |= words[row, column]
    word[row] = t << TIME_SHIFT | (BUSY if busy else 0) | count
    band[row] = highest << 16 | lowest & 0xFFFF
    return spoken


@_compiled(inline="always")
def _edge(phase, wellness, breach, clear_at, everything, nothing):
    """Give where the values that change nothing for a rule end."""
    if phase == _IDLE:
        return breach
    if phase == _PENDING:
        return everything
    return clear_at if wellness > 0 else nothing


@_compiled(inline="always")
def _phase_after(kind):
    if kind == _RAISE:
        return _ACTIVE
    return _PENDING if kind == _PENDS else _IDLE


@_compiled(inline="always")
def _mask(grain):
    return _M0 if grain == 0 else (_M1 if grain == 1 else _M2)


@_compiled(inline="always")
def _bucket(grain, ten):
    """Give a grain's bucket by the 10 s it lies in; each division is by a constant."""
    return ten if grain == 0 else (ten // _T1 if grain == 1 else ten // _T2)


@_compiled()
def _judge_low(ring, ring_at, tail, tail_at, count, old, idle, slot, rule):
    """Say RAISE or PENDING for a sample that breaks its limit, or 0."""
    valid, below, buckets = count, _0, _0
    recent_valid, recent_below, recent_buckets = count, _0, _0
    ring_begin, tail_begin, mask = ring_at + rule.ring, tail_at + rule.below, _mask(rule.grain)
    for back in range(rule.window + _1 if old else rule.building):
        place = (slot - back) & mask
        samples = _U(ring[ring_begin + place])
        breaches = _U(tail[tail_begin + place])
        holds = _U(samples > _0 or back == _0)
        valid += samples
        below += breaches
        buckets += holds
        if back < rule.building:
            recent_valid += samples
            recent_below += breaches
            recent_buckets += holds
    if old and buckets * _U(100) >= rule.coverage * rule.window and below * _U(100) >= rule.share * valid:
        return _RAISE
    builds = idle and rule.building > _0 and recent_buckets == rule.building
    return _PENDS if builds and recent_below * _U(100) >= rule.share * recent_valid else 0


@_compiled()
def _is_low(ring, ring_at, tail, tail_at, count, slot, rule):
    """Say whether the last buckets still hold the share of breaches that makes a condition build up."""
    valid, below = count, _0
    ring_begin, tail_begin, mask = ring_at + rule.ring, tail_at + rule.below, _mask(rule.grain)
    for back in range(rule.building):
        place = (slot - back) & mask
        valid += _U(ring[ring_begin + place])
        below += _U(tail[tail_begin + place])
    return below * _U(100) >= rule.share * valid


@_compiled()
def _evidence(ring, ring_at, tail, tail_at, count, t, ten, rule, said):
    """Write since when, and what the window holds, into an event's last four columns."""
    valid, below, buckets = count, _0, _0
    since = t
    present, mask = _bucket(rule.grain, ten), _mask(rule.grain)
    ring_begin, tail_begin = ring_at + rule.ring, tail_at + rule.below
    tens = _T0 if rule.grain == 0 else (_T1 if rule.grain == 1 else _T2)
    for back in range(rule.window + _1):
        place = (present - back) & mask
        samples = _U(ring[ring_begin + place])
        breaches = _U(tail[tail_begin + place])
        valid += samples
        below += breaches
        buckets += _U(samples > _0 or back == _0)
        if breaches > _0:
            since = min(since, np.int64((present - back) * tens * _TEN_MS))
    said[6], said[7], said[8], said[9] = since, valid, below, buckets


@_compiled(inline="always")
def _turn_grain(ring, begin, count, was, now, mask, age):
    """Begin a new bucket of one grain: put down the count, empty what time has passed by, and grow older."""
    at = begin + (was & mask)
    ring[at] = np.uint8(ring[at] + count)
    if now != was:
        if now - was == _1:
            ring[begin + (now & mask)] = 0
            older = ring[age]
            ring[age] = np.uint8(older + (older < _OLDEST))
        else:
            _wipe(ring, begin, now - was, now, mask, age)


@_compiled()
def _wipe(ring, begin, passed, now, mask, age):
    for back in range(min(passed, mask + _1)):
        ring[begin + ((now - back) & mask)] = 0
    ring[age] = np.uint8(min(_U(_OLDEST), _U(ring[age]) + passed)) if passed <= mask else np.uint8(0)


@_compiled(inline="always")
def _turn_ring(ring, at, count, was, now, rings):
    keeps0, keeps1, keeps2, offset0, offset1, offset2, age, _ = rings
    if keeps0:
        _turn_grain(ring, at + offset0, count, was, now, _M0, at + age)
    if keeps1:
        _turn_grain(ring, at + offset1, count, was // _T1, now // _T1, _M1, at + age + _1)
    if keeps2:
        _turn_grain(ring, at + offset2, count, was // _T2, now // _T2, _M2, at + age + _1 + _1)


@_compiled()
def _turn_tail(tail, at, was, now, rules):
    for number in range(len(rules)):
        rule = rules[number]
        if tail[at + rule.phase] == _ACTIVE:
            gap = now - was - _1 > rule.clear_gap_buckets
            tail[at + rule.well] = np.uint8(0 if gap else min(_WELLEST, _U(tail[at + rule.well]) + now - was))
            continue
        present, mask = _bucket(rule.grain, now), _mask(rule.grain)
        for back in range(min(present - _bucket(rule.grain, was), mask + _1)):
            tail[at + rule.below + ((present - back) & mask)] = 0

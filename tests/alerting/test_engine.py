"""Both engines say exactly what the plain-Python oracle says, whatever the batching, and where they stop short."""

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from alerting.engine import numba_step, numpy_step
from alerting.engine.layout import BUSY, COUNT_MASK, TIME_SHIFT
from alerting.engine.partition import Step, event_of, rules_hash
from alerting.engine.table import Table
from hearthwatch.bench.engine.measure import family_bytes
from tests.alerting.streams import FALL_S, MANY, SHARE_S, SPO2, Said, Sample, columns, oracle, profile, stream
from vitals.sustained import GRAINS, Kind, SustainedEvent, SustainedRule, SustainedState

pytestmark = pytest.mark.long

RULES = profile().sustained[SPO2]
STEPS = [pytest.param(numpy_step.step, id="numpy"), pytest.param(numba_step.step, id="numba")]
LATE = {"rule": "", "kind": Kind.LATE, "valid": 0, "below": 0, "buckets": 0}


def run(step: Step, table: Table, samples: Sequence[Sample], cuts: Sequence[int] = ()) -> Said:
    said: Said = []
    for start, end in pairwise([0, *cuts, len(samples)]):
        batch = samples[start:end]
        events, late = step(table, *columns(batch))
        in_batch = [(int(e["index"]), int(e["row"]), event_of(table.plan.rules, e)) for e in events]
        in_batch += [
            (i, s.row, SustainedEvent(at_ms=s.t_ms, since_ms=s.t_ms, value=s.value, **LATE))  # type: ignore[arg-type]
            for i, s in enumerate(batch)
            if late[i]
        ]
        said += [(start + i, row, event) for i, row, event in sorted(in_batch, key=lambda each: each[0])]
    return said


def held(table: Table, row: int) -> dict[str, object]:
    plan, ring, tail, word = table.plan, table.ring[row], table.tail[row], int(table.word[row])
    return {
        "last_ms": word >> TIME_SHIFT,
        "count": word & COUNT_MASK,
        "busy": bool(word & BUSY),
        "valid": [
            ring[plan.ring_offsets[i] :][: grain.slots].tolist() if i in plan.grains else [0] * grain.slots
            for i, grain in enumerate(GRAINS)
        ],
        "age": ring[plan.age_offset :][: len(GRAINS)].tolist(),
        "below": [tail[o : o + r.grain.slots].tolist() for o, r in zip(plan.below_offset, plan.rules, strict=True)],
        "phase": table.phases(row),
        "well": tail[plan.well_offset : plan.well_offset + len(plan.rules)].tolist(),
    }


def held_by(oracle_state: SustainedState, rules: Sequence[SustainedRule]) -> dict[str, object]:
    """Say what a table holds of it: of grains that no rule has nothing."""
    names = ("last_ms", "count", "below", "phase", "well")
    busy = any(map(any, oracle_state.below)) or any(oracle_state.phase) or any(oracle_state.well)
    kept = [grain in {rule.grain_index for rule in rules} for grain in range(len(GRAINS))]
    valid = [counts if keep else [0] * len(counts) for counts, keep in zip(oracle_state.valid, kept, strict=True)]
    age = [of_grain if keep else 0 for of_grain, keep in zip(oracle_state.age, kept, strict=True)]
    return {name: getattr(oracle_state, name) for name in names} | {"busy": busy, "valid": valid, "age": age}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seed", range(30))
def test_equals_the_oracle_on_any_batching(seed: int, step: Step) -> None:
    draw = random.Random(seed)
    rules: Sequence[SustainedRule] = draw.choice((MANY, RULES, MANY[:1]))
    rows = draw.choice((1, 4, 12))
    samples = stream(seed, rows=rows, length_s=draw.choice((600, 1800, 4000)))
    cuts = sorted(draw.sample(range(1, len(samples)), min(draw.choice((0, 1, 5, 40, 200)), len(samples) - 1)))
    expected, states = oracle(samples, rules)
    table = Table(rules, rows)
    assert run(step, table, samples, cuts) == expected
    assert {row: held(table, row) for row in states} == {row: held_by(state, rules) for row, state in states.items()}


def test_the_streams_show_every_kind_of_event_for_every_rule() -> None:
    possible = {(r.rule, k) for r in MANY for k in Kind if k is not Kind.LATE} | {("", Kind.LATE)}
    possible -= {("AMBER", Kind.PENDING), ("AMBER", Kind.DISCARD)}  # it has no building time
    seen: set[tuple[str, Kind]] = set()
    for seed in range(40):
        seen |= {(event.rule, event.kind) for *_, event in oracle(stream(seed, length_s=3600), MANY)[0]}
        if seen == possible:
            break
    assert seen == possible


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("seed", range(10))
def test_a_snapshot_and_the_rest_of_the_log_give_the_same_events(seed: int, step: Step) -> None:
    samples = stream(seed)
    cut = random.Random(seed).randrange(len(samples))
    before, after = Table(MANY, 5), Table(MANY)
    said = run(step, before, samples[:cut])
    after.load(before.dump())
    said += [(cut + index, row, event) for index, row, event in run(step, after, samples[cut:])]
    assert said == oracle(samples, MANY)[0]


@pytest.mark.parametrize("step", STEPS)
def test_a_late_sample_changes_nothing_and_is_pointed_out(step: Step) -> None:
    table = Table(RULES, 1)
    step(table, *columns([Sample(50_000, 0, 8000)]))
    before = table.dump()
    events, late = step(table, *columns([Sample(40_000, 0, 8000), Sample(49_999, 0, 8000)]))
    assert not len(events)
    assert late.all()
    assert table.dump() == before


def test_a_changed_limit_changes_the_hash_a_snapshot_is_bound_to() -> None:
    crit, refer, *_ = RULES
    assert rules_hash({SPO2: (crit, refer)}) == rules_hash({SPO2: (crit, refer)})
    assert rules_hash({SPO2: (crit, refer)}) != rules_hash({SPO2: (refer, crit)})


def course(*spells: tuple[int, int]) -> list[Sample]:
    """(value, seconds) at 1 Hz."""
    values = [value for value, seconds in spells for _ in range(seconds)]
    return [Sample(i * 1000, 0, value) for i, value in enumerate(values)]


def raised(samples: Sequence[Sample], rules: Sequence[SustainedRule] = RULES) -> dict[str, int]:
    """At which second each rule first raises, by the oracle."""
    said, _ = oracle(samples, rules)
    times: dict[str, int] = {}
    for _, _, event in said:
        if event.kind is Kind.RAISE:
            times.setdefault(event.rule, event.at_ms // 1000)
    return times


@pytest.mark.parametrize(
    ("spells", "expected"),
    [
        pytest.param([(9700, 900)], set(), id="a healthy night raises nothing"),
        pytest.param([(9700, 300), (8400, SHARE_S - 1), (9700, 300)], set(), id="a dip shorter than the window"),
        pytest.param([(9700, 300), (8800, 300)], {"SPO2-CRIT", "SPO2-REFER"}, id="88 is critical"),
        pytest.param([(9700, 300), (8900, 600)], {"SPO2-REFER"}, id="89 is not critical"),
        pytest.param([(9700, 300), (9299, 600)], {"SPO2-REFER"}, id="92.99 is below 93"),
        pytest.param([(9700, 300), (9300, 600)], set(), id="93 is not below 93"),
        pytest.param([(9700, 300), (9300, 900)], {"SPO2-AMBER"}, id="93 for a quarter of an hour is amber"),
        pytest.param([(9700, 300), (9400, 900)], {"SPO2-AMBER"}, id="so is 94"),
        pytest.param([(9700, 300), (9401, 1800)], set(), id="94.01 is not at or below 94"),
        pytest.param([(10000, 1800)], set(), id="no value is too high on air"),
        pytest.param([(8400, FALL_S - 1)], set(), id="a window that is not full yet"),
        pytest.param([(8400, FALL_S)], {"SPO2-CRIT"}, id="a full window from the first sample on"),
    ],
)
def test_what_raises(spells: list[tuple[int, int]], expected: set[str]) -> None:
    assert raised(course(*spells)).keys() == expected


def test_a_critical_fall_raises_within_its_window_and_a_bucket_and_clears_after_ten_well_minutes() -> None:
    said, _ = oracle(course((9700, 300), (8400, 200), (9700, 800)), RULES)
    at = {(e.rule, e.kind): e.at_ms // 1000 for *_, e in said}
    assert 300 + SHARE_S <= at["SPO2-CRIT", Kind.RAISE] < 300 + FALL_S
    assert 500 + 600 <= at["SPO2-CRIT", Kind.CLEAR] <= 500 + 620


def test_a_sample_that_is_fine_never_raises() -> None:
    for seed in range(20):
        said, _ = oracle(stream(seed), MANY)
        limits = {rule.rule: rule for rule in MANY}
        for *_, event in said:
            if event.kind in (Kind.RAISE, Kind.PENDING):
                assert limits[event.rule].is_breach(event.value, limits[event.rule].limit)


def test_a_patients_own_limits_hold_from_his_next_sample_on() -> None:
    table = Table(RULES, 2)
    own = tuple(type(rule.limit)(breach=8000, clear_at=8100) for rule in RULES)
    table.set_limits(1, own)
    samples = [Sample(i * 1000, row, 8700) for i in range(400) for row in (0, 1)]
    assert {row for _, row, e in run(numpy_step.step, table, samples) if e.kind is Kind.RAISE} == {0}
    assert (table.limits_of(0), table.limits_of(1)) == (tuple(rule.limit for rule in RULES), own)
    restored = Table(RULES)
    restored.load(table.dump())
    assert restored.limits_of(1) == own


def test_state_takes_at_most_128_bytes_a_patient_and_rule_family() -> None:
    assert max(family_bytes().values()) <= 128

"""The NumPy engine says exactly what the plain-Python oracle says, whatever the batching, and where it stops short."""

import random
from itertools import pairwise

import numpy as np
import pytest

from alerting.engine import EngineState, rules_hash, step
from tests.alerting.streams import Sample, oracle_events, ordered, profile, stream
from vitals.sustained import Kind, SustainedEvent

pytestmark = pytest.mark.long

RULES = profile()


def run(samples: list[Sample], cuts: list[int], state: EngineState) -> list[tuple[int, SustainedEvent]]:
    events = []
    for start, end in pairwise([0, *cuts, len(samples)]):
        batch = samples[start:end]
        said, late = step(
            state,
            np.array([s.patient_id for s in batch], np.int32),
            np.array([s.t_ms for s in batch], np.int64),
            np.array([s.value for s in batch], np.int64),
        )
        assert not late.any()
        events += [(e.patient_id, e.event) for e in said]
    return events


@pytest.mark.parametrize("seed", range(40))
def test_equals_the_oracle_on_any_batching(seed: int) -> None:
    samples = stream(seed)
    draw = random.Random(seed)
    cuts = sorted(draw.sample(range(1, len(samples)), draw.choice((0, 1, 5, 40, 200))))
    assert ordered(run(samples, cuts, EngineState(RULES.sustained, 3))) == oracle_events(samples, RULES)


def test_the_streams_show_every_kind_of_event_for_every_rule() -> None:
    seen = {(e.rule, e.kind) for seed in range(40) for _, e in oracle_events(stream(seed), RULES)}
    assert seen == {(r.rule, k) for r in RULES.sustained for k in Kind if k is not Kind.LATE}


@pytest.mark.parametrize("seed", range(10))
def test_a_snapshot_and_the_rest_of_the_log_give_the_same_events(seed: int) -> None:
    samples = stream(seed)
    cut = random.Random(seed).randrange(len(samples))
    before = EngineState(RULES.sustained, 3)
    events = run(samples[:cut], [], before)
    after = EngineState(RULES.sustained, 3)
    after.load(before.dump())
    events += run(samples[cut:], [], after)
    assert ordered(events) == oracle_events(samples, RULES)


def test_a_late_sample_changes_nothing_and_is_pointed_out() -> None:
    state = EngineState(RULES.sustained, 3)
    ids, values = np.array([3, 3], np.int32), np.array([8000, 8000], np.int64)
    step(state, ids[:1], np.array([50_000], np.int64), values[:1])
    before = state.dump()
    events, late = step(state, ids, np.array([49_999, 40_000], np.int64), values)
    assert not events
    assert late.all()
    assert state.dump() == before


def test_a_changed_limit_changes_the_hash_a_snapshot_is_bound_to() -> None:
    crit, refer = RULES.sustained
    assert rules_hash((crit, refer)) == rules_hash((crit, refer))
    assert rules_hash((crit, refer)) != rules_hash((refer, crit))


def course(*spells: tuple[int, int]) -> list[Sample]:
    """(value, seconds) at 1 Hz, patient 3."""
    values = [value for value, seconds in spells for _ in range(seconds)]
    return [Sample(3, i * 1000, value) for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("spells", "raised"),
    [
        pytest.param([(9700, 900)], set(), id="a healthy night raises nothing"),
        pytest.param([(9700, 300), (8400, 47), (9700, 300)], set(), id="a dip shorter than the window"),
        pytest.param([(9700, 300), (8800, 300)], {"SPO2-CRIT", "SPO2-REFER"}, id="88 is critical"),
        pytest.param([(9700, 300), (8900, 900)], {"SPO2-REFER"}, id="89 is not critical"),
        pytest.param([(9700, 300), (9299, 900)], {"SPO2-REFER"}, id="92.99 is below 93"),
        pytest.param([(9700, 300), (9300, 900)], set(), id="93 is not below 93"),
        pytest.param([(8400, 59)], set(), id="a window that is not full yet"),
        pytest.param([(8400, 62)], {"SPO2-CRIT"}, id="a full window from the first sample on"),
    ],
)
def test_what_raises(spells: list[tuple[int, int]], raised: set[str]) -> None:
    events = run(course(*spells), [], EngineState(RULES.sustained, 3))
    assert {e.rule for _, e in events if e.kind is Kind.RAISE} == raised


def test_a_critical_fall_raises_within_a_minute_and_a_bucket_and_clears_after_ten_well_minutes() -> None:
    events = run(course((9700, 300), (8400, 120), (9700, 800)), [], EngineState(RULES.sustained, 3))
    at = {(e.rule, e.kind): e.at_ms // 1000 for _, e in events}
    assert 300 + 48 <= at["SPO2-CRIT", Kind.RAISE] <= 300 + 70
    assert at["SPO2-CRIT", Kind.CLEAR] == 420 + 600

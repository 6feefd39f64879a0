"""A table whose rules are let stand from outside goes on as the oracle does whose rules were."""

import hashlib
import inspect
import io
import random
from dataclasses import replace

import numpy as np
import pytest

from alerting.engine import layout, numba_step, prefetch
from alerting.engine.numpy_step import CHUNK_MAX, step
from alerting.engine.partition import Step, fastest
from alerting.engine.table import Table
from tests.alerting.streams import MANY, Sample, columns, oracle, stream
from tests.alerting.test_engine import held, held_by, run
from vitals.sustained import AGE_MAX, BUCKET_MS, COUNT_MAX, GRAINS, WELL_MAX, Kind, Limit, Phase, SustainedState
from vitals.sustained import step as oracle_step

ROWS = 3


def let_stand(table: Table, states: list[SustainedState], draw: random.Random) -> None:
    """Let some rules of some rows stand anyhow, in both."""
    wanted = table.standing()
    for _ in range(draw.randrange(1, 4)):
        place = draw.randrange(len(MANY))
        # Pending also where nothing builds up: it may be stored so, and the profile be another since.
        wanted[draw.randrange(ROWS), place] = draw.choice(list(Phase))
    wanted = {place: phase for place, phase in wanted.items() if phase is not Phase.IDLE}
    dropped = set()
    for row, state in enumerate(states):
        for place, was in enumerate(state.phase):
            phase = wanted.get((row, place), Phase.IDLE)
            if was is Phase.ACTIVE and phase is not was:
                dropped.add(row)
            if phase is Phase.ACTIVE and was is not phase:
                state.hold(place)
            elif was is not phase:
                state.phase[place], state.well[place] = phase, 0
    assert table.set_phases(wanted) == dropped
    assert table.standing() == wanted


@pytest.mark.parametrize("seed", range(12))
def test_what_is_let_stand_goes_on_as_the_oracle(seed: int) -> None:
    draw = random.Random(seed)
    samples = stream(seed, rows=ROWS, length_s=1500)
    table, states = Table(MANY, ROWS), [SustainedState(MANY) for _ in range(ROWS)]
    for row, state in enumerate(states):  # all have been heard before anything is let stand
        begun = Sample(samples[0].t_ms - 60_000, row, 9600)
        step(table, *columns([begun]))
        oracle_step(state, begun.t_ms, begun.value)
    while samples:
        batch, samples = samples[: (size := draw.choice((1, 5, 40, 400)))], samples[size:]
        expected = [
            (at, each.row, event)
            for at, each in enumerate(batch)
            for event in oracle_step(states[each.row], each.t_ms, each.value)
        ]
        assert run(step, table, batch) == expected
        let_stand(table, states, draw)
        if draw.random() < 0.2:
            table = moved(table, batch)
        busy = {"busy"}
        for row, state in enumerate(states):
            found, should = held(table, row), held_by(state, MANY)
            assert {k: v for k, v in found.items() if k not in busy} == {
                k: v for k, v in should.items() if k not in busy
            }
            assert found["busy"] >= should["busy"]  # to look in vain is no wrong


def moved(table: Table, batch: list[Sample]) -> Table:
    """Put the rows into a table in which others were quiet a moment ago."""
    other = Table(MANY, ROWS)
    step(other, *columns([Sample(batch[-1].t_ms, row, 9600) for row in range(ROWS)]))
    for row in range(ROWS):
        other.copy_row(table, row, row)
    return other


def test_two_limits_of_one_direction_are_both_looked_at() -> None:
    over = MANY[-1]
    rules = [over, replace(over, rule="HIGHER", limit=Limit(breach=9800, clear_at=9700)), *MANY[:2]]
    for value in (9699, 9700, 9800, 9801, 9299, 8800):
        samples = [Sample(i * 1000, 0, 9600) for i in range(60)]
        samples += [Sample(i * 1000, 0, value) for i in range(60, 500)]
        for order in (rules, rules[::-1]):
            assert run(step, Table(order, 1), samples) == oracle(samples, order)[0]


@pytest.mark.parametrize("engine", [step, numba_step.step], ids=["numpy", "numba"])
def test_nothing_is_of_interest_from_the_highest_low_limit_to_the_lowest_high_one(engine: Step) -> None:
    over = MANY[-1]
    table = Table([replace(over, limit=Limit(breach=9800, clear_at=9700)), over, *MANY[:2]], 1)
    engine(table, *columns([Sample(0, 0, 9500)]))
    highest = max(rule.limit.breach for rule in MANY[:2])
    assert table.band.view(np.int16).tolist() == [highest, min(9800, over.limit.breach)]


@pytest.mark.parametrize("engine", [step, numba_step.step], ids=["numpy", "numba"])
@pytest.mark.parametrize("value", [9600, 8500])
def test_two_of_one_instant_both_count_also_where_a_bucket_begins(value: int, engine: Step) -> None:
    samples = [Sample(at_s * 1000, 0, value) for at_s in range(125) for _ in range(1 + (at_s % 5 == 0))]
    said, states = oracle(samples, MANY)
    for cuts in ([], list(range(1, len(samples)))):
        table = Table(MANY, 1)
        assert run(engine, table, samples, cuts) == said
        assert held(table, 0) == held_by(states[0], MANY)
    assert states[0].valid[0][0] == 12


def test_who_is_new_is_judged_by_everybodys_limits_whatever_others_are_held_to() -> None:
    table = Table(MANY, 1)
    far = tuple(Limit(breach=7000, clear_at=7100) if r.low else Limit(breach=30000, clear_at=29000) for r in MANY)
    table.set_limits(0, far)
    table.grow(2)
    assert len(table.bands) == len(table.limits) == 2
    samples = [Sample(i * 1000, 1, 8500) for i in range(400)]
    said = run(step, table, samples)
    assert said == oracle(samples, MANY)[0]
    assert said


def test_a_snapshot_runs_no_code() -> None:
    forged = io.BytesIO()
    np.savez(forged, allow_pickle=True, limits=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        Table(MANY).load(forged.getvalue())


def test_what_a_batch_says_beyond_the_room_of_one_call_is_said_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_step, "BLOCKS_SAID", 1)
    rows = 3 * numba_step.BLOCK
    samples = [
        Sample(at_s * 1000, row, 8500 if at_s < 130 else 9700) for at_s in range(0, 200, 4) for row in range(rows)
    ]
    said = run(numba_step.step, Table(MANY, rows), samples)
    assert said == oracle(samples, MANY)[0]
    assert len(said) > 2 * numba_step.BLOCK * len(MANY)


@pytest.mark.parametrize("engine", [step, numba_step.step], ids=["numpy", "numba"])
def test_a_table_without_rules_says_nothing_of_a_row_of_which_nothing_is_known(engine: Step) -> None:
    table = Table((), 1)
    table.set_limits(0, ())
    assert run(engine, table, [Sample(1000, 0, 9600), Sample(2000, 0, 9600)]) == []


def test_whoever_asks_for_the_fastest_step_waits_for_no_compiler_afterwards() -> None:
    fastest()
    assert numba_step._run.signatures


def test_compiled_code_that_is_kept_on_disk_is_made_anew_when_what_it_is_made_of_changes() -> None:
    """Numba's cache looks at the one file alone: what comes from others is named in it by its hash."""
    others = [inspect.getsource(module) for module in (layout, prefetch)]
    numbers = [AGE_MAX, BUCKET_MS, COUNT_MAX, GRAINS, WELL_MAX, list(Kind), list(Phase)]
    found = hashlib.sha256(repr((others, numbers)).encode()).hexdigest()[:16]
    assert found == numba_step.COMPILED_FROM, f'write COMPILED_FROM = "{found}" into alerting/engine/numba_step.py'


def test_a_batch_longer_than_a_chunk_says_which_sample_decided() -> None:
    rows = 2000
    samples = [Sample(at_s * 1000, row, 8500 if row == 7 else 9600) for at_s in range(0, 80, 2) for row in range(rows)]
    assert len(samples) > CHUNK_MAX
    samples.insert(CHUNK_MAX + 5000, Sample(0, 9, 9600))  # late
    assert run(step, Table(MANY, rows), samples) == oracle(samples, MANY)[0]

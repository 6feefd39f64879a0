"""SIGKILL of a gateway at random instants, with the centre behind it: nothing accepted is lost, nothing is doubled."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hearthwatch.bench.gateway.kill import LIFE_S, OPENING_SHARE, Plan, at_rate, lifetimes_s
from hearthwatch.bench.gateway.kill_victim import DEVICES
from hearthwatch.bench.ground import Centre, centre

PLAN = Plan(kills=10, life_s=(0.2, 1.0))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A broker, a database and ingest."""
    with centre(tmp_path_factory.mktemp("centre"), devices=DEVICES) as found:
        yield found


@pytest.mark.parametrize("rate", PLAN.rates)
def test_nothing_accepted_is_lost_or_doubled_by_a_kill(running: Centre, tmp_path: Path, rate: int) -> None:
    outcome = at_rate(running, tmp_path / "outbox", PLAN, rate, lambda _: None)
    assert (outcome.kills, outcome.kills_while_opening) == (10, 1)
    assert outcome.accepted > 0
    assert (outcome.lost, outcome.doubled, outcome.set_aside) == (0, 0, 0)
    assert outcome.in_database == outcome.in_outbox >= outcome.accepted
    assert outcome.bare_fdatasync_ms["max"] >= outcome.bare_fdatasync_ms["p50"] > 0
    books = outcome.goals[:-1]  # the last is a time, which a busy machine may miss
    assert all(goal.met for goal in books)
    doubled = replace(outcome, doubled=1, in_database=outcome.in_database + 1)
    assert [goal.met for goal in doubled.goals[:-1]] == [True, False, True, False]
    assert replace(outcome, unaccepted_ms={"max": 50.0}).goals[-1].met
    assert not replace(outcome, unaccepted_ms={"max": 50.1}).goals[-1].met


def test_lives_are_drawn_from_the_seed_and_some_end_while_the_file_is_opened() -> None:
    plan = Plan()
    lengths_s = lifetimes_s(plan, 10)
    assert lengths_s == lifetimes_s(Plan(), 10) != lifetimes_s(Plan(seed=1), 10)
    assert sum(length_s >= LIFE_S[0] for length_s in lengths_s) == plan.kills
    assert sum(length_s < LIFE_S[0] for length_s in lengths_s) == plan.kills // OPENING_SHARE
    assert max(lengths_s) <= LIFE_S[1]
    assert sum(length_s > 2.0 for length_s in lengths_s) > plan.kills // 5

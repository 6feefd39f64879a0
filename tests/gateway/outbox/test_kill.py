"""SIGKILL of a gateway at random instants, with the centre behind it: nothing accepted is lost, nothing is doubled."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hearthwatch.bench.gateway_kill import Plan, at_rate
from hearthwatch.bench.ground import Centre, centre
from hearthwatch.bench.kill_victim import DEVICES

PLAN = Plan(kills=8)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A broker, a database and ingest."""
    with centre(tmp_path_factory.mktemp("centre"), devices=DEVICES) as found:
        yield found


@pytest.mark.parametrize("rate", PLAN.rates)
def test_nothing_accepted_is_lost_or_doubled_by_a_kill(running: Centre, tmp_path: Path, rate: int) -> None:
    outcome = at_rate(running, tmp_path / "outbox", PLAN, rate, lambda _: None)
    assert outcome.kills == PLAN.kills
    assert outcome.accepted > 0
    assert (outcome.lost, outcome.doubled, outcome.set_aside) == (0, 0, 0)
    assert outcome.in_database == outcome.in_outbox >= outcome.accepted

"""The bench of storms: a small one on all of its parts."""

from pathlib import Path

import pytest

from hearthwatch.bench.storm.measure import Plan, measure

pytestmark = pytest.mark.long


@pytest.mark.usefixtures("timescale_server")
def test_a_small_storm_is_durable_and_told_to_everybody(tmp_path: Path) -> None:
    found = measure(tmp_path, Plan(patients=100, calm=10, calm_every_s=0.1), lambda _line: None)
    goals = {goal["goal"]: goal for goal in found["goals"]}
    assert goals["episodes raised at once"]["met"]
    assert goals["of these without a notice to a person"]["met"]
    assert found["too_short_to_tell"][0]["goal"] == "alarm to first notice when calm, p99, ms"
    storm = found["storm"]
    assert storm["households_told"] == 100
    # The one doctor: each alarm has a notice of its own, most of which another one speaks of.
    assert storm["notices"]["alone"] + storm["notices"]["gathered"] == 100
    assert storm["notices"]["gathered"] > 50
    assert found["calm"]["alarms"] == 10

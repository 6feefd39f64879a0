"""The drill: the command plays its scenarios over a database of its own, and says what did not happen."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hearthwatch.drill.killing import prove
from hearthwatch.drill.scenarios import SCENARIOS, Scenario, complaints
from hearthwatch.drill.stage import Line, Stage, database
from hearthwatch.drill.worker import Side

pytestmark = pytest.mark.long


def drill(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hearthwatch", "drill", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)


@pytest.mark.usefixtures("timescale_server")
def test_every_scenario_but_the_long_ones_comes_out_as_expected() -> None:
    names = [name for name in SCENARIOS if name not in ("storm", "worker-killed")]
    played = drill("--json", "--only", ",".join(names))
    assert played.returncode == 0, played.stderr
    lines = [json.loads(line) for line in played.stdout.splitlines()]
    assert list(dict.fromkeys(line["scenario"] for line in lines)) == names
    assert all(
        set(line) == {"t_s", "scenario", "event", "service_tier", "to", "episode", "patient", "detail"}
        for line in lines
    )
    exhausted = [
        line["t_s"] for line in lines if line["detail"] == "step 3: exhausted" and line["scenario"] == names[0]
    ]
    assert exhausted == [660, 960, 1260]


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("timescale_server")
def test_a_worker_killed_before_an_exchange_loses_nothing_and_fires_nothing_twice(tmp_path: Path) -> None:
    with database(tmp_path) as server:
        proof = prove(server, sides=[Side.BEFORE], every=5)  # every one, on both sides: `drill --only worker-killed`
    assert proof.wrong == []
    assert (proof.fired, proof.notices) == (3, 5)
    assert proof.kills > 8
    assert 0 <= proof.repeats <= proof.kills  # between sending and recording, what was sent is sent again
    assert proof.timer_error_s <= 1


def test_an_unknown_scenario_is_named_with_those_there_are() -> None:
    refused = drill("--only", "flood")
    assert refused.returncode == 2
    assert "there is no flood; there are nobody-answers" in refused.stderr


def test_what_did_not_happen_is_a_complaint() -> None:
    line = Line(t_s=60.0, event="notified", service_tier=2, to="li", episode=1, patient="p1", detail="family_doctor")
    stage = Stage(connection=None, profile=None, lines=[line])  # type: ignore[arg-type]
    wanted = ((60.0, "notified", "li"), (61.0, "notified", "li"), (60.0, "notified", "wang"))
    scenario = Scenario(does="", play=lambda _: None, expected=wanted)
    assert complaints(scenario, stage) == ["at 61 s: notified li", "at 60 s: notified wang"]

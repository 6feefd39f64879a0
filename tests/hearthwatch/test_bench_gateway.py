"""The benchmark of the gateway, in small: it measures the installation of a Pi, and its books are exact."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from hearthwatch.bench.gateway.installation import STRANGERS, gateway_alone
from hearthwatch.bench.gateway.measure import Plan, measure

pytestmark = pytest.mark.long


def test_an_installation_of_the_gateways_extra_has_all_it_needs_and_nothing_of_another(tmp_path: Path) -> None:
    assert all(map(importlib.util.find_spec, STRANGERS)), "here all are installed, or the next lines prove nothing"
    installed = gateway_alone(tmp_path / "installation")
    assert installed.strangers() == ()
    assert installed.foreign({"dbus_fast", "numpy"}) == ("numpy",)
    command = [*installed.command, "-m", "hearthwatch", "gateway", "decode", "2a5f", "0061004800"]
    done = subprocess.run(command, env=installed.environment, capture_output=True, text=True, check=True)
    assert '"value": 97.0' in done.stdout


def test_a_library_that_got_in_is_found(tmp_path: Path) -> None:
    installed = gateway_alone(tmp_path / "installation")
    spec = importlib.util.find_spec("bumble")
    assert spec is not None
    assert spec.origin is not None
    (installed.folder / "bumble").symlink_to(Path(spec.origin).parent)
    assert installed.strangers() == ("bumble",)


@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon: ./run test installs it")
async def test_a_short_run_measures_all_that_is_asked_and_loses_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    plan = Plan(devices=2, seconds=2, rates=(40,), rate_seconds=2, backlog=2_000)
    document = await measure(tmp_path, plan, told.append)
    goals = {goal["goal"]: goal for goal in document["goals"]}
    assert goals["libraries beyond the gateway's extra"]["measured"] == 0
    assert goals["lost between devices and database, readings"]["measured"] == 0
    assert all(goal["measured"] is not None for name, goal in goals.items() if not name.startswith(("live", "sust")))
    assert goals["sustained, nothing lost, readings a second"]["met"] is False, "40 notifications are no 1,000 readings"
    assert document["well"] is False
    assert "pydantic_core" in document["steady"]["libraries"]
    assert document["steady"]["in_database"] == document["steady"]["sent"] > 0
    assert document["drain"]["readings"] == 2_000
    assert told

"""The ladder, climbed by a gateway process on rig 2 by itself: each rung when its time has come, the dearest last."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.recovery.ladder import LADDERS, Cause, Rung
from hearthwatch.bench.gateway.faults import FAULTS, play

pytestmark = pytest.mark.long

STATED = [rung.value for _, rung in LADDERS[Cause.SILENT_AIR] if rung is not Rung.REBOOT]


@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon: ./run test installs it")
async def test_an_air_that_only_a_restart_of_bluetoothd_heals_is_healed_rung_by_rung(tmp_path: Path) -> None:
    deaf = replace(FAULTS["deaf_until_bluetoothd_restarts"], command=("tests.gateway.recovery.hurried_gateway",))
    outcome = await play(tmp_path, deaf)
    climbed = [each.rung for each in outcome.climbed]
    assert list(dict.fromkeys(climbed)) == STATED == ["rescan", "power_cycle", "restart_bluetoothd"]
    assert climbed[-1] == "restart_bluetoothd", "nothing more is done once it has helped"
    assert (climbed.count("power_cycle"), climbed.count("restart_bluetoothd")) == (1, 1)
    assert {each.because for each in outcome.climbed} == {"silent_air"}
    assert outcome.rungs == {rung: climbed.count(rung) for rung in STATED}, "the status counts the same"
    assert outcome.data_again_s is not None
    assert (outcome.lost, outcome.duplicates, outcome.gateway_restarts) == (0, 0, 0)

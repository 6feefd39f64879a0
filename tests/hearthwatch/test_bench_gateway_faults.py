"""One of Bluetooth's troubles, played on a gateway as a process; `hearthwatch bench gateway-faults` plays them all."""

import shutil
from pathlib import Path

import pytest

from hearthwatch.bench.gateway_faults import FAULTS, measure, play

pytestmark = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon: ./run test installs it")


async def test_after_a_trouble_data_flow_again(tmp_path: Path) -> None:
    outcome = await play(tmp_path, FAULTS["bluetoothd_killed_and_started_by_others"])
    assert outcome.is_well
    assert outcome.first_action == "bluetoothd is gone, every link with it"
    assert (outcome.duplicates, outcome.gateway_restarts, outcome.rungs) == (0, 0, {"rescan": 1})


async def test_a_fault_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no fault sunspots: there are link_loss"):
        await measure(tmp_path, ["sunspots"], lambda _: None)

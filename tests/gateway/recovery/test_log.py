"""What was done to get well is counted across restarts and reboots."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.recovery.ladder import Cause, Rung
from gateway.recovery.log import RecoveryLog, recovery_path
from gateway.recovery.state import LastRung, RecoveryState

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RESCAN = LastRung(rung=Rung.RESCAN, because=Cause.SILENT_AIR, adapter="hci0", at=AT)
REBOOT = LastRung(rung=Rung.REBOOT, because=Cause.BUS_GONE, adapter="", at=AT)


def test_the_next_life_goes_on_counting(tmp_path: Path) -> None:
    path = recovery_path(tmp_path / "outbox.sqlite")
    log = RecoveryLog(path)
    log.read()
    for rung in (RESCAN, RESCAN, REBOOT):
        log.taken(rung)
    log.refused()
    again = RecoveryLog(path)
    again.read()
    assert again.state == RecoveryState(taken={Rung.RESCAN: 2, Rung.REBOOT: 1}, refused=1, last=REBOOT)
    again.taken(RESCAN)
    assert again.state.taken[Rung.RESCAN] == 3


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", '{"taken": {"dance": 1}, "refused": 0, "last": null}', "\x00", '{"taken": 1}', "[" * 9999],
)
def test_an_unreadable_file_costs_the_counts_and_nothing_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "recovery.json"
    path.write_text(text)
    log = RecoveryLog(path)
    log.read()
    assert log.state == RecoveryState()
    log.taken(RESCAN)
    again = RecoveryLog(path)
    again.read()
    assert again.state.last == RESCAN


def test_a_disk_that_takes_nothing_stops_no_recovery(tmp_path: Path) -> None:
    folder = tmp_path / "a file, not a folder"
    folder.write_text("")
    log = RecoveryLog(folder / "recovery.json")
    log.read()
    log.taken(RESCAN)
    assert log.state.taken == {Rung.RESCAN: 1}

"""For how long the oldest reading of an outbox has waited, as the heartbeat tells it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.clocks.placing import Stamp
from gateway.outbox.account import Oldest
from gateway.outbox.rows import RowRange
from gateway.report.status import oldest_age_s
from tests.gateway.outbox_rows import EPOCH, EPOCH_MS, opened, stamped
from vitals.reading import Acquisition


def test_the_oldest_is_the_first_that_waits_and_is_no_devices_own_record(tmp_path: Path) -> None:
    outbox = opened(tmp_path / "outbox.sqlite")
    assert outbox.account().oldest is None
    outbox.accept([stamped(0, acquisition=Acquisition.STORED), stamped(1000), stamped(2000)])
    oldest = Oldest(wall_ms=EPOCH_MS + 1000, mono_ms=1000, boot_id=7, synchronised=True)
    assert outbox.account().oldest == oldest
    outbox.stored([RowRange(2, 3)])
    found = outbox.account().oldest
    assert found is not None
    assert found.mono_ms == 2000
    outbox.stored([RowRange(3, 4)])
    assert outbox.account().oldest is None
    outbox.close()


@pytest.mark.parametrize(
    ("now", "then", "age_s"),
    [
        ({}, {}, 900.0),
        ({"mono_ms": 5}, {}, 900.0),
        ({"synchronised": False}, {}, 60.0),
        ({}, {"synchronised": False}, 60.0),
        ({}, {"synchronised": False, "boot_id": 6}, None),
        ({"synchronised": False}, {"boot_id": 6}, None),
        ({}, {"wall_ms": EPOCH_MS + 2_000_000}, 0.0),
    ],
)
def test_the_wall_counts_where_it_is_sure_else_the_boots_own_clock(
    now: dict[str, Any], then: dict[str, Any], age_s: float | None
) -> None:
    at: dict[str, Any] = {"wall": EPOCH + timedelta(seconds=900), "mono_ms": 61_000, "boot_id": 7, "synchronised": True}
    was: dict[str, Any] = {"wall_ms": EPOCH_MS, "mono_ms": 1000, "boot_id": 7, "synchronised": True}
    assert oldest_age_s(Oldest(**was | then), Stamp(**at | now)) == age_s
    assert oldest_age_s(None, Stamp(**at | now)) is None

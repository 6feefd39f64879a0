"""From notifications to accepted rows: groups, a full disk, the bound of what waits."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.floor import Floor
from gateway.intake import WAITING_MAX, Intake, Notification, taken_apart
from gateway.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.outbox_door import OutboxDoor
from gateway.placing import Place
from gateway.rows import ROW_END, RowRange
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock
from vitals.reading import Acquisition

WHERE = Place(zone=UTC, stored_after=timedelta(minutes=2))
FLOOR = Floor(spo2_below=9000, temperature_from=3900)
SPO2_97, SPO2_80 = "0061004800", "0050004800"
KEEPER = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED))


def notification(payload: str, characteristic: str = "2a5f") -> Notification:
    return Notification(
        device="AA", characteristic=characteristic, payload=bytes.fromhex(payload), stamp=KEEPER.stamp()
    )


class Rig:
    """An intake at work on a real outbox."""

    def __init__(self, door: OutboxDoor) -> None:
        self.door = door
        self.urgent: list[bool] = []
        self.intake = Intake(door, where=WHERE, floor=FLOOR, on_accepted=self.urgent.append)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
    rig = Rig(door)
    task = asyncio.create_task(rig.intake.run())
    yield rig
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await door.close()


async def test_what_waits_is_accepted_in_one_group(rig: Rig) -> None:
    for _ in range(50):
        rig.intake.take(notification(SPO2_97))
    await rig.intake.drained()
    assert len(rig.urgent) == 1
    account = await rig.door.account()
    assert account.accepted == rig.intake.counts.accepted == 100


@pytest.mark.parametrize(
    ("characteristic", "payload", "urgent"),
    [
        ("2a5f", SPO2_97, False),
        ("2a5f", "005a004800", False),  # 90 % is not below 90
        ("2a5f", "0083f34800", True),  # 89.9 %
        ("2a5f", SPO2_80, True),
        ("2a5f", "0850004800" + "100000", False),  # poor signal: at most one flush interval later
        ("2a1c", "00850100ff", False),  # 38.9 °C
        ("2a1c", "00860100ff", True),  # 39.0 °C
    ],
)
async def test_a_reading_beyond_the_local_floor_is_urgent(
    rig: Rig, characteristic: str, payload: str, urgent: bool
) -> None:
    rig.intake.take(notification(payload, characteristic))
    await rig.intake.drained()
    assert rig.urgent == [urgent]


async def test_what_can_not_be_decoded_is_kept_and_stops_nothing(rig: Rig) -> None:
    for payload in ("00", SPO2_97, ""):
        rig.intake.take(notification(payload))
    await rig.intake.drained()
    account = await rig.door.account()
    assert (account.accepted, account.undecoded) == (2, 2)


async def test_a_full_disk_is_waited_for_and_nothing_waiting_is_lost(rig: Rig) -> None:
    db = rig.door._outbox._db
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1"))  # SQLite's own "database or disk is full"
    for _ in range(500):
        rig.intake.take(notification(SPO2_97))
    await eventually(lambda: rig.intake.counts.disk_full)
    rig.intake.take(notification(SPO2_80))
    assert (await rig.door.account()).accepted == 0
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1000000"))
    await rig.intake.drained()
    assert not rig.intake.counts.disk_full
    rows = await rig.door.read(RowRange(0, ROW_END), limit=10_000)
    assert [row.row_no for row in rows] == list(range(1, 1003))
    assert rows[-2].value == 8000


async def test_at_the_bound_the_oldest_waiting_is_dropped_and_counted(tmp_path: Path) -> None:
    door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
    idle = Rig(door)
    for _ in range(WAITING_MAX):
        idle.intake.take(notification(SPO2_97))
    idle.intake.take(notification(SPO2_80))
    assert idle.intake.counts.overrun == 1
    assert len(idle.intake._waiting) == WAITING_MAX
    assert idle.intake._waiting[-1].payload == bytes.fromhex(SPO2_80)
    await door.close()


def test_records_of_a_memory_come_after_live_rows_in_their_order() -> None:
    def stored(days: int) -> Notification:
        then = datetime.now(UTC) - timedelta(days=days)
        time = then.year.to_bytes(2, "little") + bytes((then.month, then.day, then.hour, then.minute, then.second))
        return notification("02700100ff" + time.hex(), "2a1c")

    rows = taken_apart([stored(3), notification(SPO2_97), stored(2)], WHERE).rows
    assert [row.reading.acquisition for row in rows] == [
        Acquisition.CONTINUOUS,
        Acquisition.CONTINUOUS,
        Acquisition.STORED,
        Acquisition.STORED,
    ]
    assert rows[2].reading.measured_at < rows[3].reading.measured_at

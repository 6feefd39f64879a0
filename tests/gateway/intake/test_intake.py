"""From notifications to accepted rows: groups, a full disk, the bound of what waits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.alarm.local_alarm import LocalAlarm
from gateway.alarm.settings import LocalAlarmSettings
from gateway.box.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.clocks.placing import Place, Stamp, Stamped
from gateway.drivers import viatom
from gateway.drivers.checksums import crc8
from gateway.drivers.table import BLUETOOTH_SIG, DRIVER_BY_NAME
from gateway.gatt.decoded import Decoded
from gateway.intake.intake import BATCH_MAX, WAITING_MAX, Intake, Memory, Notification, taken_apart
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.outbox.rows import ROW_END, RowRange
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock
from vitals.quality import Quality
from vitals.reading import Acquisition
from vitals.signals import SIGNAL_BY_CODE, Signal

WHERE = Place(zone=UTC, stored_after=timedelta(minutes=2))
FLOOR = Floor(spo2_below=9000, temperature_from=3900)
SPO2_97, SPO2_80 = "0061004800", "0050004800"
KEEPER = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED))


def notification(payload: str, characteristic: str = "2a5f") -> Notification:
    return Notification(
        device="AA",
        driver="bluetooth_sig",
        characteristic=characteristic,
        payload=bytes.fromhex(payload),
        stamp=KEEPER.stamp(),
    )


class Rig:
    """An intake at work on a real outbox."""

    def __init__(self, door: OutboxDoor, **bounds: float) -> None:
        self.door = door
        self.urgent: list[bool] = []
        self.read: list[Stamped] = []
        self.intake = Intake(
            door, where=WHERE, floor=FLOOR, on_accepted=self.urgent.append, on_read=self.read.extend, **bounds
        )


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


async def test_what_can_not_be_decoded_is_said_once_an_hour_for_each_device_and_error(rig: Rig) -> None:
    with capture_logs() as logs:
        for payload in ("00", "", "01", "02") * 50:
            rig.intake.take(notification(payload))
        rig.intake.take(replace(notification("00"), device="BB"))
        await rig.intake.drained()
    said = [entry for entry in logs if entry["event"] == "undecoded"]
    assert {entry["device"] for entry in said} == {"AA", "BB"}
    assert len(said) <= 4
    assert {entry["times"] for entry in said} == {1}
    assert rig.intake.counts.undecoded == 201


async def test_a_full_disk_is_waited_for_and_nothing_waiting_is_lost(rig: Rig) -> None:
    db = rig.door._outbox._current._book().db
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1"))  # SQLite's own "database or disk is full"
    for _ in range(500):
        rig.intake.take(notification(SPO2_97))
    await eventually(lambda: rig.intake.counts.disk_full)
    rig.intake.take(notification(SPO2_80))
    assert (await rig.door.account()).accepted == 0
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1000000"))
    await rig.intake.drained()
    assert not rig.intake.counts.disk_full
    rows = (await rig.door.read(RowRange(0, ROW_END), limit=10_000)).rows
    assert [row[0] for row in rows] == list(range(1, 1003))
    assert rows[-2][5] == 8000


async def test_while_the_disk_is_full_readings_are_read_all_the_same(rig: Rig) -> None:
    db = rig.door._outbox._current._book().db
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1"))
    for _ in range(500):
        rig.intake.take(notification(SPO2_97))
    await eventually(lambda: rig.intake.counts.disk_full)
    for number in range(1, 4):
        rig.intake.take(notification(SPO2_80))
        await eventually(lambda number=number: len(rig.read) == 1000 + 2 * number)  # type: ignore[misc]
    assert rig.read[-2].reading.value == 8000
    assert rig.intake.counts.accepted == 0
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1000000"))
    await rig.intake.drained()
    assert rig.intake.counts.accepted == len(rig.read) == 1006  # read once, accepted once
    assert rig.urgent == [False, True]  # what waited is one group


async def test_while_the_disk_is_full_no_more_than_its_bound_is_kept(rig: Rig) -> None:
    db = rig.door._outbox._current._book().db
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1"))
    for _ in range(500):
        rig.intake.take(notification(SPO2_97))
    await eventually(lambda: rig.intake.counts.disk_full)
    for _ in range(11):
        for _ in range(BATCH_MAX):
            rig.intake.take(notification(SPO2_97))
        await eventually(lambda: not rig.intake._waiting)
    assert rig.intake.counts.overrun == BATCH_MAX
    await rig.door._call(lambda: db.execute("PRAGMA max_page_count = 1000000"))
    await rig.intake.drained()
    assert rig.intake.counts.accepted == 2 * (10 * BATCH_MAX + 500)


async def test_a_wellness_wearable_is_kept_and_raises_nothing_by_itself(rig: Rig) -> None:
    head = bytes((0x55, 0, 0xFF, 0, 0, 13, 0)) + bytes.fromhex("504200000000006100920a0100")  # a ring: worn, 80 %
    frame = head + bytes((crc8(head),))
    ring = replace(notification(SPO2_80), driver=viatom.DRIVER.name, characteristic=viatom.NOTIFY, payload=frame)
    assert viatom.DRIVER.wellness
    rig.intake.take(ring)
    await rig.intake.drained()
    assert rig.intake.counts.accepted == 3
    assert rig.read == []


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

    rows = taken_apart([stored(3), notification(SPO2_97), stored(2)], WHERE, Memory()).rows
    assert [row.reading.acquisition for row in rows] == [
        Acquisition.CONTINUOUS,
        Acquisition.CONTINUOUS,
        Acquisition.STORED,
        Acquisition.STORED,
    ]
    assert rows[2].reading.measured_at < rows[3].reading.measured_at


async def test_a_measurement_sent_again_is_one_row_and_counted(rig: Rig) -> None:
    for _ in range(3):
        rig.intake.take(notification("00860100ff", "2a1c"))
    await rig.intake.drained()
    rig.intake.take(notification("00860100ff", "2a1c"))
    await rig.intake.drained()
    assert (await rig.door.account()).accepted == 1
    assert rig.intake.counts.repeats == 3


async def test_a_vendor_s_frame_is_read_by_its_driver_and_an_unknown_driver_s_is_kept(rig: Rig) -> None:
    frame = notification("81485f20", "cdeacb81-5235-4c07-8846-93a37ee6b86d")
    rig.intake.take(replace(frame, driver="jumper"))
    rig.intake.take(replace(frame, driver="nobody"))
    await rig.intake.drained()
    rows = (await rig.door.read(RowRange(0, ROW_END), limit=10)).rows
    assert {(SIGNAL_BY_CODE[row[4]], row[5]) for row in rows} >= {(Signal.SPO2, 9500), (Signal.PULSE, 7200)}
    assert (await rig.door.account()).undecoded == 1


async def test_the_battery_s_newest_word_is_remembered(rig: Rig) -> None:
    for level in ("64", "63"):
        rig.intake.take(notification(level, "2a19"))
    await rig.intake.drained()
    assert rig.intake.battery_percent("AA") == 99.0
    assert rig.intake.battery_percent("BB") is None


def test_every_beat_of_a_payload_and_of_the_next_has_an_instant_of_its_own() -> None:
    memory = Memory()
    began = datetime(2026, 1, 1, tzinfo=UTC)

    def beats(at_ms: int, *intervals_1024: int) -> list[Stamped]:
        stamp = Stamp(wall=began + timedelta(milliseconds=at_ms), mono_ms=at_ms, boot_id=1, synchronised=True)
        payload = "1048" + b"".join(i.to_bytes(2, "little") for i in intervals_1024).hex()
        rows = taken_apart([replace(notification(payload, "2a37"), stamp=stamp)], WHERE, memory).rows
        return [row for row in rows if row.reading.signal is Signal.RR_INTERVAL]

    rows = [*beats(10_000, 1024, 1024, 512), *beats(10_500, 512), *beats(10_600, 1024, 1024), *beats(11_600, 512, 512)]
    instants = [row.reading.measured_at for row in rows]
    assert len(rows) == 8
    assert instants == sorted(set(instants))
    monos = [row.mono_ms for row in rows]
    assert monos == sorted(set(monos))
    assert (instants[0], instants[2]) == (began + timedelta(seconds=8.5), began + timedelta(seconds=10))


def test_a_beat_lies_before_its_payload_by_clinical_time_on_the_wall_and_by_machine_time_on_the_boot_s_clock() -> None:
    fast = replace(WHERE, speed=20.0)
    stamp = Stamp(wall=datetime(2026, 1, 1, tzinfo=UTC), mono_ms=10_000, boot_id=1, synchronised=True)
    rows = taken_apart([replace(notification("104800040004", "2a37"), stamp=stamp)], fast, Memory()).rows
    older, newer = (row for row in rows if row.reading.signal is Signal.RR_INTERVAL)
    assert newer.reading.measured_at - older.reading.measured_at == timedelta(seconds=1)
    assert newer.mono_ms - older.mono_ms == 50


NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
AT_NOW = Stamp(wall=NOW, mono_ms=10_000, boot_id=1, synchronised=True)
FROM_STORAGE = "0002"


def spot_check(shown: datetime, *, stamp: Stamp, spo2: int = 80, from_storage: bool = False) -> Notification:
    """A PLX Spot-Check Measurement with the device's time, and its word that it comes from its storage."""
    time = shown.year.to_bytes(2, "little") + bytes((shown.month, shown.day, shown.hour, shown.minute, shown.second))
    head = "03" if from_storage else "01"
    payload = f"{head}{spo2:02x}004800{time.hex()}{FROM_STORAGE if from_storage else ''}"
    return replace(notification(payload, "2a5e"), stamp=stamp)


def glucose(sequence: int, shown: datetime, *, stamp: Stamp = AT_NOW) -> Notification:
    """A record of a glucose meter: 5.5 mmol/l, capillary whole blood, finger."""
    time = shown.year.to_bytes(2, "little") + bytes((shown.month, shown.day, shown.hour, shown.minute, shown.second))
    payload = b"\x06" + sequence.to_bytes(2, "little") + time + bytes.fromhex("37c011")
    return replace(notification(payload.hex(), "2a18"), stamp=stamp)


@pytest.mark.parametrize(("from_storage", "awaited"), [(False, ("AA",)), (True, ())])
def test_while_our_clock_is_in_doubt_the_alarm_hears_what_may_have_been_made_just_now(
    from_storage: bool, awaited: tuple[str, ...]
) -> None:
    alarm = LocalAlarm(LocalAlarmSettings().rules())
    doubtful = replace(AT_NOW, synchronised=False)
    batch = taken_apart([spot_check(NOW, stamp=doubtful, from_storage=from_storage)], WHERE, Memory())
    for row in batch.telling:
        alarm.hear(row.reading, row.mono_ms)
    assert alarm.awaiting_repeat == awaited
    kept = [*batch.rows, *(row for record in batch.records for row in record.rows)]
    assert {(row.reading.acquisition, row.reading.measured_at) for row in kept} == {(Acquisition.STORED, NOW)}


def test_what_a_right_clock_calls_old_is_no_alarm() -> None:
    batch = taken_apart([spot_check(NOW - timedelta(hours=3), stamp=AT_NOW)], WHERE, Memory())
    assert {row.reading.acquisition for row in batch.telling} == {Acquisition.STORED}


@pytest.mark.parametrize("began", [datetime(2000, 1, 1, tzinfo=UTC), NOW - timedelta(days=30)])
async def test_a_memory_fetched_at_every_link_is_accepted_once_whatever_its_clock(
    tmp_path: Path, began: datetime
) -> None:
    for life in range(3):  # a gateway that was started anew knows it too
        door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
        rig = Rig(door)
        task = asyncio.create_task(rig.intake.run())
        for link in range(2):
            for number in range(100):
                at_ms = 600_000 * (2 * life + link) + number
                stamp = replace(AT_NOW, wall=NOW + timedelta(milliseconds=at_ms), mono_ms=at_ms)
                rig.intake.take(glucose(number, began + timedelta(minutes=number), stamp=stamp))
            await rig.intake.drained()
        account = await door.account()
        assert (account.accepted, account.repeated) == (100, 100 * (2 * life + 1))
        assert rig.intake.counts.accepted == (100 if life == 0 else 0)
        assert rig.urgent == ([False] if life == 0 else [])  # nothing new: nobody is woken
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await door.close()


def glucose_without_time(number: int) -> Notification:
    """A record of a meter whose clock was never set."""
    return notification(f"06{number.to_bytes(2, 'little').hex()}{'00' * 7}37c011", "2a18")


def spot_check_without_time(number: int) -> Notification:
    """An oximeter's stored SpO2 (70 to 99 %) and pulse, without a timestamp."""
    return notification(f"02{70 + number:02x}004800{FROM_STORAGE}", "2a5e")


def spot_check_of_an_unset_clock(number: int) -> Notification:
    """The same with a timestamp of which the oximeter says that it is none."""
    return notification(f"13{70 + number:02x}004800e8070101000000{FROM_STORAGE}", "2a5e")


@pytest.mark.parametrize(
    ("record", "rows_each"),
    [(glucose_without_time, 1), (spot_check_without_time, 2), (spot_check_of_an_unset_clock, 2)],
)
async def test_a_memory_without_any_time_is_accepted_once_and_told(
    tmp_path: Path, record: Callable[[int], Notification], rows_each: int
) -> None:
    for life in range(2):
        door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
        rig = Rig(door)
        task = asyncio.create_task(rig.intake.run())
        for link in range(3):
            for number in range(30):
                at_ms = 600_000 * (3 * life + link) + number
                stamp = replace(AT_NOW, wall=NOW + timedelta(milliseconds=at_ms), mono_ms=at_ms)
                rig.intake.take(replace(record(number), stamp=stamp))
            await rig.intake.drained()
        account = await door.account()
        assert (account.accepted, account.repeated) == (30 * rows_each, 30 * (3 * life + 2))
        excerpt = await door.read(RowRange(1, ROW_END), limit=1000)
        kept = {(excerpt.sources[row[1]].acquisition, Quality(row[6])) for row in excerpt.rows}
        assert kept == {(Acquisition.STORED, Quality.INVALID)}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await door.close()


async def test_a_measurement_taken_live_is_not_taken_again_from_the_memory_after_a_restart(tmp_path: Path) -> None:
    for life in range(2):
        door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
        rig = Rig(door)
        task = asyncio.create_task(rig.intake.run())
        if life == 0:
            rig.intake.take(spot_check(NOW, stamp=AT_NOW))
        rig.intake.take(spot_check(NOW, stamp=AT_NOW, from_storage=True))
        await rig.intake.drained()
        assert (await door.account()).accepted == 2  # SpO2 and pulse
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await door.close()


async def test_a_low_record_never_seen_before_is_urgent_and_seen_before_is_not(rig: Rig) -> None:
    for minutes in (0, 10):
        stamp = replace(AT_NOW, wall=NOW + timedelta(minutes=minutes))
        rig.intake.take(spot_check(NOW - timedelta(days=1), stamp=stamp, from_storage=True))
        await rig.intake.drained()
    assert rig.urgent == [True]


@pytest.mark.parametrize("offset_s", [None, -8 * 3600.0])
async def test_a_frame_dated_at_the_end_of_the_calendar_stops_nothing(rig: Rig, offset_s: float | None) -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    rig.intake.take(replace(spot_check(end, stamp=AT_NOW), clock_offset_s=offset_s))
    rig.intake.take(replace(spot_check(end, stamp=AT_NOW, from_storage=True), clock_offset_s=offset_s))
    rig.intake.take(notification(SPO2_97))
    await rig.intake.drained()
    assert rig.intake.counts.groups == 1
    assert rig.read[-2].reading.value == 9700


async def test_a_fault_of_ours_costs_one_frame_and_not_the_gateway(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(uuid: str, frame: bytes) -> Decoded:  # noqa: ARG001
        raise ZeroDivisionError(len(frame))

    monkeypatch.setitem(DRIVER_BY_NAME, "faulty", replace(BLUETOOTH_SIG, name="faulty", decode=decode))
    with capture_logs() as logs:
        rig.intake.take(replace(notification(SPO2_97), driver="faulty"))
        rig.intake.take(notification(SPO2_80))
        await rig.intake.drained()
    account = await rig.door.account()
    assert (account.accepted, account.undecoded, rig.intake.counts.undecoded) == (2, 1, 1)
    assert [log["exc_info"] for log in logs if log["log_level"] == "error"] == [True]
    (note,) = await rig.door._call(lambda: rig.door._outbox._current.undecoded(limit=10))
    assert (note.payload, note.error) == (bytes.fromhex(SPO2_97), "ZeroDivisionError: 5")

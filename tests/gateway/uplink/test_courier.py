"""The courier against a real Mosquitto and a stand-in for ingest."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from gateway.box.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.clocks.placing import Stamped
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.report.status import OFFLINE
from gateway.uplink.courier import URGENT_GAP_S_MIN, Courier, CourierPlan
from gateway.uplink.throttle import UNANSWERED_MAX
from gateway.uplink.uplink import BrokerAddress, Listener, Uplink
from gateway.uplink.window import Bounds
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.outbox.test_damage import no_more_handles
from tests.gateway.stand_in import StandIn
from tests.gateway.thin_line import thin_line
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock
from vitals.quality import Quality
from vitals.reading import Reading
from vitals.signals import Signal

FLOOR = Floor(spo2_below=9000, temperature_from=3900)
NEVER_S = 3600.0
PATIENT = {"silence_s_min": NEVER_S, "silence_s_max": NEVER_S}


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A courier at work."""

    door: OutboxDoor
    courier: Courier
    uplink: Uplink
    timekeeper: Timekeeper

    async def accept(self, *values: int, quality: Quality = Quality.GOOD) -> None:
        """Accept SpO2 readings, as the intake does."""
        stamp = self.timekeeper.stamp()
        rows = [
            Stamped(
                reading=Reading(
                    device="AA",
                    signal=Signal.SPO2,
                    measured_at=stamp.wall + timedelta(milliseconds=n),
                    value=value,
                    quality=quality,
                ),
                mono_ms=stamp.mono_ms,
                boot_id=stamp.boot_id,
                synchronised=stamp.synchronised,
            )
            for n, value in enumerate(values)
        ]
        await self.door.accept(rows, [])
        self.courier.accepted(any(FLOOR.is_breached(Signal.SPO2, v, quality) for v in values))

    async def until_depth(self, depth: int) -> None:
        """Wait until so many rows lie in the outbox."""

        async def has_depth() -> bool:
            return (await self.door.account()).depth == depth

        await eventually(has_depth)


@asynccontextmanager
async def running(path: Path, broker: Mosquitto, gateway_id: str, **changes: Any) -> AsyncIterator[Rig]:
    options: dict[str, Any] = {"flush_s": 0.05, "rows_max": 100, "silence_s_min": 0.3, "silence_s_max": 1.0} | changes
    door = await OutboxDoor.opened(path, bytes_max=1 << 30, undecoded_max=10)
    timekeeper = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED))
    courier = Courier(
        door,
        timekeeper,
        CourierPlan(
            flush_s=options["flush_s"],
            rows_max=options["rows_max"],
            bounds=Bounds(
                in_flight_max=4,
                live_slots=1,
                silence_s_min=options["silence_s_min"],
                silence_s_max=options["silence_s_max"],
            ),
            floor=FLOOR,
        ),
    )
    uplink = Uplink(
        BrokerAddress(
            host="127.0.0.1",
            port=options.get("port", broker.port),
            gateway_id=gateway_id,
            in_flight_max=4,
            reconnect_s_max=1,
        ),
        Listener(on_connected=courier.connected, on_ack=courier.acknowledged),
        will=OFFLINE,
    )
    courier.uplink = uplink
    uplink.start()
    task = asyncio.create_task(courier.run())
    try:
        yield Rig(door=door, courier=courier, uplink=uplink, timekeeper=timekeeper)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await uplink.stop()
        await door.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


async def test_rows_are_forgotten_when_ingest_says_stored(path: Path, broker: Mosquitto, gateway_id: str) -> None:
    async with StandIn("127.0.0.1", broker.port, gateway_id) as ingest, running(path, broker, gateway_id) as rig:
        await rig.accept(9700, 9600, 9500)
        await rig.until_depth(0)
        assert [ingest.rows[n].value for n in (1, 2, 3)] == [9700, 9600, 9500]
        assert ingest.times_ms[3] - ingest.times_ms[1] == 2
        assert ingest.headers[1].outbox_id == rig.door.outbox_id
        assert abs(datetime.now(UTC).timestamp() * 1000 - ingest.headers[1].sent_ms) < 60_000
        account = await rig.door.account()
        assert (account.accepted, account.stored) == (3, 3)


async def test_a_puback_means_nothing_and_silence_sends_again(path: Path, broker: Mosquitto, gateway_id: str) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest,
        running(path, broker, gateway_id) as rig,
    ):
        await rig.accept(9700)
        await ingest.until(lambda i: i.copies >= 2)
        assert len(rig.uplink._unacknowledged) <= 1
        assert (await rig.door.account()).depth == 1
        assert rig.courier.counts.sent_again >= 2
        ingest.acknowledge_all()
        await rig.until_depth(0)


async def test_only_acknowledged_ranges_go_and_the_rest_is_sent_again(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest,
        running(path, broker, gateway_id) as rig,
    ):
        await rig.accept(*([9700] * 10))
        await ingest.until(lambda i: len(i.rows) == 10)
        ingest.acknowledge(rig.door.outbox_id, [[3, 5], [9, 11]])
        await rig.until_depth(6)
        seen = len(ingest.messages)
        await ingest.until(lambda i: len(i.messages) >= seen + 2)
        again = {(m.header.first_row, m.row_count) for m in ingest.messages[seen:]}
        assert again <= {(1, 10), (1, 2), (5, 4)}
        ingest.acks = True
        await rig.until_depth(0)


async def test_foreign_unreadable_and_impossible_words_delete_nothing(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest,
        running(path, broker, gateway_id, silence_s_min=NEVER_S, silence_s_max=NEVER_S) as rig,
    ):
        await rig.accept(9700)
        await ingest.until(lambda i: len(i.rows) == 1)
        ingest.acknowledge(uuid4(), [[1, 2]])
        ingest.say(b"nonsense")
        ingest.acknowledge(rig.door.outbox_id, [[2, 2**62]])  # rows that were never sent
        await eventually(lambda: rig.courier.counts.acks == 1)
        await rig.accept(9600)
        await ingest.until(lambda i: len(i.rows) == 2)
        assert (await rig.door.account()).depth == 2
        assert (rig.courier.counts.acks_foreign, rig.courier.counts.acks_unreadable) == (1, 1)


async def test_in_flight_is_bounded_and_backlog_drains_with_the_acks(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    door = await OutboxDoor.opened(path, bytes_max=1 << 30, undecoded_max=10)
    stamp = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED)).stamp()
    reading = Reading(device="AA", signal=Signal.SPO2, measured_at=stamp.wall, value=9700)
    row = Stamped(reading=reading, mono_ms=stamp.mono_ms, boot_id=stamp.boot_id, synchronised=True)
    await door.accept([row] * 5_000, [])
    await door.close()
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest,
        running(path, broker, gateway_id, silence_s_min=NEVER_S, silence_s_max=NEVER_S) as rig,
    ):
        await ingest.until(lambda i: len(i.messages) == 3)
        await rig.accept(9600)  # live data keep a slot of their own
        await ingest.until(lambda i: 5001 in i.rows)
        assert len(ingest.messages) == 4
        assert [m.header.backlog for m in ingest.messages] == [True, True, True, False]
        assert [m.header.first_row for m in ingest.messages[:3]] == [1, 101, 201]
        ingest.acks = True
        ingest.acknowledge_all()
        await rig.until_depth(0)
        assert len(ingest.rows) == 5_001
        assert ingest.copies == 0


async def test_on_a_thin_line_backlog_makes_itself_small_and_the_present_overtakes_it(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    await _leave(path, 20_000)
    async with (
        thin_line(broker.port, bytes_per_s=6_000) as line,
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        running(path, broker, gateway_id, port=line.port, rows_max=2_000, **PATIENT) as rig,
    ):
        await ingest.until(lambda i: any(m.header.backlog and m.row_count <= 500 for m in i.messages))
        await rig.accept(8800)
        before = len(ingest.messages)
        await ingest.until(lambda i: any(row.value == 8800 for row in i.rows.values()))
        between = [m for m in ingest.messages[before:] if m.header.backlog]
        assert len(between) <= UNANSWERED_MAX + 1
        assert sum(m.row_count for m in between) <= 1_500
        line.bytes_per_s = 10_000_000
        await rig.until_depth(0)
        assert len(ingest.rows) == 20_001
        assert ingest.copies == 0


async def test_what_is_salvaged_from_a_broken_file_is_sent_as_backlog(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    await _leave(path, 5_000)
    with path.open("r+b") as file:
        file.seek(100 * 1024)
        file.write(bytes(range(256)) * 4)
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        running(path, broker, gateway_id) as rig,
    ):
        await ingest.until(lambda i: len(i.rows) > 4_900)
        await rig.accept(9600)
        await ingest.until(lambda i: any(row.value == 9600 for row in i.rows.values()))
        await rig.until_depth(0)
        assert {m.header.outbox_id for m in ingest.messages} == {rig.door.outbox_id}
        assert {m.header.backlog for m in ingest.messages} == {True, False}
        assert ingest.copies == 0


async def test_an_outbox_that_breaks_while_running_is_sent_from_anew(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        running(path, broker, gateway_id) as rig,
    ):
        await rig.accept(9700)
        await rig.until_depth(0)
        first_id = rig.door.outbox_id
        db = rig.door._outbox._current._book().db
        await rig.door._on_thread(lambda: db.execute("DROP TABLE reading"))
        await rig.accept(9600)
        await rig.until_depth(0)
        assert rig.door.outbox_id != first_id
        assert sorted(row.value for row in ingest.rows.values()) == [9600, 9700]


async def test_a_low_reading_does_not_wait_for_the_flush(path: Path, broker: Mosquitto, gateway_id: str) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        running(path, broker, gateway_id, flush_s=NEVER_S) as rig,
    ):
        await eventually(lambda: rig.uplink.connected and rig.courier._next_flush_s > 0)
        await rig.accept(9700)
        await rig.accept(8800, quality=Quality.QUESTIONABLE)
        await rig.accept(8900)
        await ingest.until(lambda i: any(row.value == 8900 for row in i.rows.values()))
        assert ingest.urgent[-1]
        assert len(ingest.rows) == 3


async def test_who_falls_while_another_stays_low_is_not_kept_waiting(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        running(path, broker, gateway_id, flush_s=NEVER_S) as rig,
    ):
        await eventually(lambda: rig.uplink.connected and rig.courier._next_flush_s > 0)
        for value in (8900, 8800, 8700):
            await rig.accept(value)
            await ingest.until(lambda i, value=value: any(row.value == value for row in i.rows.values()))
        assert all(ingest.urgent)


async def test_who_stays_low_fills_no_window_of_an_ingest_that_does_not_answer(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest,
        running(path, broker, gateway_id, flush_s=NEVER_S, **PATIENT) as rig,
    ):
        await eventually(lambda: rig.uplink.connected and rig.courier._next_flush_s > 0)
        await rig.accept(8900)
        await ingest.until(lambda i: len(i.messages) == 1)
        for value in (8800, 8700, 8600):
            await rig.accept(value)
            rig.courier._last_urgent_s -= 10 * URGENT_GAP_S_MIN
            await rig.courier.step()
            assert rig.courier.window.in_flight == 1
        ingest.acknowledge_all()
        await ingest.until(lambda i: len(i.rows) == 4)
        assert len(ingest.messages) == 2


async def test_an_outbox_that_can_not_write_stops_nothing(path: Path, broker: Mosquitto, gateway_id: str) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest,
        running(path, broker, gateway_id) as rig,
    ):
        await rig.accept(9700)
        await ingest.until(lambda i: len(i.rows) == 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ingest.acks = True
            await ingest.until(lambda i: i.copies >= 2)
            await eventually(lambda: rig.courier.counts.acks >= 1)
            other.execute("ROLLBACK")
        await rig.until_depth(0)


async def test_an_outbox_that_breaks_and_can_not_be_put_aside_does_not_keep_the_gateway_from_its_goodbye(
    path: Path, broker: Mosquitto, gateway_id: str
) -> None:
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        running(path, broker, gateway_id, flush_s=NEVER_S) as rig,
    ):
        await eventually(lambda: rig.uplink.connected and rig.courier._next_flush_s > 0)
        await rig.accept(9700)
        db = rig.door._outbox._current._book().db
        await rig.door._on_thread(lambda: db.execute("DROP TABLE reading"))
        with no_more_handles():
            await rig.courier.flush()
        assert (await rig.door.account()).depth == 0
        assert rig.door.set_aside is not None
        await rig.accept(9600)
        await rig.courier.flush()
        await ingest.until(lambda i: [row.value for row in i.rows.values()] == [9600])


async def test_a_broker_killed_and_restarted_loses_nothing(path: Path, own_broker: Mosquitto, gateway_id: str) -> None:
    async with (
        StandIn("127.0.0.1", own_broker.port, gateway_id) as ingest,
        running(path, own_broker, gateway_id) as rig,
    ):
        await rig.accept(9700)
        await rig.until_depth(0)
        await asyncio.to_thread(own_broker.kill)
        await eventually(lambda: not rig.uplink.connected)
        for value in (9600, 9500, 9400):
            await rig.accept(value)
        assert (await rig.door.account()).depth == 3
        await asyncio.to_thread(own_broker.start)
        await rig.until_depth(0)
        assert sorted(row.value for row in ingest.rows.values()) == [9400, 9500, 9600, 9700]
        assert len(rig.uplink._client._out_messages) <= 1


async def test_a_broker_that_comes_late_is_waited_for(path: Path, own_broker: Mosquitto, gateway_id: str) -> None:
    await asyncio.to_thread(own_broker.kill)
    async with running(path, own_broker, gateway_id) as rig:
        await rig.accept(9700, 9600)
        assert not rig.uplink.connected
        await asyncio.to_thread(own_broker.start)
        async with StandIn("127.0.0.1", own_broker.port, gateway_id):
            await rig.until_depth(0)
        assert rig.uplink.connects >= 1


async def test_a_second_life_sends_what_the_first_left(path: Path, broker: Mosquitto, gateway_id: str) -> None:
    async with StandIn("127.0.0.1", broker.port, gateway_id, acks=False) as ingest:
        await _accept_one(path, broker, gateway_id, ingest)
        ingest.acks = True
        async with running(path, broker, gateway_id) as rig:
            await rig.until_depth(0)
        assert list(ingest.rows) == [1]
        assert ingest.copies >= 1


async def _leave(path: Path, rows: int) -> None:
    """Leave so many rows in an outbox, as a gateway does that was offline."""
    door = await OutboxDoor.opened(path, bytes_max=1 << 30, undecoded_max=10)
    stamp = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED)).stamp()
    reading = Reading(device="AA", signal=Signal.SPO2, measured_at=stamp.wall, value=9700)
    row = Stamped(reading=reading, mono_ms=stamp.mono_ms, boot_id=stamp.boot_id, synchronised=stamp.synchronised)
    await door.accept([row] * rows, [])
    await door.close()


async def _accept_one(path: Path, broker: Mosquitto, gateway_id: str, ingest: StandIn) -> None:
    async with running(path, broker, gateway_id) as rig:
        await rig.accept(9700)
        await ingest.until(lambda i: len(i.rows) == 1)

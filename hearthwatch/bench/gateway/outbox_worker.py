"""The gateway's way from a frame to the broker without a radio, in a process of its own: paced, pressed, or draining.

`python -m hearthwatch.bench.gateway.outbox_worker JOB` prints one JSON document; jobs are the functions at the end.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import structlog

from gateway.box.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.clocks.placing import Place, Stamped
from gateway.intake.intake import Intake, Notification
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import Outbox, Undecoded
from gateway.outbox.rows import ROW_END, Record, RowRange
from gateway.report.status import OFFLINE
from gateway.uplink.ack import parse_ack
from gateway.uplink.courier import Courier, CourierPlan
from gateway.uplink.uplink import BrokerAddress, Listener, Uplink
from gateway.uplink.window import Bounds
from hearthwatch.bench.ground import GATEWAY_ID, address_of
from hearthwatch.bench.process_figures import figures
from hearthwatch.services.ports import LOOPBACK
from vitals.clock import ClinicalClock
from vitals.reading import Reading
from vitals.signals import Signal
from vitals.topics import Leaf
from vitals.wire import unpack

DEVICES = 8
FLUSH_S = 0.1
BYTES_MAX = 512 * 1024 * 1024
LOW = 100  # each so manieth frame is below the local floor, and so urgent

_FLOOR = Floor(spo2_below=9000, temperature_from=3900)
_BATCH_ROWS = 2_000


def frame(number: int) -> bytes:
    """Make a PLX continuous measurement: SpO2 91 to 99 %, now and then 85 %, and a pulse."""
    spo2 = 85 if number % LOW == LOW - 1 else 91 + number % 9
    return bytes((0, spo2, 0, 60 + number % 40, 0))


class TimedDoor(OutboxDoor):
    """Takes the time from a reading's arrival to its safety, and notes when it was safe."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.taken_s: list[float] = []
        self.durable_ms: list[float] = []
        self.safe_s: dict[int, float] = {}
        self.groups = 0

    async def accept(
        self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded] = (), records: Sequence[Record] = ()
    ) -> RowRange | None:
        """Accept, and look at the clock."""
        numbers = await super().accept(rows, undecoded, records)
        now_s = time.perf_counter()
        frames = len(rows) // 2
        self.durable_ms += [(now_s - taken_s) * 1000 for taken_s in self.taken_s[:frames]]
        del self.taken_s[:frames]
        self.groups += 1
        if numbers is not None:
            self.safe_s |= dict.fromkeys(range(numbers.first, numbers.end), now_s)
        return numbers


class Bench:
    """Intake and outbox at work."""

    def __init__(self, door: TimedDoor) -> None:
        self.door = door
        self.on_accepted: Callable[[bool], None] = lambda _: None
        self.timekeeper = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED))
        where = Place(zone=UTC, stored_after=timedelta(minutes=2))
        self.intake = Intake(door, where=where, floor=_FLOOR, on_accepted=lambda urgent: self.on_accepted(urgent))
        self._number = 0

    def offer(self) -> None:
        """Take one frame of the next device: two readings."""
        self._number += 1
        self.door.taken_s.append(time.perf_counter())
        self.intake.take(
            Notification(
                device=address_of(1 + self._number % DEVICES),
                driver="bluetooth_sig",
                characteristic="2a5f",
                payload=frame(self._number),
                stamp=self.timekeeper.stamp(),
            )
        )

    async def offer_for(self, seconds: float, *, readings_per_s: float) -> None:
        """Take frames at a steady rate."""
        began_s = time.perf_counter()
        for number in range(round(seconds * readings_per_s / 2)):
            await asyncio.sleep(max(0.0, began_s + number * 2 / readings_per_s - time.perf_counter()))
            self.offer()
        await self.intake.drained()


@asynccontextmanager
async def bench(path: Path) -> AsyncIterator[Bench]:
    """An intake on an outbox."""
    door = await TimedDoor.opened(path, bytes_max=BYTES_MAX, undecoded_max=10, floor=_FLOOR)
    assert isinstance(door, TimedDoor)
    found = Bench(door)
    task = asyncio.create_task(found.intake.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await door.close()


async def paced(path: str, readings_per_s: str, seconds: str) -> dict[str, object]:
    """Accept at a steady rate; every ten seconds what was accepted counts as stored, as in ordinary life."""
    async with bench(Path(path)) as running:
        await running.offer_for(1.0, readings_per_s=4 * DEVICES)  # every device is known from here on
        before, first = figures(os.getpid()).written_bytes, (await running.door.account()).accepted
        running.door.durable_ms.clear()
        running.door.groups = 0
        forgetting = asyncio.create_task(_forget_every(running.door, 10.0))
        began_s = time.perf_counter()
        await running.offer_for(float(seconds), readings_per_s=float(readings_per_s))
        took_s = time.perf_counter() - began_s
        forgetting.cancel()
        readings = (await running.door.account()).accepted - first
        return {
            "readings_per_s": round(readings / took_s, 1),
            "readings_per_commit": round(readings / running.door.groups, 1),
            "durable_ms": parts(running.door.durable_ms),
            "written_bytes_per_reading": round((figures(os.getpid()).written_bytes - before) / readings, 1),
        }


async def pressed(path: str, seconds: str) -> dict[str, object]:
    """Accept as fast as it goes: new frames whenever few wait."""
    async with bench(Path(path)) as running:
        before, began_s = figures(os.getpid()).written_bytes, time.perf_counter()
        while time.perf_counter() - began_s < float(seconds):
            for _ in range(1_000):
                running.offer()
            await running.intake.drained()
        took_s = time.perf_counter() - began_s
        account = await running.door.account()
        return {
            "readings_per_s": round(account.accepted / took_s),
            "durable_ms": parts(running.door.durable_ms),
            "written_bytes_per_reading": round((figures(os.getpid()).written_bytes - before) / account.accepted, 1),
            "used_bytes_per_reading": round(account.used_bytes / account.depth, 1),
        }


async def fill(path: str, rows: str) -> dict[str, object]:
    """Leave a backlog, as eight oximeters at 1 Hz would until now."""
    outbox = Outbox(Path(path), bytes_max=BYTES_MAX, undecoded_max=10, floor=_FLOOR)
    batches = _backlog(int(rows))
    for batch in batches:
        outbox.accept(batch)
    depth = outbox.account().depth
    outbox.close()
    return {"depth": depth}


async def drain(path: str, broker_port: str, readings_per_s: str) -> dict[str, object]:
    """Bring a backlog to the centre while live readings come in; say how fast, and how long the live ones waited."""
    async with bench(Path(path)) as running:
        backlog = await running.door.account()
        sent = Sent(running, int(broker_port))
        sent.uplink.start()
        carrying = asyncio.create_task(sent.courier.run())
        await _until(lambda: sent.uplink.connected)
        offering = asyncio.create_task(running.offer_for(3_600.0, readings_per_s=float(readings_per_s)))
        began_s, before = time.perf_counter(), figures(os.getpid())
        await _until(lambda: sent.backlog_stored >= backlog.depth)
        took_s, after = time.perf_counter() - began_s, figures(os.getpid())
        live = list(running.door.safe_s)
        await _until(lambda: all(number in sent.stored_s for number in live))
        offering.cancel()
        while (await running.door.account()).stored < backlog.depth:  # noqa: ASYNC110 - heard of, not yet on the disk
            await asyncio.sleep(0.005)
        carrying.cancel()
        await asyncio.gather(offering, carrying, return_exceptions=True)
        await sent.uplink.stop()
        safe_s = running.door.safe_s
        return {
            "readings": backlog.depth,
            "seconds": round(took_s, 2),
            "readings_per_s": round(backlog.depth / took_s),
            "cpu_us_per_reading": round(1e6 * (after.cpu_s - before.cpu_s) / backlog.depth, 1),
            "live_readings": len(live),
            "live_sent_ms": parts([(sent.published_s[n] - safe_s[n]) * 1000 for n in live]),
            "live_stored_ms": parts([(sent.stored_s[n] - safe_s[n]) * 1000 for n in live]),
            "sent_again": sent.courier.counts.sent_again,
        }


class Sent:
    """A courier at work, and when each live row was published and said to be stored."""

    def __init__(self, running: Bench, broker_port: int) -> None:
        self.published_s: dict[int, float] = {}
        self.stored_s: dict[int, float] = {}
        self.backlog_stored = 0
        bounds = Bounds(in_flight_max=8, live_slots=2, silence_s_min=5, silence_s_max=60)
        plan = CourierPlan(flush_s=FLUSH_S, rows_max=2_000, bounds=bounds, floor=_FLOOR)
        self.courier = Courier(running.door, running.timekeeper, plan)
        running.on_accepted = self.courier.accepted
        self.uplink = _TimedUplink(
            BrokerAddress(host=LOOPBACK, port=broker_port, gateway_id=GATEWAY_ID, reconnect_s_max=1),
            Listener(on_connected=self.courier.connected, on_ack=self._heard),
            will=OFFLINE,
        )
        self.uplink.published_s = self.published_s
        self.courier.uplink = self.uplink

    def _heard(self, payload: bytes) -> None:
        now_s = time.perf_counter()
        for stored in parse_ack(payload).stored:
            numbers = range(stored.first, stored.end)
            live = self.published_s.keys() & set(numbers) if len(self.published_s) < len(numbers) else numbers
            of_live = [number for number in live if number in self.published_s]
            self.stored_s |= {number: self.stored_s.get(number, now_s) for number in of_live}
            self.backlog_stored += len(numbers) - len(of_live)
        self.courier.acknowledged(payload)


class _TimedUplink(Uplink):
    """Notes when each live row is handed to the line."""

    published_s: dict[int, float]

    def publish(self, leaf: Leaf, payload: bytes, **options: Any) -> bool:
        """Publish, and look at the clock."""
        is_taken = super().publish(leaf, payload, **options)
        if is_taken and leaf is Leaf.READINGS:
            message = unpack(payload)
            if not message.header.backlog:
                first, now_s = message.header.first_row, time.perf_counter()
                for number in range(first, first + message.row_count):
                    self.published_s.setdefault(number, now_s)
        return is_taken


def parts(values: list[float]) -> dict[str, float]:
    """Give median, 95 %, 99 % and the worst."""
    ordered = sorted(values)
    names = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0))
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2) for name, part in names if ordered}


def _backlog(count: int) -> Iterator[list[Stamped]]:
    """Make what eight oximeters at 1 Hz said until now, in batches."""
    now = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED)).stamp()
    rows: list[Stamped] = []
    for number in range(count):
        device, back_ms = number // 2 % DEVICES, (count - number) // (2 * DEVICES) * 1000 + number // 2 % DEVICES * 97
        reading = Reading(
            device=address_of(1 + device),
            signal=(Signal.SPO2, Signal.PULSE)[number % 2],
            measured_at=now.wall - timedelta(milliseconds=back_ms),
            value=9_100 + number % 800,
        )
        rows.append(Stamped(reading=reading, mono_ms=now.mono_ms - back_ms, boot_id=now.boot_id, synchronised=True))
        if len(rows) == _BATCH_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


async def _forget_every(door: OutboxDoor, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        await door.stored([RowRange(0, ROW_END)])


async def _until(state: Callable[[], bool]) -> None:
    while not state():  # noqa: ASYNC110 - looked at from outside, as nobody announces it
        await asyncio.sleep(0.005)


JOBS = {job.__name__: job for job in (paced, pressed, fill, drain)}

if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    sys.stdout.write(json.dumps(asyncio.run(JOBS[sys.argv[1]](*sys.argv[2:]))) + "\n")

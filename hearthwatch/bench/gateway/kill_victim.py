"""A gateway without a radio, there to be killed: intake, outbox and courier at work on made-up oximeters.

The process forks one victim for each line on stdin, so that libraries are loaded once for hundreds of lives. What is
said on stdout is one JSON array a line: ["born", pid]; ["offered", n, monotonic ns] before the n-th frame is taken;
["accepted", [[device, wall ms, signal, value], ...]] after the outbox's accept has returned; ["died"] by the parent.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, timedelta
from pathlib import Path

import structlog

from gateway.box.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.clocks.placing import Place, Stamped
from gateway.intake.intake import Intake, Notification
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import Undecoded
from gateway.outbox.rows import Record, RowRange
from gateway.report.status import OFFLINE
from gateway.uplink.courier import Courier, CourierPlan
from gateway.uplink.uplink import BrokerAddress, Listener, Uplink
from gateway.uplink.window import Bounds
from hearthwatch.bench.ground import GATEWAY_ID, address_of
from hearthwatch.services.ports import LOOPBACK
from vitals.clock import ClinicalClock

DEVICES = 8
READINGS_A_FRAME = 2
_PR_SET_PDEATHSIG = 1
BYTES_MAX = 512 * 1024 * 1024
_FLOOR = Floor(spo2_below=9000, temperature_from=3900)


class TellingDoor(OutboxDoor):
    """Says what is accepted once it is."""

    async def accept(
        self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded] = (), records: Sequence[Record] = ()
    ) -> RowRange | None:
        """Accept, then tell."""
        numbers = await super().accept(rows, undecoded, records)
        tell("accepted", [identity(row) for row in rows])
        return numbers


def tell(what: str, *facts: object) -> None:
    """Write a line at once."""
    os.write(1, (json.dumps([what, *facts], separators=(",", ":")) + "\n").encode())


def identity(row: Stamped) -> tuple[str, int, str, int | None]:
    """Give what tells a reading from all others, and its value."""
    reading = row.reading
    return reading.device, round(reading.measured_at.timestamp() * 1000), reading.signal.value, reading.value


def frame(number: int) -> bytes:
    """Make a PLX continuous measurement: SpO2 90.0 to 99.9 % and pulse 60 to 99 /min."""
    return b"\0" + (0xF000 | (900 + number % 100)).to_bytes(2, "little") + (60 + number % 40).to_bytes(2, "little")


async def run(path: Path, *, rate: float, broker_port: int) -> None:
    """Work until killed; a rate of 0 only drains."""
    door = await TellingDoor.opened(path, bytes_max=BYTES_MAX, undecoded_max=10)
    timekeeper = Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED))
    bounds = Bounds(in_flight_max=8, live_slots=2, silence_s_min=5, silence_s_max=60)
    courier = Courier(door, timekeeper, CourierPlan(flush_s=0.2, rows_max=2_000, bounds=bounds, floor=_FLOOR))
    uplink = Uplink(
        BrokerAddress(host=LOOPBACK, port=broker_port, gateway_id=GATEWAY_ID, reconnect_s_max=1),
        Listener(on_connected=courier.connected, on_ack=courier.acknowledged),
        will=OFFLINE,
    )
    courier.uplink = uplink
    where = Place(zone=UTC, stored_after=timedelta(minutes=2))
    intake = Intake(door, where=where, floor=_FLOOR, on_accepted=courier.accepted)
    uplink.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(courier.run())
        tasks.create_task(intake.run())
        if rate:
            tasks.create_task(_offer(intake, timekeeper, rate))


async def _offer(intake: Intake, timekeeper: Timekeeper, rate: float) -> None:
    began_s = time.monotonic()
    for number in range(2**31):
        due_s = began_s + number * READINGS_A_FRAME / rate
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        tell("offered", number, time.monotonic_ns())
        intake.take(
            Notification(
                device=address_of(1 + number % DEVICES),
                driver="bluetooth_sig",
                characteristic="2a5f",
                payload=frame(number),
                stamp=timekeeper.stamp(),
            )
        )


def main(path: Path, *, rate: float, broker_port: int) -> None:
    """Fork a victim for each line, and say when it is dead."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    tell("loaded")
    for _ in sys.stdin:
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            tell("born", os.getpid())
            asyncio.run(run(path, rate=rate, broker_port=broker_port))
        os.wait()
        os.write(1, b"\n")  # its last line may have been cut off
        tell("died")


if __name__ == "__main__":
    main(Path(sys.argv[1]), rate=float(sys.argv[2]), broker_port=int(sys.argv[3]))

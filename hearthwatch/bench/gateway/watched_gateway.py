"""A gateway on bleak's own BlueZ backend for a stretch of time: what it cost, what it took, what of it arrived."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from gateway.outbox.outbox import Account, read_account
from hearthwatch.bench.gateway.installation import Installation
from hearthwatch.bench.ground import Air, Centre, air, gateway
from hearthwatch.bench.process_figures import Figures, figures, libraries

SETTLE_S = 12.0  # a status document is written every ten seconds
START_S_MAX = 120.0
ARRIVE_S_MAX = 60.0
TELL_EVERY_S = 10.0
POLL_S = 0.2

Say = Callable[[str], None]


class GatewayNotReady(Exception):
    """The gateway did not come to read every device in time; says what its last status was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One stretch of time. Percent of one core; `taken_ratio` is accepted over what the devices say they sent.

    `durable_ms`: from the arrival of a notification to the fsync of its readings, as the gateway counts it.
    `written_bytes_per_reading`: what the kernel wrote to the disk for the whole process. `lost`: of all readings that
    the devices have `sent` since they were switched on, those that the database has not after they fell silent.
    """

    seconds: float
    readings: int
    readings_per_s: float
    taken_ratio: float
    cpu_percent: float
    cpu_us_per_reading: float
    rss_mb: float
    rss_mb_max: float
    written_bytes_per_reading: float
    durable_ms: dict[str, float] | None
    sent: int
    in_database: int
    lost: int
    overrun: int
    libraries: tuple[str, ...]


async def stretch(
    running: Centre, folder: Path, *, devices: int, every_s: float, seconds: float, installed: Installation, say: Say
) -> Stretch:
    """Run a gateway with its devices for so long, then let the devices fall silent and add up."""
    stored_before = _stored(running.dsn)
    async with _gateway(running, folder, devices=devices, every_s=every_s, installed=installed) as watched:
        first, sent_first, before = watched.account(), await watched.sent(), watched.look()
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, TELL_EVERY_S))
            say(f"  {watched.account().accepted - first.accepted} readings accepted")
        last, sent_last, after = watched.account(), await watched.sent(), watched.look()
        status = watched.status()
        loaded = watched.libraries()
        sent = await watched.hush()
        await watched.drained()
    in_database = _stored(running.dsn) - stored_before
    took_s, cpu_s = after.at_s - before.at_s, after.cpu_s - before.cpu_s
    readings = last.accepted - first.accepted
    return Stretch(
        seconds=round(took_s, 1),
        readings=readings,
        readings_per_s=round(readings / took_s, 1),
        taken_ratio=round(readings / max(1, sent_last - sent_first), 4),
        cpu_percent=round(100 * cpu_s / took_s, 2),
        cpu_us_per_reading=round(1e6 * cpu_s / max(1, readings), 1),
        rss_mb=round(after.rss_bytes / 1e6, 1),
        rss_mb_max=round(after.rss_bytes_max / 1e6, 1),
        written_bytes_per_reading=round((after.written_bytes - before.written_bytes) / max(1, readings), 1),
        durable_ms=status.get("durable_ms"),
        sent=sent,
        in_database=in_database,
        lost=sent - in_database,
        overrun=int(status.get("overrun", 0)),
        libraries=loaded,
    )


class _Watched:
    """A gateway under measurement, its devices and its outbox."""

    def __init__(self, pid: int, outbox: Path, around: Air) -> None:
        self._pid = pid
        self._outbox = outbox
        self._around = around

    def look(self) -> Figures:
        """Look at the process."""
        return figures(self._pid)

    def account(self) -> Account:
        """Read the outbox's account."""
        return read_account(self._outbox)[0]

    async def sent(self) -> int:
        """Count the readings that the devices have sent, by their own word."""
        return _readings(await self._around.hub.counters())

    async def hush(self) -> int:
        """Let the devices fall silent, their links up; count what they have sent in all."""
        return _readings(await self._around.hub.hush())

    async def drained(self) -> None:
        """Wait until ingest has stored all that was accepted, or does not come to it."""
        deadline_s = time.monotonic() + ARRIVE_S_MAX
        await asyncio.sleep(POLL_S)  # the last notification on its way
        while self.account().depth and time.monotonic() < deadline_s:  # noqa: ASYNC110 - it is in a file
            await asyncio.sleep(POLL_S)

    def status(self) -> dict[str, Any]:
        """Read what the gateway last said about itself."""
        try:
            said: dict[str, Any] = json.loads(self._outbox.with_name("status.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return said

    def libraries(self) -> tuple[str, ...]:
        """Name the installed packages of which the process has extension modules loaded."""
        return tuple(sorted(libraries(self._pid)))


@asynccontextmanager
async def _gateway(
    running: Centre, folder: Path, *, devices: int, every_s: float, installed: Installation
) -> AsyncIterator[_Watched]:
    outbox = folder / "outbox.sqlite"
    async with air(folder, devices=devices, every_s=every_s) as around:
        spec = gateway(running, around, outbox=outbox, installed=installed)
        await asyncio.to_thread(running.supervisor.start, spec)
        try:
            watched = _Watched(running.supervisor.pid(spec.name), outbox, around)
            await _until_streaming(watched, devices)
            await asyncio.sleep(SETTLE_S)
            yield watched
        finally:
            await asyncio.to_thread(running.supervisor.stop, spec.name)


async def _until_streaming(watched: _Watched, devices: int) -> None:
    deadline_s = time.monotonic() + START_S_MAX
    while sum(d["state"] == "stream" for d in watched.status().get("devices", ())) < devices:
        if time.monotonic() > deadline_s:
            raise GatewayNotReady(f"not all {devices} devices stream after {START_S_MAX} s: {watched.status()}")
        await asyncio.sleep(POLL_S)


def _stored(dsn: str) -> int:
    """Count what the database holds of what the devices count: a battery's charge is not among it."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM reading WHERE signal <> 'battery'").fetchone()
    return int(row[0]) if row else 0


def _readings(told: dict[str, Any]) -> int:
    return sum(int(device["readings"]) for device in told["devices"])

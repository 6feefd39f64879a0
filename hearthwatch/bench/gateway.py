"""Measures the gateway as it runs in a home: what it costs, how soon a reading is safe, where it saturates."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.outbox.outbox import Account, read_account
from hearthwatch.bench.ground import Air, Centre, air, centre, gateway
from hearthwatch.bench.process_figures import Figures, figures, libraries

SETTLE_S = 12.0  # a status document is written every ten seconds
START_S_MAX = 120.0
POLL_S = 0.2
STRANGERS = ("numpy", "scipy", "bumble", "psycopg")
CPU_PERCENT_MAX = 3.0
RSS_MB_MAX = 60.0
TAKEN_RATIO_MIN = 0.98

Say = Callable[[str], None]


class GatewayNotReady(Exception):
    """The gateway did not come to read every device in time; says what its last status was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many devices, how long the quiet part takes, and which rates are tried (notifications a second in all)."""

    devices: int = 8
    seconds: float = 60.0
    rates: tuple[int, ...] = (100, 200, 400, 800)
    rate_seconds: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One stretch of time. Percent of one core; `taken_ratio` is accepted over what the devices say they sent.

    `durable_ms`: from the arrival of a notification to the fsync of its readings, as the gateway counts it.
    `written_bytes_per_reading`: what the kernel wrote to the disk for the whole process.
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
    overrun: int
    foreign_libraries: tuple[str, ...]


async def measure(folder: Path, plan: Plan, say: Say) -> dict[str, object]:
    """Measure everything, one stretch after the other; give the JSON document."""
    say("starting broker, database, ingest")
    with centre(folder, devices=plan.devices) as running:
        say("the gateway once, so that its bytecode is there: a process that compiles keeps 6 MB more")
        async with _gateway(running, folder / "first", devices=plan.devices, every_s=1.0):
            pass
        say(f"{plan.devices} devices at 1 Hz for {plan.seconds:.0f} s")
        steady = await _stretch(running, folder / "steady", plan, every_s=1.0, seconds=plan.seconds)
        pressed: dict[str, Measured] = {}
        for rate in plan.rates:
            say(f"{plan.devices} devices, {rate} notifications a second for {plan.rate_seconds:.0f} s")
            pressed[str(rate)] = await _stretch(
                running, folder / f"rate-{rate}", plan, every_s=plan.devices / rate, seconds=plan.rate_seconds
            )
    kept_up = [m.readings_per_s for m in pressed.values() if m.taken_ratio >= TAKEN_RATIO_MIN]
    return {
        "devices": plan.devices,
        "steady": asdict(steady),
        "goals": {
            "cpu_percent_max": CPU_PERCENT_MAX,
            "cpu_met": steady.cpu_percent <= CPU_PERCENT_MAX,
            "rss_mb_max": RSS_MB_MAX,
            "rss_met": steady.rss_mb_max <= RSS_MB_MAX,
        },
        "notifications_per_s": {rate: asdict(m) for rate, m in pressed.items()},
        "readings_per_s_kept_up_with": max(kept_up, default=None),
    }


async def _stretch(running: Centre, folder: Path, plan: Plan, *, every_s: float, seconds: float) -> Measured:
    async with _gateway(running, folder, devices=plan.devices, every_s=every_s) as watched:
        first, sent_first, before = watched.account(), await watched.sent(), watched.look()
        await asyncio.sleep(seconds)
        last, sent_last, after = watched.account(), await watched.sent(), watched.look()
        status = watched.status()
        strangers = watched.strangers()
    took_s, cpu_s = after.at_s - before.at_s, after.cpu_s - before.cpu_s
    readings = last.accepted - first.accepted
    return Measured(
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
        overrun=int(status.get("overrun", 0)),
        foreign_libraries=strangers,
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
        return sum(int(device["readings"]) for device in (await self._around.hub.counters())["devices"])

    def status(self) -> dict[str, Any]:
        """Read what the gateway last said about itself."""
        try:
            said: dict[str, Any] = json.loads(self._outbox.with_name("status.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return said

    def strangers(self) -> tuple[str, ...]:
        """Name what a Pi does not install and the process has loaded all the same."""
        mapped = libraries(self._pid)
        return tuple(name for name in STRANGERS if any(name in library for library in mapped))


@asynccontextmanager
async def _gateway(running: Centre, folder: Path, *, devices: int, every_s: float) -> AsyncIterator[_Watched]:
    outbox = folder / "outbox.sqlite"
    async with air(folder, devices=devices, every_s=every_s) as around:
        spec = gateway(running, around, outbox=outbox)
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

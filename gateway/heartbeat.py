"""Tells the centre every clinical minute, and at every connection, how the gateway is."""

import asyncio
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from gateway.courier import Courier
from gateway.fleet import Fleet
from gateway.intake import Intake
from gateway.machine import Timekeeper
from gateway.outbox_door import OutboxDoor
from gateway.radio import Radio
from gateway.status import Facts, status_payload
from gateway.uplink import Uplink
from vitals.topics import Leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a heartbeat asks."""

    door: OutboxDoor
    intake: Intake
    courier: Courier
    fleet: Fleet
    radio: Radio
    timekeeper: Timekeeper
    set_aside: Callable[[], int]


class Heartbeat:
    """One task; `beat_now` makes it beat out of turn."""

    def __init__(self, parts: Parts, *, every_s: float) -> None:
        self._parts = parts
        self._every_s = every_s
        self._wake = asyncio.Event()
        self._versions = versions()

    def beat_now(self) -> None:
        """Beat at once."""
        self._wake.set()

    async def run(self, uplink: Uplink) -> None:
        """Beat for ever, while there is a broker to hear it."""
        while True:
            if uplink.connected:
                uplink.publish(Leaf.STATUS, await self._payload(), retain=True)
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _payload(self) -> bytes:
        parts = self._parts
        facts = Facts(
            account=await parts.door.account(),
            adapter=parts.radio.state,
            devices=parts.fleet.states(),
            overrun=parts.intake.counts.overrun,
            disk_full=parts.intake.counts.disk_full,
            set_aside=parts.set_aside(),
            in_flight=parts.courier.window.in_flight,
            versions=self._versions,
        )
        return status_payload(facts, parts.timekeeper.stamp())


def versions() -> dict[str, str]:
    """Name what runs here."""
    return {
        "hearthwatch": _version("hearthwatch"),
        "python": platform.python_version(),
        "bleak": _version("bleak"),
        "paho-mqtt": _version("paho-mqtt"),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"

"""Tells the centre at every heartbeat, and at every connection, how the gateway is."""

import asyncio
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from gateway.bluetooth.radio import Radio
from gateway.bluetooth.slots import Slots
from gateway.box.machine import Timekeeper
from gateway.claims.claims import ClaimReport
from gateway.clocks.placing import Stamp
from gateway.intake.intake import Intake
from gateway.outbox.door import OutboxDoor
from gateway.recovery.state import RecoveryState
from gateway.report.status import AdapterState, DeviceState, Facts, UplinkState, status_payload
from gateway.session.fleet import Fleet
from gateway.session.known_device import DeviceInformation
from gateway.session.session import Session
from gateway.uplink.courier import Courier
from gateway.uplink.uplink import Uplink
from vitals.topics import Leaf

SOON_S = 10.0
"""Between two beats that only say who has come near, machine seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a heartbeat asks."""

    door: OutboxDoor
    intake: Intake
    courier: Courier
    fleet: Fleet
    radio: Radio
    slots: Slots
    timekeeper: Timekeeper
    set_aside: Callable[[], int]
    recovery: Callable[[], RecoveryState]
    uplink: Callable[[], UplinkState]
    claims: Callable[[], ClaimReport]
    local_alarm: Callable[[Stamp], Mapping[str, object]]
    crashes: Callable[[], Mapping[str, int]]
    certificate_end: Callable[[], datetime | None]


class Heartbeat:
    """One task; `beat_now` makes it beat out of turn."""

    def __init__(self, parts: Parts, *, every_s: float, clinical_s: float) -> None:
        """Beat every so many machine seconds, which are so many clinical ones."""
        self._parts = parts
        self._every_s = every_s
        self._clinical_s = clinical_s
        self._now_s = asyncio.get_running_loop().time
        self._wake = asyncio.Event()
        self._beat_at_s = float("-inf")
        self._soon: asyncio.TimerHandle | None = None
        self._versions = versions()

    def beat_now(self) -> None:
        """Beat at once."""
        self._wake.set()

    def beat_soon(self) -> None:
        """Beat out of turn, but not more often than every SOON_S: many news make one beat."""
        if self._soon is None:
            due_s = max(self._beat_at_s + SOON_S, self._now_s())
            self._soon = asyncio.get_running_loop().call_at(due_s, self.beat_now)

    async def run(self, uplink: Uplink) -> None:
        """Beat for ever, while there is a broker to hear it."""
        while True:
            await self.beat(uplink)
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def beat(self, uplink: Uplink) -> None:
        """Beat once, if there is a broker to hear it."""
        if self._soon is not None:
            self._soon.cancel()
        self._soon, self._beat_at_s = None, self._now_s()
        if uplink.connected:
            uplink.publish(Leaf.STATUS, await self.payload(), retain=True)

    async def payload(self) -> bytes:
        """Say how the gateway is."""
        parts = self._parts
        stamp, watch = parts.timekeeper.stamp(), parts.timekeeper.watch
        facts = Facts(
            account=await parts.door.account(),
            adapters=tuple(self._adapters()),
            recovery=parts.recovery(),
            uplink=parts.uplink(),
            devices=tuple(self._device(session) for session in parts.fleet.sessions),
            nearby=parts.fleet.nearby.listed(now_s=self._now_s()),
            now_s=self._now_s(),
            overrun=parts.intake.counts.overrun,
            durable_ms=parts.intake.waits.summary(),
            repeats=parts.intake.counts.repeats,
            disk_full=parts.intake.counts.disk_full,
            set_aside=parts.set_aside(),
            in_flight=parts.courier.window.in_flight,
            heartbeat_s=self._clinical_s,
            versions=self._versions,
            crashes=parts.crashes(),
            certificate_end=parts.certificate_end(),
            config=parts.claims(),
            local_alarm=parts.local_alarm(stamp),
            clock_jumps=watch.jumps,
            clock_jumps_synchronised=watch.jumps_synchronised,
            clock_last_jump_s=None if watch.last_jump_ms is None else watch.last_jump_ms / 1000,
        )
        return status_payload(facts, stamp)

    def _adapters(self) -> Iterator[AdapterState]:
        slots = self._parts.slots
        for adapter in self._parts.radio.adapters:
            heard_s = adapter.advertisement_s
            yield AdapterState(
                name=adapter.name,
                state=adapter.state,
                links=slots.links(adapter),
                links_max=slots.links_max,
                last_advertisement_age_s=None if heard_s is None else self._now_s() - heard_s,
            )

    def _device(self, session: Session) -> DeviceState:
        device = session.device
        sighting = self._parts.radio.sighting(device.address)
        made_by = device.information or DeviceInformation()
        return DeviceState(
            address=device.address,
            name=device.seen.name,
            driver=device.driver.name if device.driver else None,
            kind=device.kind.value if device.kind else None,
            state=session.progress.state.value,
            connected=session.is_linked,
            last_reading_at=session.last_reading_at,
            rssi=sighting.rssi if sighting else None,
            links_lost=session.counts.links_lost + session.counts.silences,
            battery_percent=self._parts.intake.battery_percent(device.address),
            clock_offset_s=device.clock_offset_s,
            adapter=session.adapter.name if session.adapter else None,
            claimed_by=device.claim.claimed_by.value,
            manufacturer=made_by.manufacturer,
            model=made_by.model,
            firmware=made_by.firmware,
        )


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

"""Devices on a virtual radio, and a fleet that reads them into a list: real advertisements, links and GATT servers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from firmware_stubs.bleak_backend import Backend, backend
from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import State
from firmware_stubs.radio import Air
from gateway.bluetooth.adapter import Bluetooth
from gateway.bluetooth.radio import Radio
from gateway.bluetooth.rotation import Shares
from gateway.bluetooth.slots import Slots
from gateway.bluetooth.stack import NoStack, Stack
from gateway.box.machine import ClockTrust, LinuxMachine, Machine, Timekeeper
from gateway.claims.claims import Claim, ClaimedBy
from gateway.intake.intake import Notification
from gateway.session.fleet import Fleet
from gateway.session.session import Session
from gateway.session.surroundings import SessionPlan, Surroundings
from vitals.clock import ClinicalClock

ORIGIN = datetime.now(UTC)
SPEED = 50.0
ZONE = ZoneInfo("Asia/Shanghai")
PLAN = SessionPlan(
    connect_s_max=20,
    stream_silence_s_max=30,
    spot_silence_s_max=30,
    spot_linger_s=30,
    spot_pause_s=30,
    echo_s=0.0,
    broadcast_again_s=30,
    zone=ZONE,
)
SHARES = Shares(stream_s=60.0, spot_s=5.0)
WELL = State(spo2_percent=97.0, pulse_per_min=72.0, perfusion_percent=3.2)
FIRST, SECOND, THIRD = (f"C0:00:00:00:00:0{number}" for number in (1, 2, 3))


def claim(address: str = FIRST, *, driver: str | None = None) -> Claim:
    """A claim as the settings make it."""
    return Claim(address=address, driver=driver, claimed_by=ClaimedBy.SETTINGS)


class FleetRig:
    """One air, as many adapters as backends; `async with rig.fleet()` reads what is switched on."""

    def __init__(self, *, adapters: int = 1) -> None:
        self.air = Air()
        self.backends: list[Backend] = [backend(self.air) for _ in range(adapters)]
        self.devices = AsyncExitStack()
        self.taken: list[Notification] = []
        self.crashes: Counter[str] = Counter()
        self.machine: Machine = LinuxMachine(ClockTrust.SYNCHRONISED)
        self.radio: Radio
        self.slots: Slots

    async def oximeter(self, address: str = FIRST, *, course: Callable[[float], State] = lambda _: WELL) -> Oximeter:
        """Switch an oximeter on."""
        device = Oximeter(
            air=self.air,
            identity=Identity(name=address[-2:], address=address, advertising_interval_ms=30.0),
            clock=StubClock(origin=ORIGIN, speed=SPEED),
            course=course,
        )
        await self.switch_on(device)
        return device

    async def switch_on(self, device: Peripheral) -> None:
        """Switch a device on, and off at the end."""
        await device.power_on()
        self.devices.push_async_callback(device.power_off)

    @asynccontextmanager
    async def fleet(
        self,
        claims: Iterable[Claim] | None = None,
        *,
        plan: SessionPlan = PLAN,
        links_max: int = 5,
        shares: Shares = SHARES,
        stack: Stack | None = None,
        devices_max: int = 8,
    ) -> AsyncIterator[Fleet]:
        """Run scanners and sessions; without claims every health device is read."""
        timekeeper = Timekeeper(ClinicalClock(origin=ORIGIN, speed=SPEED), self.machine)
        fleet = Fleet(claim_all=claims is None, devices_max=devices_max, crashes=self.crashes)
        radios = [
            Bluetooth(adapter=f"hci{number}", scanner_class=each.scanner, client_class=each.client)
            for number, each in enumerate(self.backends)
        ]
        beneath = stack or NoStack()
        self.radio = Radio(radios, beneath, fleet.seen)
        self.slots = Slots(self.radio, links_max=links_max, shares=shares)
        fleet.start(
            Surroundings(
                radio=self.radio,
                slots=self.slots,
                stack=beneath,
                timekeeper=timekeeper,
                take=self.taken.append,
                plan=plan,
                crashes=self.crashes,
            )
        )
        fleet.apply(claims or ())
        task = asyncio.create_task(self.radio.run())
        try:
            yield fleet
        finally:
            await fleet.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert not self.crashes

    async def close(self) -> None:
        """Switch everything off."""
        await self.devices.aclose()
        for each in self.backends:
            await each.close()

    def of(self, characteristic: str, device: str = FIRST) -> list[Notification]:
        """Give the notifications of one characteristic of one device."""
        return [n for n in self.taken if (n.device, n.characteristic) == (device, characteristic)]


def session_of(fleet: Fleet, address: str = FIRST) -> Session:
    """Find a device's session."""
    return next(session for session in fleet.sessions if session.device.address == address)


def impatient(**changes: float) -> SessionPlan:
    """The plan with some of its seconds changed."""
    return replace(PLAN, **changes)  # type: ignore[arg-type]

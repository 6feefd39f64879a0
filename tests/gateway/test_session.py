"""Sessions on a virtual radio: real advertisements, links and GATT servers, no Bluetooth hardware."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from firmware_stubs.bleak_backend import Backend, backend
from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import State
from firmware_stubs.radio import Air
from gateway.fleet import Claims, Fleet
from gateway.intake import Notification
from gateway.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.radio import Bluetooth, Radio
from gateway.session import Session, SessionPlan
from gateway.status import DeviceState
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock

ORIGIN = datetime.now(UTC)
SPEED = 50.0
PLAN = SessionPlan(connect_s_max=20, stream_silence_s_max=30, spot_silence_s_max=30, echo_s=0.0)
WELL = State(spo2_percent=97.0, pulse_per_min=72.0, perfusion_percent=3.2)
FIRST, SECOND = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
ALL = Claims(devices=(), claim_all=True, devices_max=8)


class Rig:
    """Devices on the air, and a fleet that reads them into a list."""

    def __init__(self, air: Air) -> None:
        self.air = air
        self.backend: Backend = backend(air)
        self.devices = AsyncExitStack()
        self.taken: list[Notification] = []

    async def oximeter(self, address: str, *, course: Callable[[float], State] = lambda _: WELL) -> Oximeter:
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
    async def fleet(self, claims: Claims = ALL, plan: SessionPlan = PLAN) -> AsyncIterator[Fleet]:
        """Run scanner and sessions."""
        timekeeper = Timekeeper(ClinicalClock(origin=ORIGIN, speed=SPEED), LinuxMachine(ClockTrust.SYNCHRONISED))
        fleet = Fleet(claims, timekeeper=timekeeper, take=self.taken.append, plan=plan)
        scanner, client = self.backend
        radio = Radio(Bluetooth(scanner_class=scanner, client_class=client, adapter=""), fleet.seen)
        fleet.start(radio)
        task = asyncio.create_task(radio.run())
        try:
            yield fleet
        finally:
            await fleet.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert fleet.crashes == 0

    def of(self, characteristic: str, device: str = FIRST) -> list[Notification]:
        """Give the notifications of one characteristic of one device."""
        return [n for n in self.taken if (n.device, n.characteristic) == (device, characteristic)]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig(Air())
    async with rig.devices:
        yield rig
    await rig.backend.close()


def session_of(fleet: Fleet, address: str = FIRST) -> Session:
    return fleet._sessions[address]


def state_of(fleet: Fleet, address: str = FIRST) -> DeviceState:
    return next(state for state in fleet.states() if state.address == address)


async def test_a_device_is_found_linked_and_read(rig: Rig) -> None:
    oximeter = await rig.oximeter(FIRST)
    async with rig.fleet() as fleet:
        await eventually(lambda: len(rig.of("2a5f")) >= 5)
        assert rig.of("2a5f")[0].payload[1:3] in (bytes.fromhex("6100"), bytes.fromhex("caf3"))  # 97 or 97.0
        assert rig.of("2a19")[0].payload == bytes([oximeter.identity.battery_percent])
        state = state_of(fleet)
        assert (state.state, state.connected, state.name) == ("stream", True, "01")
        assert state.last_reading_at is not None
    assert not oximeter.is_connected


async def test_several_devices_are_linked_one_after_another_and_read_together(rig: Rig) -> None:
    for address in (FIRST, SECOND):
        await rig.oximeter(address)
    async with rig.fleet() as fleet:
        await eventually(lambda: bool(rig.of("2a5f", FIRST)) and bool(rig.of("2a5f", SECOND)))
        await eventually(lambda: {state.state for state in fleet.states()} == {"stream"})


async def test_only_claimed_devices_are_read(rig: Rig) -> None:
    await rig.oximeter(FIRST)
    stranger = await rig.oximeter(SECOND)
    async with rig.fleet(Claims(devices=(FIRST,), claim_all=False, devices_max=8)) as fleet:
        await eventually(lambda: len(rig.of("2a5f")) >= 3)
        assert [state.address for state in fleet.states()] == [FIRST]
        assert not stranger.is_connected


async def test_claiming_all_has_a_bound(rig: Rig) -> None:
    for address in (FIRST, SECOND):
        await rig.oximeter(address)
    async with rig.fleet(Claims(devices=(), claim_all=True, devices_max=1)) as fleet:
        await eventually(lambda: bool(rig.taken))
        assert len(fleet.states()) == 1


async def test_after_a_link_loss_it_subscribes_again(rig: Rig) -> None:
    oximeter = await rig.oximeter(FIRST)
    async with rig.fleet() as fleet:
        for round_number in range(1, 4):
            before = len(rig.of("2a5f"))
            await eventually(lambda seen=before: len(rig.of("2a5f")) >= seen + 3)
            oximeter.cut()
            await eventually(lambda lost=round_number: session_of(fleet).counts.links_lost == lost)
        before = len(rig.of("2a5f"))
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)
        assert session_of(fleet).counts.links == 4


async def test_a_device_out_of_reach_is_waited_for(rig: Rig) -> None:
    await rig.oximeter(FIRST)
    async with rig.fleet() as fleet:
        await eventually(lambda: bool(rig.of("2a5f")))
        rig.air.take_away(FIRST)
        await eventually(lambda: state_of(fleet).state == "scan")
        before = len(rig.of("2a5f"))
        rig.air.bring_back(FIRST)
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)


async def test_a_silent_link_is_given_up_and_made_anew(rig: Rig) -> None:
    oximeter = await rig.oximeter(FIRST)
    plan = SessionPlan(connect_s_max=20, stream_silence_s_max=0.4, spot_silence_s_max=0.4, echo_s=0.0)
    async with rig.fleet(plan=plan) as fleet:
        await eventually(lambda: bool(rig.of("2a5f")))
        await oximeter.hush()
        await eventually(lambda: session_of(fleet).counts.silences >= 1)
        oximeter.may_speak.set()
        before = len(rig.of("2a5f"))
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)
        assert session_of(fleet).counts.links >= 2


async def test_equal_values_are_not_echoes(rig: Rig) -> None:
    oximeter = await rig.oximeter(FIRST)
    async with rig.fleet():
        await eventually(lambda: len(rig.of("2a5f")) >= 10)
        await oximeter.hush()
        await eventually(lambda: len(rig.of("2a5f")) == oximeter.tally.notifications)
        assert len({n.payload for n in rig.of("2a5f")}) == 1


async def test_an_echo_of_the_stack_is_taken_once(rig: Rig) -> None:
    await rig.oximeter(FIRST)
    plan = SessionPlan(connect_s_max=20, stream_silence_s_max=30, spot_silence_s_max=30, echo_s=3600.0)
    async with rig.fleet(plan=plan) as fleet:
        await eventually(lambda: bool(rig.of("2a19")))
        session = session_of(fleet)
        assert session._client is not None
        level = next(c for c in session._client.services.characteristics.values() if c.uuid.startswith("00002a19"))
        before = session.counts.echoes
        for payload in (b"\x11", b"\x11", b"\x12"):
            session._on_notification(level, bytearray(payload))
        assert [n.payload for n in rig.of("2a19")][-2:] == [b"\x11", b"\x12"]
        assert session.counts.echoes == before + 1


async def test_the_end_of_the_gateway_leaves_no_link(rig: Rig) -> None:
    devices = [await rig.oximeter(address) for address in (FIRST, SECOND)]
    async with rig.fleet():
        await eventually(lambda: bool(rig.of("2a5f", FIRST)) and bool(rig.of("2a5f", SECOND)))
    await eventually(lambda: not any(device.is_connected for device in devices))

"""A device that hangs up unless its clock is written, on a gateway whose clock is believed, only kept, or neither."""

from collections.abc import AsyncIterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from firmware_stubs.bonding_thermometer import BondingThermometer
from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import fever
from firmware_stubs.memory import Memory
from firmware_stubs.peripheral import Identity
from gateway.box.machine import Clocks, ClockTrust, LinuxMachine, Timekeeper
from tests.gateway.fleet_rig import FIRST, ORIGIN, SPEED, FleetRig, claim
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock

TEN_MINUTES = timedelta(minutes=10)


class Box:
    """This machine, its kernel's word on the clock and its wall clock as they are told to be."""

    def __init__(self) -> None:
        self._linux = LinuxMachine(ClockTrust.SYNCHRONISED)
        self.boot_id = self._linux.boot_id
        self.synchronised = False
        self.off = timedelta(0)

    def read(self) -> Clocks:
        clocks = self._linux.read()
        return Clocks(wall=clocks.wall + self.off, mono_ms=clocks.mono_ms)

    def is_synchronised(self) -> bool:
        return self.synchronised


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FleetRig]:
    monkeypatch.setattr(Timekeeper, "_ASK_MS", 0)
    rig = FleetRig()
    rig.machine = Box()
    yield rig
    await rig.close()


def thermometer(rig: FleetRig) -> BondingThermometer:
    clock = StubClock(origin=ORIGIN, speed=SPEED)
    memory = Memory(clock=clock, course=fever(), zone=ZoneInfo("Asia/Shanghai"), every_s=60.0, clock_error=-TEN_MINUTES)
    identity = Identity(name="A&D_UT201BLE_1", address=FIRST, advertising_interval_ms=30.0)
    return BondingThermometer(air=rig.air, identity=identity, memory=memory)


async def test_a_clock_that_is_only_kept_is_written_where_the_device_gives_nothing_without(rig: FleetRig) -> None:
    device = thermometer(rig)
    async with rig.fleet([claim()]) as fleet:
        assert isinstance(rig.machine, Box)
        assert fleet._around is not None
        rig.machine.synchronised = True
        assert fleet._around.timekeeper.stamp().synchronised
        rig.machine.synchronised = False  # an outage: the kernel no longer vouches
        await rig.switch_on(device)
        await eventually(lambda: len(rig.of("2a1c")) >= 1)
        assert abs(device.memory.clock_error) < timedelta(seconds=60)
        assert not rig.of("2a1c")[0].stamp.synchronised


async def test_a_clock_that_was_never_believed_is_not_written_and_the_log_says_so(rig: FleetRig) -> None:
    device = thermometer(rig)
    await rig.switch_on(device)
    with capture_logs() as logs:
        async with rig.fleet([claim()]):
            await eventually(lambda: any("ours is not believed" in entry["event"] for entry in logs))
    assert device.memory.clock_error == -TEN_MINUTES


def test_a_clock_is_kept_until_somebody_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Timekeeper, "_ASK_MS", 0)
    box = Box()
    keeper = Timekeeper(ClinicalClock(), box)
    kept = []
    for synchronised, off in ((False, 0), (True, 0), (False, 0), (False, 3600), (True, 3600), (False, 3600)):
        box.synchronised, box.off = synchronised, timedelta(seconds=off)
        keeper.stamp()
        kept.append(keeper.keeps_time)
    assert kept == [False, True, True, False, True, True]

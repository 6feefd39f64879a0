"""A virtual radio, a fast clock, and devices that vanish at the end of each test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from firmware_stubs.bleak_backend import Backend, backend
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import State
from firmware_stubs.radio import Air
from tests.firmware_stubs.bus_client import BusClient
from tests.rigs import Rig2

WELL = State(spo2_percent=97.0, pulse_per_min=72.0, perfusion_percent=3.2)
PatientlyFor = Callable[[Awaitable[object]], Awaitable[object]]


@pytest.fixture
def clock() -> ClinicalClock:
    """Fifty clinical seconds in a second."""
    return ClinicalClock(origin=datetime.now(UTC), speed=50.0)


@pytest.fixture
async def air() -> Air:
    """An empty radio space."""
    return Air()


@pytest.fixture
async def gateway(air: Air) -> AsyncIterator[Backend]:
    """A bleak backend on that air."""
    made = backend(air)
    yield made
    await made.close()


@pytest.fixture
async def switch_on() -> AsyncIterator[Callable[[Peripheral], Awaitable[None]]]:
    """Switch a device on, and off at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def power(device: Peripheral) -> None:
            await device.power_on()
            stack.push_async_callback(device.power_off)

        yield power


@pytest.fixture
async def oximeter(air: Air, clock: ClinicalClock, switch_on: Callable[[Peripheral], Awaitable[None]]) -> Oximeter:
    """A well person's oximeter, on."""
    device = Oximeter(
        air=air,
        identity=Identity(name="p1", address="C0:00:00:00:00:01", rssi_dbm=-71),
        clock=clock,
        course=lambda _: WELL,
    )
    await switch_on(device)
    return device


@pytest.fixture
async def bluez_oximeter(rig2: Rig2) -> Oximeter:
    """A well person's oximeter on rig 2, on, at 20 measurements a second."""
    device = Oximeter(
        air=rig2.air,
        identity=Identity(name="p1", address="C0:00:00:00:00:01", rssi_dbm=-71),
        clock=ClinicalClock(origin=datetime.now(UTC), speed=20.0),
        course=lambda _: WELL,
    )
    await rig2.switch_on(device)
    return device


@pytest.fixture
async def client(rig2: Rig2) -> AsyncIterator[BusClient]:
    """A plain client of rig 2's bus."""
    async with BusClient(rig2.bus.address) as connected:
        yield connected


@pytest.fixture
async def other_client(rig2: Rig2) -> AsyncIterator[BusClient]:
    """Another plain client of rig 2's bus."""
    async with BusClient(rig2.bus.address) as connected:
        yield connected


@pytest.fixture(autouse=True)
async def _nothing_hangs() -> AsyncIterator[None]:
    yield
    leftover = asyncio.all_tasks() - {asyncio.current_task()}
    for task in leftover:
        task.cancel()
    await asyncio.gather(*leftover, return_exceptions=True)

"""Devices that wake, hand over and sleep: cuff, scale, and a thermometer that bonds and wants its clock set."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakGATTProtocolError

from firmware_stubs.bleak_backend import Backend
from firmware_stubs.blood_pressure_cuff import BloodPressureCuff
from firmware_stubs.bonding_thermometer import BondingThermometer
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import blood_pressure, fever, weight
from firmware_stubs.medfloat import date_time
from firmware_stubs.memory import History, Memory
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course
from firmware_stubs.radio import Air
from firmware_stubs.scale import Scale
from firmware_stubs.tally import Metric
from tests.firmware_stubs.inbox import Inbox
from tests.gateway.waiting import eventually

NOON = datetime(2026, 11, 21, 4, 0, 0, tzinfo=UTC)
ADDRESS = "C0:00:00:00:00:09"
SHANGHAI = ZoneInfo("Asia/Shanghai")
SwitchOn = Callable[[Peripheral], Awaitable[None]]


def memory(course: Course, *, clock_error: timedelta = timedelta(0)) -> Memory:
    """Two records before noon, and one at noon; the clock stands still."""
    clock = ClinicalClock(origin=NOON, real_now=lambda: NOON)
    two = History(first_ago=timedelta(hours=2), every=timedelta(hours=1))
    return Memory(clock=clock, course=course, zone=SHANGHAI, every_s=3600.0, history=two, clock_error=clock_error)


def identity() -> Identity:
    return Identity(name="spot", address=ADDRESS, advertising_interval_ms=20.0)


async def test_a_cuff_hands_over_hangs_up_and_sleeps(air: Air, gateway: Backend, switch_on: SwitchOn) -> None:
    cuff = BloodPressureCuff(air=air, identity=identity(), memory=memory(blood_pressure(seed=2)))
    await switch_on(cuff)
    inbox = Inbox()
    async with asyncio.timeout(60):
        client = BleakClient(ADDRESS, backend=gateway.client)
        await client.connect()
        await client.start_notify("2a35", inbox)
        received = await inbox.holds(3)
        await cuff.disconnected.wait()
        assert not client.is_connected
        assert await BleakScanner.find_device_by_address(ADDRESS, timeout=0.3, backend=gateway.scanner) is None
    assert [value[11:14] for value in received] == [bytes((hour, 0, 0)) for hour in (10, 11, 12)]
    assert {value[0] for value in received} == {0x16}
    assert cuff.stored == 0
    assert all(cuff.tally.counts[metric] == 3 for metric in (Metric.SYSTOLIC, Metric.DIASTOLIC, Metric.PULSE))


async def test_what_nobody_fetched_waits_for_the_next_measurement(
    air: Air, gateway: Backend, switch_on: SwitchOn
) -> None:
    real = ClinicalClock(origin=datetime.now(UTC), speed=3600.0)
    stepping = Memory(clock=real, course=weight(seed=2), zone=SHANGHAI, every_s=3600.0)
    scale = Scale(air=air, identity=identity(), memory=stepping, awake_real_s=0.1)
    await switch_on(scale)
    inbox = Inbox()
    async with asyncio.timeout(60):
        await eventually(lambda: scale.stored >= 3)
        async with BleakClient(ADDRESS, backend=gateway.client) as client:
            await client.start_notify("2a9d", inbox)
            received = await inbox.holds(3)
            await eventually(lambda: scale.tally.counts[Metric.WEIGHT] >= 3)
    weights = [int.from_bytes(value[1:3], "little") / 200 for value in received[:3]]
    assert weights == [reading.value for reading in scale.tally.sent][:3]


async def test_a_bonding_thermometer_wants_a_bond_and_its_clock_set_and_then_leaves(
    air: Air, gateway: Backend, switch_on: SwitchOn
) -> None:
    wrong = memory(fever(seed=5), clock_error=timedelta(days=-300))
    device = BondingThermometer(air=air, identity=identity(), memory=wrong)
    await switch_on(device)
    inbox, now = Inbox(), date_time(NOON.astimezone(SHANGHAI))
    async with asyncio.timeout(60):
        client = BleakClient(ADDRESS, backend=gateway.client)
        await client.connect()
        with pytest.raises(BleakGATTProtocolError):
            await client.start_notify("2a1c", inbox)
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char("2a08", now, response=True)
        await client.pair()
        await client.start_notify("2a1c", inbox)
        with pytest.raises(BleakGATTProtocolError):
            await client.write_gatt_char("2a08", b"\x00" * 7, response=True)
        assert not inbox.values
        await client.write_gatt_char("2a08", now, response=True)
        received = await inbox.holds(3)
        await device.disconnected.wait()
        assert device.memory.clock_error == timedelta(0)
        assert {value[5:7] for value in received} == {(2026).to_bytes(2, "little")}
        assert [value[7] for value in received] == [1, 1, 1]  # stamped in January, by the wrong clock

        await device.wake()
        async with BleakClient(ADDRESS, backend=gateway.client) as again:  # the bond is used
            await again.write_gatt_char("2a08", now, response=True)


async def test_a_bonding_thermometer_hangs_up_when_told(air: Air, gateway: Backend, switch_on: SwitchOn) -> None:
    device = BondingThermometer(air=air, identity=identity(), memory=memory(fever(seed=5)))
    await switch_on(device)
    async with asyncio.timeout(60):
        client = BleakClient(ADDRESS, backend=gateway.client)
        await client.connect()
        command = "233bf001-5a34-1b6d-975c-000d5690abe4"
        await client.write_gatt_char(command, bytes.fromhex("020103"), response=False)
        await device.disconnected.wait()
        with pytest.raises((BleakDeviceNotFoundError, TimeoutError)):
            await BleakClient(ADDRESS, backend=gateway.client, timeout=0.2).connect()

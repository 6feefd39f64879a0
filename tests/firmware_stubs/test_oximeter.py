"""What an oximeter says beyond its one measurement a second."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from bleak import BleakClient

from firmware_stubs.bleak_backend import Backend
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import probe_off
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import State
from firmware_stubs.radio import Air
from tests.firmware_stubs.inbox import Inbox

ADDRESS = "C0:00:00:00:00:01"
SwitchOn = Callable[[Peripheral], Awaitable[None]]


async def test_a_spot_check_is_indicated_with_the_devices_own_time(
    air: Air, gateway: Backend, switch_on: SwitchOn
) -> None:
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    oximeter = Oximeter(
        air=air,
        identity=Identity(name="spot", address=ADDRESS),
        clock=ClinicalClock(origin=noon, real_now=lambda: noon),
        course=lambda _: State(spo2_percent=93.0, pulse_per_min=101.0),
        continuous_every_s=None,
        spot_check_every_s=3600.0,
        zone=ZoneInfo("Asia/Shanghai"),
    )
    await switch_on(oximeter)
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("2a5e", inbox)
        received = await inbox.holds(1)
    await oximeter.hush()
    assert received == [bytes.fromhex("07 5d00 6500 ea070b15140000 2001 000000")]
    assert (oximeter.tally.confirmed, oximeter.tally.readings) == (1, 2)


async def test_a_finger_out_is_sent_and_is_no_reading(
    air: Air, gateway: Backend, clock: ClinicalClock, switch_on: SwitchOn
) -> None:
    oximeter = Oximeter(
        air=air,
        identity=Identity(name="p6", address=ADDRESS),
        clock=clock,
        course=probe_off(out_at_s=0.0),
    )
    await switch_on(oximeter)
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("2a5f", inbox)
        received = await inbox.holds(2)
    assert set(received) == {bytes.fromhex("0c ff07 ff07 2020 000800")}
    assert oximeter.tally.readings == 0


async def test_a_course_begins_with_its_first_listener(gateway: Backend, oximeter: Oximeter) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        assert oximeter.course_began_at is None
        await client.start_notify("2a5f", inbox)
        await inbox.holds(1)
    assert oximeter.course_began_at is not None

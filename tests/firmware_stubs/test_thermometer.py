"""A thermometer's memory: oldest first, gone only when confirmed, in the device's own civil time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient

from firmware_stubs.bleak_backend import Backend
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import fever
from firmware_stubs.memory import History
from firmware_stubs.outlet import Outlet
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.radio import Air
from firmware_stubs.tally import Metric
from firmware_stubs.thermometer import RECORDS_MAX, Thermometer
from tests.firmware_stubs.inbox import Inbox

ADDRESS = "C0:00:00:00:00:05"
SHANGHAI = ZoneInfo("Asia/Shanghai")
THREE_DAYS = History(first_ago=timedelta(hours=76), every=timedelta(hours=4))


class Standing:
    """A real clock that stands still, so that no live reading comes in between."""

    def __call__(self) -> datetime:
        return datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
async def thermometer(air: Air, switch_on: Callable[[Peripheral], Awaitable[None]]) -> Thermometer:
    """A thermometer with three days of fever; it takes one live reading and then none for an hour."""
    clock = ClinicalClock(origin=Standing()(), real_now=Standing())
    device = _thermometer(air, clock, live_every_s=3600.0)
    await switch_on(device)
    return device


def _thermometer(air: Air, clock: ClinicalClock, *, live_every_s: float) -> Thermometer:
    return Thermometer(
        air=air,
        identity=Identity(name="p5", address=ADDRESS),
        clock=clock,
        course=fever(seed=5),
        zone=SHANGHAI,
        history=THREE_DAYS,
        live_every_s=live_every_s,
    )


def _civil(value: bytes) -> datetime:
    month, day, hour, minute, second = value[7:12]
    return datetime(int.from_bytes(value[5:7], "little"), month, day, hour, minute, second, tzinfo=SHANGHAI)


def _celsius(value: bytes) -> float:
    assert value[4] == 0xFF
    return int.from_bytes(value[1:4], "little") / 10


@pytest.mark.usefixtures("thermometer")
async def test_the_memory_comes_first_and_oldest_first_then_live(gateway: Backend) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("2a1c", inbox)
        received = await inbox.holds(20)
    now = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
    assert [_civil(value) for value in received] == [now - timedelta(hours=h) for h in range(76, -4, -4)]
    assert all(38.5 < _celsius(value) < 39.5 for value in received)
    assert {value[0] for value in received} == {0x06}
    assert {len(value) for value in received} == {13}


async def test_what_was_confirmed_is_what_was_sent(gateway: Backend, thermometer: Thermometer) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("2a1c", inbox)
        await inbox.holds(20)
        await thermometer.hush()
        sent = [(reading.measured_at, reading.value) for reading in thermometer.tally.sent]
        assert sent == [(_civil(value), _celsius(value)) for value in inbox.values]
        assert (thermometer.tally.confirmed, thermometer.tally.counts[Metric.TEMPERATURE]) == (20, 20)
        assert not thermometer.memory


async def test_a_record_survives_a_link_lost_before_its_confirmation(
    air: Air, gateway: Backend, thermometer: Thermometer
) -> None:
    lost = Inbox()
    inbox = Inbox()
    async with asyncio.timeout(60):
        first = BleakClient(ADDRESS, backend=gateway.client)
        await first.connect()
        service = first._backend.services
        assert service is not None
        connection = first._backend._link()  # type: ignore[attr-defined]
        connection.gatt_client.send_confirmation = lambda _confirmation: None
        await first.start_notify("2a1c", lost)
        await lost.holds(1)
        air.cut(ADDRESS)
        await thermometer.disconnected.wait()
        assert (thermometer.tally.notifications, thermometer.tally.confirmed) == (1, 0)
        assert len(thermometer.memory) == 20
        async with BleakClient(ADDRESS, backend=gateway.client) as second:
            await second.start_notify("2a1c", inbox)
            assert (await inbox.holds(20))[0] == lost.values[0]


async def test_live_readings_go_on(
    air: Air,
    gateway: Backend,
    clock: ClinicalClock,
    switch_on: Callable[[Peripheral], Awaitable[None]],
) -> None:
    thermometer = _thermometer(air, clock, live_every_s=1.0)
    await switch_on(thermometer)
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("2a1c", inbox)
        times = [_civil(value) for value in await inbox.holds(24)]
    assert times == sorted(times)


async def test_a_full_memory_loses_its_oldest_and_counts_it(air: Air, clock: ClinicalClock) -> None:
    thermometer = Thermometer(
        air=air,
        identity=Identity(name="full", address=ADDRESS),
        clock=clock,
        course=fever(),
        zone=SHANGHAI,
        history=History(first_ago=timedelta(hours=RECORDS_MAX + 3), every=timedelta(hours=1)),
        live_every_s=3600.0 * 24,
    )
    await thermometer.power_on()
    assert (len(thermometer.memory), thermometer.overwritten) == (RECORDS_MAX, 3)
    await thermometer.power_off()


async def test_no_indication_without_a_subscription(gateway: Backend, thermometer: Thermometer) -> None:
    outlet: Outlet = thermometer.temperature
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        assert await client.read_gatt_char("2a1d") == b"\x01"
        assert not await thermometer.indicate(outlet, b"never")
    assert thermometer.tally.notifications == 0

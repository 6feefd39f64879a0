"""Stored records by 2A52: in order, with their times, counted, chosen, deleted, and refused as the standard says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient
from bleak.exc import BleakGATTProtocolError

from firmware_stubs.bleak_backend import Backend
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import glucose, healthy
from firmware_stubs.glucose_meter import GlucoseMeter
from firmware_stubs.memory import History, Memory
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course
from firmware_stubs.radio import Air
from firmware_stubs.spot_oximeter import SpotOximeter
from firmware_stubs.tally import Metric
from tests.firmware_stubs.inbox import Inbox

NOON = datetime(2026, 11, 21, 4, 0, 0, tzinfo=UTC)
ADDRESS = "C0:00:00:00:00:08"
SHANGHAI = ZoneInfo("Asia/Shanghai")
SwitchOn = Callable[[Peripheral], Awaitable[None]]
ALL = bytes.fromhex("0101")


def memory(course: Course) -> Memory:
    """Five records, one an hour, before noon, and one at noon; the clock stands still."""
    clock = ClinicalClock(origin=NOON, real_now=lambda: NOON)
    five = History(first_ago=timedelta(hours=5), every=timedelta(hours=1))
    return Memory(clock=clock, course=course, zone=SHANGHAI, every_s=3600.0, history=five)


@pytest.fixture
async def meter(air: Air, switch_on: SwitchOn) -> GlucoseMeter:
    """A glucose meter with six records."""
    device = GlucoseMeter(air=air, identity=Identity(name="g", address=ADDRESS), memory=memory(glucose(seed=3)))
    await switch_on(device)
    return device


@pytest.fixture
async def client(gateway: Backend, meter: GlucoseMeter) -> AsyncIterator[BleakClient]:
    """A client of the meter."""
    async with asyncio.timeout(60), BleakClient(meter.identity.address, backend=gateway.client) as connected:
        yield connected


class Records:
    """The measurements and the answers of one client."""

    def __init__(self, client: BleakClient) -> None:
        self._client = client
        self.records = Inbox()
        self.answers = Inbox()

    async def listen(self, measurement: str) -> None:
        await self._client.start_notify(measurement, self.records)
        await self._client.start_notify("2a52", self.answers)

    async def ask(self, request: str) -> str:
        """Write a request; return the answer as hex."""
        before = len(self.answers.values)
        await self._client.write_gatt_char("2a52", bytes.fromhex(request), response=True)
        return (await self.answers.holds(before + 1))[-1].hex()


async def test_all_records_come_in_order_with_their_times(client: BleakClient, meter: GlucoseMeter) -> None:
    asked = Records(client)
    await asked.listen("2a18")
    assert await asked.ask("0101") == "06000101"
    numbers = [int.from_bytes(value[1:3], "little") for value in asked.records.values]
    hours = [value[7] for value in asked.records.values]
    assert (numbers, hours) == ([0, 1, 2, 3, 4, 5], [7, 8, 9, 10, 11, 12])
    assert {value[0] for value in asked.records.values} == {0x06}
    assert meter.tally.counts[Metric.GLUCOSE] == 6
    assert all(4.0 < reading.value < 10.0 for reading in meter.tally.sent)


@pytest.mark.parametrize(
    ("request_hex", "answer", "numbers"),
    [
        ("0401", "05000600", []),
        ("0105", "06000101", [0]),
        ("0106", "06000101", [5]),
        ("0102 01 0100", "06000101", [0, 1]),
        ("0103 01 0400", "06000101", [4, 5]),
        ("0104 01 0200 0300", "06000101", [2, 3]),
        ("0403 01 0300", "05000300", []),
        ("0103 01 0900", "06000106", []),
        ("0104 01 0300 0200", "06000105", []),
        ("0103 02 0300", "06000109", []),
        ("0100", "06000103", []),
        ("0109", "06000104", []),
        ("0901", "06000902", []),
        ("0101 00", "06000105", []),
        ("0300", "06000301", []),
    ],
)
async def test_a_request_is_answered_as_the_standard_says(
    client: BleakClient, meter: GlucoseMeter, request_hex: str, answer: str, numbers: list[int]
) -> None:
    asked = Records(client)
    await asked.listen("2a18")
    assert await asked.ask(request_hex) == answer
    assert [int.from_bytes(value[1:3], "little") for value in asked.records.values] == numbers
    assert meter.stored == 6


async def test_deleted_records_are_gone(client: BleakClient, meter: GlucoseMeter) -> None:
    asked = Records(client)
    await asked.listen("2a18")
    assert await asked.ask("0202 01 0300") == "06000201"
    assert [record.number for record in meter.memory.records] == [4, 5]
    assert await asked.ask("0201") == "06000201"
    assert await asked.ask("0101") == "06000106"


async def test_nothing_is_done_before_both_are_subscribed(client: BleakClient) -> None:
    await client.start_notify("2a52", Inbox())
    with pytest.raises(BleakGATTProtocolError) as refused:
        await client.write_gatt_char("2a52", ALL, response=True)
    assert refused.value.code == 0xFD


async def test_a_spot_oximeters_records_are_indicated_and_marked_as_stored(
    air: Air, gateway: Backend, switch_on: SwitchOn
) -> None:
    device = SpotOximeter(air=air, identity=Identity(name="s", address=ADDRESS), memory=memory(healthy(seed=4)))
    await switch_on(device)
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        assert bytes(await client.read_gatt_char("2a60"))[0] & 0b1100 == 0b1100
        asked = Records(client)
        await asked.listen("2a5e")
        assert await asked.ask("0101") == "06000101"
    assert [value[9] for value in asked.records.values] == [7, 8, 9, 10, 11, 12]
    assert all(int.from_bytes(value[12:14], "little") & 1 << 9 for value in asked.records.values)
    assert device.tally.counts[Metric.SPO2] == 6

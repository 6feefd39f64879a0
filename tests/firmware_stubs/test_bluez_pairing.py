"""Pairing over rig 2: nothing without an agent, a question to the agent, a bond that lasts."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDBusError

from firmware_stubs.bonding_thermometer import BondingThermometer
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import fever
from firmware_stubs.medfloat import date_time
from firmware_stubs.memory import History, Memory
from firmware_stubs.peripheral import Identity
from tests.firmware_stubs.bus_client import CHARACTERISTIC, DEVICE, HCI0, MANAGER, BusClient, Refused
from tests.firmware_stubs.inbox import Inbox
from tests.rigs import Rig2

ADDRESS = "C0:00:00:00:00:0B"
PATH = f"{HCI0}/dev_C0_00_00_00_00_0B"
AGENT = "/agent"
NOON = datetime(2026, 11, 21, 4, 0, 0, tzinfo=UTC)
NOON_CIVIL = date_time(NOON.astimezone(ZoneInfo("Asia/Shanghai")))


@pytest.fixture
async def thermometer(rig2: Rig2) -> BondingThermometer:
    """A bonding thermometer with three records; it stays awake."""
    memory = Memory(
        clock=ClinicalClock(origin=NOON, real_now=lambda: NOON),
        course=fever(seed=5),
        zone=ZoneInfo("Asia/Shanghai"),
        every_s=3600.0,
        history=History(first_ago=timedelta(hours=2), every=timedelta(hours=1)),
    )
    device = BondingThermometer(air=rig2.air, identity=Identity(name="b", address=ADDRESS), memory=memory)
    await rig2.switch_on(device)
    return device


async def register(client: BusClient) -> None:
    await client.bluez("/org/bluez", MANAGER, "RegisterAgent", "os", AGENT, "NoInputNoOutput")
    await client.bluez("/org/bluez", MANAGER, "RequestDefaultAgent", "o", AGENT)


async def test_without_an_agent_nothing_secret_is_reached(client: BusClient, thermometer: BondingThermometer) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        clock = await client.path_of(path, "2a08")
        with pytest.raises(Refused, match="NotPermitted: Not paired"):
            await client.bluez(clock, CHARACTERISTIC, "WriteValue", "aya{sv}", NOON_CIVIL, {})
        with pytest.raises(Refused, match="AuthenticationFailed"):
            await client.bluez(path, DEVICE, "Pair")
        assert not await client.get(path, DEVICE, "Paired")
        assert thermometer.is_connected


async def test_a_device_that_asks_for_a_bond_gets_one_when_the_agent_agrees(
    rig2: Rig2, client: BusClient, other_client: BusClient, thermometer: BondingThermometer
) -> None:
    async with asyncio.timeout(60):
        await register(other_client)
        path = await client.connect(ADDRESS)
        measurement, clock = [await client.path_of(path, uuid) for uuid in ("2a1c", "2a08")]
        await client.bluez(measurement, CHARACTERISTIC, "StartNotify")
        assert other_client.asked_to_authorise == [path]
        assert [await client.get(path, DEVICE, name) for name in ("Paired", "Bonded")] == [True, True]
        await client.bluez(clock, CHARACTERISTIC, "WriteValue", "aya{sv}", NOON_CIVIL, {})
        await client.until(lambda heard: sum(one.sets(CHARACTERISTIC, "Value") for one in heard) == 3)

        # The bond outlives the link, and bluetoothd.
        for restart in (False, True):
            await client.until_set(path, DEVICE, "Connected", False)
            if restart:
                await rig2.bluez.restart()
            client.heard.clear()
            await thermometer.wake()
            await client.bluez(path, DEVICE, "Connect")
            await client.until_set(path, DEVICE, "ServicesResolved", True)
            await client.bluez(clock, CHARACTERISTIC, "WriteValue", "aya{sv}", NOON_CIVIL, {})
            await client.bluez(path, DEVICE, "Disconnect")
        assert other_client.asked_to_authorise == [path]


async def test_an_agent_that_left_the_bus_is_asked_no_more(
    rig2: Rig2, client: BusClient, thermometer: BondingThermometer
) -> None:
    async with asyncio.timeout(60):
        async with BusClient(rig2.bus.address) as passing:
            await register(passing)
            with pytest.raises(Refused, match="AlreadyExists"):
                await register(passing)
        path = await client.connect(ADDRESS)
        with pytest.raises(Refused, match="AuthenticationFailed"):
            await client.bluez(path, DEVICE, "Pair")
        await register(client)
        await client.bluez(path, DEVICE, "Pair")
        assert client.asked_to_authorise == []  # whoever calls Pair has agreed
        with pytest.raises(Refused, match="AlreadyExists"):
            await client.bluez(path, DEVICE, "Pair")
        assert thermometer.is_connected


async def test_a_device_that_lost_its_bond_is_let_go(client: BusClient, thermometer: BondingThermometer) -> None:
    async with asyncio.timeout(60):
        await register(client)
        path = await client.connect(ADDRESS)
        await client.bluez(path, DEVICE, "Pair")
        await client.bluez(path, DEVICE, "Disconnect")
        thermometer.forget_bonds()
        with pytest.raises(Refused, match="le-connection-abort-by-local"):
            await client.bluez(path, DEVICE, "Connect")
        await client.bluez(HCI0, "org.bluez.Adapter1", "RemoveDevice", "o", path)
        client.heard.clear()
        path = await client.connect(ADDRESS)
        await client.bluez(path, DEVICE, "Pair")


async def test_bleak_pairs_and_reads_what_the_thermometer_kept(
    other_client: BusClient, thermometer: BondingThermometer
) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_address(ADDRESS)
        assert device is not None
        with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
            await BleakClient(device, pair=True).connect()
        await register(other_client)
        client = BleakClient(device, pair=True)
        await client.connect()
        await client.start_notify("2a1c", inbox)
        await client.write_gatt_char("2a08", NOON_CIVIL, response=True)
        assert len(await inbox.holds(3)) == 3
        await thermometer.disconnected.wait()
        await client.disconnect()

"""bleak's own BlueZ backend: found, linked, read, heard, lost and found again."""

import asyncio
from collections.abc import Callable

import pytest
from bleak import BleakClient, BleakScanner

from firmware_stubs.oximeter import Oximeter
from tests.firmware_stubs.inbox import Inbox
from tests.rigs import Rig2

ADDRESS = "C0:00:00:00:00:01"
WELL_BYTES = bytes.fromhex("1c 6100 4800 2001 000000 20f0")


async def found(on_loss: Callable[[], None] = lambda: None) -> BleakClient:
    """Scan for the oximeter; return a client for it."""
    device = await BleakScanner.find_device_by_address(ADDRESS)
    assert device is not None
    return BleakClient(device, lambda _: on_loss())


async def test_an_oximeter_is_found_connected_and_heard(bluez_oximeter: Oximeter) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60):
        async with await found() as client:
            assert {service.uuid[4:8] for service in client.services} == {"1801", "1822", "180f", "180a"}
            assert bytes(await client.read_gatt_char("2a25")) == b"0001"
            await client.start_notify("2a5f", inbox)
            received = await inbox.holds(5)
            await bluez_oximeter.hush()
            await client.read_gatt_char("2a25")  # a round trip: whatever was under way has come
            assert len(received) == bluez_oximeter.tally.notifications
            await client.stop_notify("2a5f")
            assert not bluez_oximeter.continuous.listening.is_set()
        await bluez_oximeter.disconnected.wait()
    assert set(received) == {WELL_BYTES}


async def test_a_lost_link_is_told_and_made_anew(bluez_oximeter: Oximeter) -> None:
    gone, inbox = asyncio.Event(), Inbox()
    async with asyncio.timeout(60):
        client = await found(gone.set)
        await client.connect()
        await client.start_notify("2a5f", inbox)
        await inbox.holds(2)
        bluez_oximeter.cut()
        await gone.wait()
        assert not client.is_connected
        await client.disconnect()
        again = Inbox()
        async with await found() as second:
            await second.start_notify("2a5f", again)
            assert set(await again.holds(3)) == {WELL_BYTES}


async def test_of_bluetoothds_death_bleak_notices_nothing(rig2: Rig2, bluez_oximeter: Oximeter) -> None:
    losses: list[str] = []
    inbox = Inbox()
    async with asyncio.timeout(60):
        client = await found(lambda: losses.append("told"))
        await client.connect()
        await client.start_notify("2a5f", inbox)
        await inbox.holds(1)
        await rig2.bluez.kill()
        await bluez_oximeter.disconnected.wait()
        await rig2.bluez.start()
        assert client.is_connected
        assert not losses
        assert not bluez_oximeter.is_connected
        with pytest.raises(TimeoutError):  # by itself it would wait ten seconds for a change that nobody signals
            await asyncio.wait_for(client.disconnect(), timeout=0.1)
        assert losses == ["told"]
        async with await found() as second:
            again = Inbox()
            await second.start_notify("2a5f", again)
            await again.holds(3)


@pytest.mark.usefixtures("bluez_oximeter")
async def test_of_the_bus_death_bleak_is_told(rig2: Rig2) -> None:
    gone = asyncio.Event()
    async with asyncio.timeout(60):
        client = await found(gone.set)
        await client.connect()
        await rig2.bus.kill()
        await gone.wait()
        assert not client.is_connected
        await client.disconnect()
        await rig2.restart_bus()
        async with await found() as second:
            assert second.is_connected

"""Plain bleak against a device in the same process."""

import asyncio
import contextlib
from random import Random

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_16

from firmware_stubs.bleak_backend import Backend
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.radio import Air
from firmware_stubs.tally import Metric
from tests.firmware_stubs.inbox import Inbox

PLX_CONTINUOUS = "2a5f"
ADDRESS = "C0:00:00:00:00:01"


async def test_an_oximeter_is_found_connected_and_heard(gateway: Backend, oximeter: Oximeter) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_address(ADDRESS, backend=gateway.scanner)
        assert device is not None
        async with BleakClient(device, backend=gateway.client) as client:
            assert {service.uuid[4:8] for service in client.services} == {"1801", "1822", "180f", "180a"}
            await client.start_notify(PLX_CONTINUOUS, inbox)
            await inbox.holds(5)
            await oximeter.hush()  # so that none is on its way when nobody listens any more
            received = await inbox.holds(oximeter.tally.notifications)
            await client.stop_notify(PLX_CONTINUOUS)
            assert not oximeter.continuous.listening.is_set()
        await oximeter.disconnected.wait()
    assert set(received) == {bytes.fromhex("1c 6100 4800 2001 000000 20f0")}
    assert oximeter.tally.notifications == oximeter.tally.counts[Metric.SPO2] == len(received)
    assert oximeter.tally.readings == 3 * len(received)
    assert [reading.value for reading in list(oximeter.tally.sent)[:3]] == [97.0, 72.0, 3.2]


async def test_what_is_written_on_the_label_is_read(gateway: Backend, oximeter: Oximeter) -> None:
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        read = {uuid: bytes(await client.read_gatt_char(uuid)) for uuid in ("2a19", "2a25", "2a60")}
    assert read == {
        "2a19": bytes([oximeter.identity.battery_percent]),
        "2a25": b"0001",
        "2a60": bytes.fromhex("4300 e0ff ffff00"),
    }


async def test_a_measurement_cannot_be_read(gateway: Backend, oximeter: Oximeter) -> None:
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        with pytest.raises(BleakGATTProtocolError):
            await client.read_gatt_char(PLX_CONTINUOUS)
        with pytest.raises(BleakError, match="neither notifies nor indicates"):
            await client.start_notify("2a60", Inbox())
    assert oximeter.tally.notifications == 0


async def test_pairing_does_no_harm(gateway: Backend, oximeter: Oximeter) -> None:
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.pair()
        await client.unpair()
        assert oximeter.is_connected


async def test_a_device_out_of_range_times_out_and_the_next_connects(
    air: Air, gateway: Backend, oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_address(ADDRESS, backend=gateway.scanner)
        assert device is not None
        air.take_away(ADDRESS)
        with pytest.raises(TimeoutError):
            await BleakClient(device, backend=gateway.client, timeout=0.05).connect()
        air.bring_back(ADDRESS)
        async with BleakClient(device, backend=gateway.client):
            assert oximeter.is_connected


async def test_a_device_never_heard_is_not_found(gateway: Backend) -> None:
    with pytest.raises(BleakDeviceNotFoundError):
        await BleakClient("C0:00:00:00:00:77", backend=gateway.client, timeout=0.05).connect()


async def test_a_connect_cancelled_by_its_caller_leaves_the_adapter_free(
    air: Air, gateway: Backend, oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_address(ADDRESS, backend=gateway.scanner)
        assert device is not None
        air.take_away(ADDRESS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await BleakClient(device, backend=gateway.client).connect()
        air.bring_back(ADDRESS)
        async with BleakClient(device, backend=gateway.client):
            assert oximeter.is_connected


async def test_a_link_lost_during_discovery_is_an_error_and_not_a_cancellation(
    air: Air, gateway: Backend, oximeter: Oximeter
) -> None:
    async def cut_at_once() -> None:
        await oximeter.connected.wait()
        air.cut(ADDRESS)

    async with asyncio.timeout(60):
        cutting = asyncio.create_task(cut_at_once())
        with pytest.raises(BleakError):
            await BleakClient(ADDRESS, backend=gateway.client).connect()
        await cutting


async def test_a_device_switched_off_disconnects(gateway: Backend, oximeter: Oximeter) -> None:
    gone = asyncio.Event()
    async with asyncio.timeout(60):
        client = BleakClient(ADDRESS, lambda _: gone.set(), backend=gateway.client)
        await client.connect()
        await oximeter.power_off()
        await gone.wait()
    assert not client.is_connected


async def test_a_hushed_device_stays_connected_and_says_nothing_new(gateway: Backend, oximeter: Oximeter) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify(PLX_CONTINUOUS, inbox)
        await inbox.holds(2)
        await oximeter.hush()
        said = oximeter.tally.notifications
        await client.read_gatt_char("2a19")  # a round trip: whatever was under way has come
        assert (len(await inbox.holds(said)), oximeter.tally.notifications) == (said, said)
        assert oximeter.is_connected


async def test_a_scanner_keeps_to_the_services_it_was_asked_for(gateway: Backend, oximeter: Oximeter) -> None:
    thermometers = BleakScanner(service_uuids=[normalize_uuid_16(0x1809)], backend=gateway.scanner)
    oximeters = BleakScanner(service_uuids=[normalize_uuid_16(0x1822)], backend=gateway.scanner)
    async with asyncio.timeout(60), thermometers, oximeters:
        async for device, _ in oximeters.advertisement_data():
            assert device.address == oximeter.identity.address
            break
    assert not thermometers.discovered_devices


async def test_a_link_may_be_lost_at_any_moment_of_a_connection(air: Air, gateway: Backend, oximeter: Oximeter) -> None:
    cutting = True

    async def cut_now_and_then() -> None:
        draw = Random(1)
        while cutting:
            await oximeter.connected.wait()
            for _ in range(draw.randrange(60)):
                await asyncio.sleep(0)
            air.cut(ADDRESS)
            await oximeter.disconnected.wait()

    chaos = asyncio.create_task(cut_now_and_then())
    async with asyncio.timeout(60):
        for _ in range(20):
            client = BleakClient(ADDRESS, backend=gateway.client)
            with contextlib.suppress(BleakError):
                await client.connect()
                await client.start_notify(PLX_CONTINUOUS, Inbox())
                await client.disconnect()
        cutting = False
        chaos.cancel()
        inbox = Inbox()
        async with BleakClient(ADDRESS, backend=gateway.client) as client:
            await client.start_notify(PLX_CONTINUOUS, inbox)
            await inbox.holds(2)

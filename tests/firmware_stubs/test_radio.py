"""The faults of bumble's own virtual radio, each with a test that it would fail (hang, or no data)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from bleak import BleakClient, BleakScanner
from bumble import core, hci, ll
from bumble.device import Advertisement, Device

from firmware_stubs.bleak_backend import Backend, backend
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.radio import LINK_LOST, Air, Radio
from tests.firmware_stubs.conftest import WELL
from tests.firmware_stubs.inbox import Inbox

PLX_CONTINUOUS = "2a5f"


async def _central(air: Air, address: str) -> Device:
    radio = Radio("central", air)
    device = Device(address=hci.Address(address), host=radio.host_side())
    await device.power_on()
    return device


async def test_a_cancelled_connection_ends_and_the_next_one_works(air: Air, oximeter: Oximeter) -> None:
    central = await _central(air, "C0:00:00:00:00:AA")
    async with asyncio.timeout(60):
        with pytest.raises(core.TimeoutError):
            await central.connect(hci.Address("C0:00:00:00:00:99"), timeout=0.01)
        connection = await central.connect(hci.Address(oximeter.identity.address))
    assert connection.peer_address == hci.Address(oximeter.identity.address)


async def test_nothing_to_cancel_is_refused(air: Air) -> None:
    central = await _central(air, "C0:00:00:00:00:AA")
    with pytest.raises(hci.HCI_Error) as refused:
        await central.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
    assert refused.value.error_code == hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR


async def test_a_device_with_a_public_address_is_read(
    air: Air,
    gateway: Backend,
    clock: ClinicalClock,
    switch_on: Callable[[Peripheral], Awaitable[None]],
) -> None:
    identity = Identity(name="public", address="00:11:22:33:44:55/P")
    await switch_on(Oximeter(air=air, identity=identity, clock=clock, course=lambda _: WELL))
    inbox = Inbox()
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_address("00:11:22:33:44:55", backend=gateway.scanner)
        assert device is not None
        async with BleakClient(device, backend=gateway.client) as client:
            await client.start_notify(PLX_CONTINUOUS, inbox)
            await inbox.holds(3)


async def test_advertisements_reach_only_who_listens(air: Air, oximeter: Oximeter) -> None:
    class Counting(Radio):
        heard = 0

        def on_ll_advertising_pdu(self, packet: ll.AdvertisingPdu) -> None:
            self.heard += 1
            super().on_ll_advertising_pdu(packet)

    idle, listening = Counting("idle", air), Counting("listening", air)
    heard: asyncio.Queue[Advertisement] = asyncio.Queue()
    listener = Device(address=hci.Address("C0:00:00:00:00:AB"), host=listening.host_side())
    listener.on(Device.EVENT_ADVERTISEMENT, heard.put_nowait)
    await listener.power_on()
    await listener.start_scanning()
    async with asyncio.timeout(60):
        for _ in range(3):
            assert (await heard.get()).address == hci.Address(oximeter.identity.address)
    assert (idle.heard, listening.heard >= 3) == (0, True)


async def test_duplicates_are_filtered_when_asked(air: Air, oximeter: Oximeter) -> None:
    filtering = await _central(air, "C0:00:00:00:00:AC")
    everything = await _central(air, "C0:00:00:00:00:AD")
    filtered: list[Advertisement] = []
    heard: asyncio.Queue[Advertisement] = asyncio.Queue()
    filtering.on(Device.EVENT_ADVERTISEMENT, filtered.append)
    everything.on(Device.EVENT_ADVERTISEMENT, heard.put_nowait)
    await filtering.start_scanning(filter_duplicates=True)
    await everything.start_scanning()
    async with asyncio.timeout(60):
        for _ in range(4):
            await heard.get()
    assert [a.address for a in filtered] == [hci.Address(oximeter.identity.address)]


@pytest.mark.parametrize(("mode", "name"), [("active", "p1"), ("passive", None)])
async def test_the_name_is_in_the_scan_response_only(
    gateway: Backend, oximeter: Oximeter, mode: str, name: str | None
) -> None:
    async with asyncio.timeout(60), BleakScanner(backend=gateway.scanner, scanning_mode=mode) as scanner:  # type: ignore[arg-type]
        async for device, said in scanner.advertisement_data():
            assert device.address == oximeter.identity.address
            assert said.local_name == name
            assert said.rssi == -71
            assert said.service_uuids == ["00001822-0000-1000-8000-00805f9b34fb"]
            break


async def test_a_cut_reaches_both_ends_and_the_device_advertises_again(
    air: Air, gateway: Backend, oximeter: Oximeter
) -> None:
    gone = asyncio.Event()
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_name("p1", backend=gateway.scanner)
        assert device is not None
        client = BleakClient(device, lambda _: gone.set(), backend=gateway.client)
        await client.connect()
        air.cut(oximeter.identity.address)
        await gone.wait()
        await oximeter.disconnected.wait()
        assert (client.is_connected, oximeter.disconnect_reason) == (False, LINK_LOST)
        assert await BleakScanner.find_device_by_name("p1", backend=gateway.scanner) is not None
        await client.connect()
        assert client.is_connected
        await client.disconnect()


async def test_a_reset_takes_the_links_down(air: Air, oximeter: Oximeter) -> None:
    central = await _central(air, "C0:00:00:00:00:AA")
    async with asyncio.timeout(60):
        await central.connect(hci.Address(oximeter.identity.address))
        await oximeter.connected.wait()
        await central.host.send_sync_command(hci.HCI_Reset_Command())
        await oximeter.disconnected.wait()
    assert oximeter.disconnect_reason == LINK_LOST


async def test_of_two_gateways_one_gets_the_device(air: Air, gateway: Backend, oximeter: Oximeter) -> None:
    other = backend(air)
    address = oximeter.identity.address
    async with asyncio.timeout(60):
        results = await asyncio.gather(
            *(side.client.adapter.connect(address, timeout_s=1.0) for side in (gateway, other)),
            return_exceptions=True,
        )
    await other.close()
    assert sorted(type(result).__name__ for result in results) == ["Connection", "TimeoutError"]

"""More of bleak's own BlueZ backend: stored records, several adapters, many devices, a client that died, a burst."""

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError
from dbus_fast import Message

from firmware_stubs.bleak_backend import backend
from firmware_stubs.bluez.bus import NoDaemon, connect, private_bus
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import healthy
from firmware_stubs.memory import History, Memory
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from firmware_stubs.physiology import State
from firmware_stubs.spot_oximeter import SpotOximeter
from tests.firmware_stubs.bus_client import CHARACTERISTIC, DEVICE, BusClient, Refused
from tests.firmware_stubs.inbox import Inbox
from tests.gateway.waiting import eventually
from tests.rigs import Rig2, let_bleak_go

ADDRESS = "C0:00:00:00:00:01"
NOON = datetime(2026, 11, 21, 4, 0, 0, tzinfo=UTC)
BURST = 3_000
GATEWAY = """
import asyncio, sys
from bleak import BleakClient, BleakScanner

async def main():
    device = await BleakScanner.find_device_by_address(sys.argv[1])
    client = BleakClient(device)
    await client.connect()
    await client.start_notify("2a5f", lambda *_: print("heard", flush=True))
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_stored_records_are_indicated_in_order_with_their_times(rig2: Rig2) -> None:
    memory = Memory(
        clock=ClinicalClock(origin=NOON, real_now=lambda: NOON),
        course=healthy(seed=4),
        zone=ZoneInfo("Asia/Shanghai"),
        every_s=3600.0,
        history=History(first_ago=timedelta(hours=5), every=timedelta(hours=1)),
    )
    device = SpotOximeter(air=rig2.air, identity=Identity(name="s", address=ADDRESS), memory=memory)
    await rig2.switch_on(device)
    records, answers = Inbox(), Inbox()
    async with asyncio.timeout(60):
        found = await BleakScanner.find_device_by_address(ADDRESS)
        assert found is not None
        async with BleakClient(found) as client:
            await client.start_notify("2a5e", records)
            await client.start_notify("2a52", answers)
            await client.write_gatt_char("2a52", bytes.fromhex("0401"), response=True)
            assert await answers.holds(1) == [bytes.fromhex("05000600")]
            await client.write_gatt_char("2a52", bytes.fromhex("0101"), response=True)
            assert (await answers.holds(2))[1] == bytes.fromhex("06000101")
    assert [value[9] for value in records.values] == [7, 8, 9, 10, 11, 12]
    assert device.tally.readings == 18


async def test_a_second_adapter_has_links_of_its_own(bluez_oximeter: Oximeter) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60):
        found = await BleakScanner.find_device_by_address(ADDRESS, bluez={"adapter": "hci1"})
        assert found is not None
        assert found.details["path"].startswith("/org/bluez/hci1/")
        async with BleakClient(found) as client:
            await client.start_notify("2a5f", inbox)
            await inbox.holds(2)
            assert bluez_oximeter.is_connected


async def test_many_devices_are_connected_at_once(rig2: Rig2) -> None:
    addresses = [f"C0:00:00:00:01:{number:02X}" for number in range(8)]
    for address in addresses:
        identity = Identity(name=address[-2:], address=address, advertising_interval_ms=50.0)
        clock = ClinicalClock(origin=datetime.now(UTC), speed=10.0)
        well = State(spo2_percent=97.0, pulse_per_min=72.0)
        await rig2.switch_on(Oximeter(air=rig2.air, identity=identity, clock=clock, course=lambda _, well=well: well))

    async def listen(address: str) -> int:
        inbox = Inbox()
        async with BleakClient(found[address]) as client:
            await client.start_notify("2a5f", inbox)
            return len(await inbox.holds(5))

    async with asyncio.timeout(60):
        async with BleakScanner() as scanner:
            await eventually(lambda: len(scanner.discovered_devices) == len(addresses))
            found = {device.address: device for device in scanner.discovered_devices}
        heard = await asyncio.gather(*(listen(address) for address in addresses))
    assert all(count >= 5 for count in heard)


async def test_the_link_of_a_killed_client_must_be_closed_by_somebody(
    client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        gateway = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", GATEWAY, ADDRESS), stdout=asyncio.subprocess.PIPE
        )
        assert gateway.stdout is not None
        assert await gateway.stdout.readline() == b"heard\n"
        gateway.send_signal(signal.SIGKILL)
        await gateway.communicate()
        await eventually(lambda: not bluez_oximeter.continuous.listening.is_set())
        assert bluez_oximeter.is_connected
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient(ADDRESS, timeout=0.5).connect()
        # bleak takes either adapter when it is not told which.
        stale = [path for path, shown in (await client.objects()).items() if shown.get(DEVICE, {}).get("Connected")]
        await client.bluez(stale[0], DEVICE, "Disconnect")
        async with BleakClient(ADDRESS) as again:
            assert again.is_connected


async def test_a_burst_of_signals_does_not_end_the_connection(rig2: Rig2, client: BusClient) -> None:
    async with asyncio.timeout(60):
        speaker = await connect(rig2.bus.address)
        for number in range(BURST):
            signal_ = Message.new_signal("/burst", "test.Burst", "Number", "u", [number])
            speaker.send(signal_)
        await client.until(lambda heard: sum(one.path == "/burst" for one in heard) == BURST)
        assert speaker.connected
        speaker.disconnect()


async def test_without_a_daemon_there_is_no_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoDaemon, match="dbus-daemon"):
        async with private_bus(tmp_path):
            pass


async def test_values_may_come_through_a_pipe_of_their_own(client: BusClient, bluez_oximeter: Oximeter) -> None:
    inbox = Inbox()
    async with asyncio.timeout(60):
        found = await BleakScanner.find_device_by_address(ADDRESS)
        assert found is not None
        async with BleakClient(found) as linked:
            await linked.start_notify("2a5f", inbox, bluez={"use_start_notify": False})
            await inbox.holds(3)
            path = found.details["path"]
            continuous = await client.path_of(path, "2a5f")
            with pytest.raises(Refused, match="Notify acquired"):
                await client.bluez(continuous, CHARACTERISTIC, "StartNotify")
            assert not [heard for heard in client.heard if heard.sets(CHARACTERISTIC, "Value")]
            await linked.stop_notify("2a5f")
            await eventually(lambda: not bluez_oximeter.continuous.listening.is_set())
            await linked.start_notify("2a5f", inbox)
            await bluez_oximeter.continuous.listening.wait()


async def test_a_passive_scan_hears_what_fits_its_patterns(rig2: Rig2, bluez_oximeter: Oximeter) -> None:
    lists_16_bit_services, plx, thermometer = 0x03, b"\x22\x18", b"\x09\x18"
    async with asyncio.timeout(60):
        for service, is_heard in ((thermometer, False), (plx, True)):
            patterns = [(0, lists_16_bit_services, service)]
            async with BleakScanner(scanning_mode="passive", bluez={"or_patterns": patterns}) as scanner:
                if is_heard:
                    await eventually(lambda scanner=scanner: bool(scanner.discovered_devices))
                    (device,) = scanner.discovered_devices
                    assert (device.address, device.name) == (ADDRESS, None)  # the name is in the scan response
                else:
                    await advertisements(rig2, bluez_oximeter, count=3)
                    assert not scanner.discovered_devices


async def advertisements(rig2: Rig2, device: Oximeter, *, count: int) -> None:
    """Wait until a device has said so many advertisements, heard by a listener of our own."""
    scanner, _ = made = backend(rig2.air)
    heard = 0
    async with BleakScanner(backend=scanner) as listening:
        async for found, _ in listening.advertisement_data():
            heard += found.address == device.identity.address
            if heard == count:
                break
    await made.close()


async def test_by_hand_it_is_four_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def started(*arguments: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "firmware_stubs", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        assert json.loads(await process.stdout.readline())["event"] == "ready"
        running.append(process)
        return process

    running: list[asyncio.subprocess.Process] = []
    bus, air = f"unix:path={tmp_path / 'bus'}", tmp_path / "air"
    async with asyncio.timeout(60):
        await started("hub", "--socket", str(air))
        await started("bus", "--folder", str(tmp_path))
        bluez = await started("bluez", "--bus", bus, "--hci", f"unix:{air}", "--disconnect-s", "0")
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        async with BleakClient(ADDRESS) as client:
            assert client.is_connected
        taken = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "firmware_stubs", "bluez", "--bus", bus, "--hci", f"unix:{air}"),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await taken.communicate()
        assert (taken.returncode, b"org.bluez is taken" in said) == (2, True)
        bluez.terminate()
        assert await bluez.wait() == 0
        await let_bleak_go()
        for process in running:
            if process.returncode is None:
                process.terminate()
            await process.communicate()
    assert [process.returncode for process in running] == [0, 0, 0]

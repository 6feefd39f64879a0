"""Troubles on demand: as bleak and plain clients see them, and what cures them."""

import asyncio

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakDeviceNotFoundError
from dbus_fast import Variant

from firmware_stubs.bluez.faults import (
    Cure,
    Deafness,
    Delay,
    FaultError,
    LostService,
    Member,
    Refusal,
    Trouble,
    fault_from_json,
    fault_to_json,
)
from firmware_stubs.oximeter import Oximeter
from tests.firmware_stubs.bus_client import ADAPTER, DEVICE, HCI0, BusClient, Heard, Refused
from tests.rigs import Rig2

ADDRESS = "C0:00:00:00:00:01"
SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
pytestmark = pytest.mark.usefixtures("bluez_oximeter")


async def found() -> BLEDevice:
    device = await BleakScanner.find_device_by_address(ADDRESS)
    assert device is not None
    return device


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Trouble.IN_PROGRESS, BleakDBusError),
        (Trouble.CANCELED, BleakDBusError),
        (Trouble.UNKNOWN_OBJECT, BleakDeviceNotFoundError),
    ],
)
async def test_a_connect_is_refused_so_many_times_and_then_works(
    rig2: Rig2, trouble: Trouble, error: type[Exception]
) -> None:
    async with asyncio.timeout(60):
        await rig2.bluez.inject(Refusal(member=Member.CONNECT, trouble=trouble, times=2))
        client = BleakClient(await found())
        for _ in range(2):
            with pytest.raises(error):
                await client.connect()
        await client.connect()
        await client.disconnect()


async def test_a_scan_that_is_in_progress_elsewhere_is_refused(rig2: Rig2) -> None:
    async with asyncio.timeout(60):
        await rig2.bluez.inject(Refusal(member=Member.START_DISCOVERY, trouble=Trouble.IN_PROGRESS))
        with pytest.raises(BleakDBusError, match="InProgress"):
            await BleakScanner().start()
        assert await found()


async def test_a_slow_connect_can_be_cancelled(rig2: Rig2, bluez_oximeter: Oximeter) -> None:
    async with asyncio.timeout(60):
        device = await found()
        await rig2.bluez.inject(Delay(member=Member.CONNECT, seconds=3600.0))
        client = BleakClient(device, timeout=0.3)
        with pytest.raises(TimeoutError):
            await client.connect()
        assert not bluez_oximeter.is_connected
        async with BleakClient(device):
            assert bluez_oximeter.is_connected


@pytest.mark.parametrize("cure", [Cure.RESCAN, Cure.POWER_CYCLE, Cure.RESTART])
async def test_a_deaf_radio_says_that_it_discovers_and_hears_after_its_cure(
    rig2: Rig2, client: BusClient, cure: Cure
) -> None:
    async with asyncio.timeout(60):
        await client.bluez(HCI0, ADAPTER, "StartDiscovery")
        await rig2.bluez.inject(Deafness(cure=cure))
        assert await client.get(HCI0, ADAPTER, "Discovering")
        for step in Cure:
            await take(step, rig2, client)
            if step is cure:
                break
            assert not await hears(client, bound_s=0.4)
        assert await hears(client, bound_s=20.0)


async def test_what_only_a_reboot_cures_outlives_a_restart(rig2: Rig2, client: BusClient) -> None:
    async with asyncio.timeout(60):
        await rig2.bluez.inject(Deafness(cure=Cure.REBOOT))
        await take(Cure.RESTART, rig2, client)
        assert not await hears(client, bound_s=0.4)
        await client.call(*LOGIND, "Reboot", "b", False)
        assert rig2.init_system.reboots == 1
        await client.until(lambda heard: [one for one in heard if named(one, "org.bluez")])
        await client.bluez(HCI0, ADAPTER, "StartDiscovery")
        assert await hears(client, bound_s=20.0)


async def test_silence_for_a_while_ends_by_itself_and_leaves_links_alone(
    rig2: Rig2, client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        await rig2.bluez.inject(Deafness(seconds=0.5))
        assert await client.get(path, DEVICE, "Connected")
        bluez_oximeter.cut()
        await client.until_set(path, DEVICE, "Connected", False)
        client.heard.clear()
        await client.bluez(HCI0, ADAPTER, "StartDiscovery")
        assert await hears(client, bound_s=20.0)


async def test_a_service_lost_from_the_cache_comes_back_when_the_device_is_removed(rig2: Rig2) -> None:
    plx = "00001822-0000-1000-8000-00805f9b34fb"
    async with asyncio.timeout(60):
        await rig2.bluez.inject(LostService(uuid=plx))
        for _ in range(2):
            async with BleakClient(await found()) as client:
                assert client.services.get_service(plx) is None
        await client.unpair()
        async with BleakClient(await found()) as client:
            assert client.services.get_service(plx) is not None


async def test_systemd_restarts_what_it_is_asked_to_and_refuses_the_rest(rig2: Rig2, client: BusClient) -> None:
    async with asyncio.timeout(60):
        with pytest.raises(Refused, match="NoSuchUnit"):
            await client.call(*SYSTEMD, "RestartUnit", "ss", "telnet.service", "replace")
        rig2.init_system.is_allowed = False
        for service, call in (
            (SYSTEMD, ("RestartUnit", "ss", "bluetooth.service", "replace")),
            (LOGIND, ("Reboot", "b", False)),
        ):
            with pytest.raises(Refused, match="InteractiveAuthorizationRequired"):
                await client.call(*service, *call)
        assert await client.call(*LOGIND, "CanReboot") == "no"
        rig2.init_system.is_allowed = True
        before = rig2.bluez.pid
        await take(Cure.RESTART, rig2, client)
        assert rig2.init_system.restarts == ["bluetooth.service"]
        assert rig2.bluez.pid != before


@pytest.mark.parametrize(
    "fault",
    [
        Refusal(member=Member.READ_VALUE, trouble=Trouble.NO_REPLY, times=3),
        Delay(member=Member.PAIR, seconds=0.5),
        Deafness(cure=Cure.POWER_CYCLE, adapter="hci1"),
        LostService(uuid="00001822-0000-1000-8000-00805f9b34fb"),
    ],
)
def test_a_fault_is_a_line_of_json(fault: Refusal) -> None:
    assert fault_from_json(fault_to_json(fault)) == fault


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        '{"fault": "Tiredness"}',
        '{"fault": "Refusal", "member": "Connect"}',
        '{"fault": "Delay", "member": "Sing", "seconds": 1}',
        '{"fault": "Deafness", "cure": 9}',
    ],
)
def test_what_is_no_fault_is_refused_with_the_line(line: str) -> None:
    with pytest.raises(FaultError) as refused:
        fault_from_json(line)
    assert repr(line) in str(refused.value)


async def take(step: Cure, rig2: Rig2, client: BusClient) -> None:
    """Take one step of the ladder, and discover again."""
    match step:
        case Cure.RESCAN:
            await client.bluez(HCI0, ADAPTER, "StopDiscovery")
        case Cure.POWER_CYCLE:
            for wanted in (False, True):
                await client.set(HCI0, ADAPTER, "Powered", Variant("b", wanted))
        case Cure.RESTART:
            await client.call(*SYSTEMD, "RestartUnit", "ss", "bluetooth.service", "replace")
            await client.until(lambda heard: [one for one in heard if one.member == "JobRemoved"])
        case Cure.REBOOT:
            await rig2.bluez.reboot()
    await client.bluez(HCI0, ADAPTER, "StartDiscovery")


async def hears(client: BusClient, *, bound_s: float) -> bool:
    """Tell whether an advertisement arrives from now on, within the bound."""
    client.heard.clear()
    try:
        async with asyncio.timeout(bound_s):
            await client.until(lambda heard: any(_is_advertisement(one) for one in heard))
    except TimeoutError:
        return False
    return True


def _is_advertisement(one: Heard) -> bool:
    return one.sets(DEVICE, "RSSI") or (one.member == "InterfacesAdded" and "RSSI" in one.body[1].get(DEVICE, {}))


def named(one: Heard, name: str) -> bool:
    """Tell whether a name was taken."""
    return one.member == "NameOwnerChanged" and one.body[0] == name and bool(one.body[2])

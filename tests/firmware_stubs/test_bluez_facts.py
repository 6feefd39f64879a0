"""What bluetoothd does and is easy to get wrong, as traced on BlueZ 5.66: asked of the stand-in by plain clients."""

import asyncio
from collections.abc import Awaitable

import pytest
from dbus_fast import Variant

from firmware_stubs.oximeter import Oximeter
from tests.firmware_stubs.bus_client import (
    ADAPTER,
    BATTERY,
    CHARACTERISTIC,
    DEVICE,
    HCI0,
    REPLY,
    BusClient,
    Heard,
    Refused,
)
from tests.rigs import Rig2

pytestmark = pytest.mark.long

ADDRESS = "C0:00:00:00:00:01"
PATH = f"{HCI0}/dev_C0_00_00_00_00_01"
FAILED = "org.bluez.Error.Failed"
IN_PROGRESS = "org.bluez.Error.InProgress"
NOT_SUPPORTED = "org.bluez.Error.NotSupported"


async def refusal(call: Awaitable[object]) -> tuple[str, str]:
    """Await a call that is refused; return the error's name and text."""
    with pytest.raises(Refused) as refused:
        await call
    return refused.value.name, refused.value.text


def values(client: BusClient) -> list[Heard]:
    return [heard for heard in client.heard if heard.sets(CHARACTERISTIC, "Value")]


async def test_discovery_belongs_to_its_client(client: BusClient, other_client: BusClient) -> None:
    async with asyncio.timeout(60):
        assert await refusal(client.bluez(HCI0, ADAPTER, "StopDiscovery")) == (FAILED, "No discovery started")
        await client.bluez(HCI0, ADAPTER, "StartDiscovery")
        assert (await refusal(client.bluez(HCI0, ADAPTER, "StartDiscovery")))[0] == IN_PROGRESS
        await other_client.bluez(HCI0, ADAPTER, "StartDiscovery")
        await client.bluez(HCI0, ADAPTER, "StopDiscovery")
        assert await client.get(HCI0, ADAPTER, "Discovering")
        await other_client.bluez(HCI0, ADAPTER, "StopDiscovery")
        assert not await client.get(HCI0, ADAPTER, "Discovering")


async def test_discovery_ends_with_its_client(rig2: Rig2, client: BusClient) -> None:
    async with asyncio.timeout(60):
        async with BusClient(rig2.bus.address) as passing:
            await passing.bluez(HCI0, ADAPTER, "StartDiscovery")
            await client.until_set(HCI0, ADAPTER, "Discovering", True)
        await client.until_set(HCI0, ADAPTER, "Discovering", False)


@pytest.mark.usefixtures("bluez_oximeter")
async def test_the_signal_strength_is_told_at_every_advertisement_and_taken_back(client: BusClient) -> None:
    async with asyncio.timeout(60):
        await client.bluez(HCI0, ADAPTER, "StartDiscovery")
        await client.until(lambda heard: sum(one.sets(DEVICE, "RSSI") for one in heard) >= 3)
        told = [heard.body[1] for heard in client.heard if heard.sets(DEVICE, "RSSI")]
        assert all(change == {"RSSI": -71} for change in told)
        await client.bluez(HCI0, ADAPTER, "StopDiscovery")
        assert client.heard[-2].path == HCI0  # Discovering; the last one is the answer
        assert any(heard.path == PATH and heard.body[2] == ["RSSI"] for heard in client.heard[-5:])


@pytest.mark.usefixtures("bluez_oximeter")
async def test_connect_answers_before_the_services_are_shown(client: BusClient) -> None:
    async with asyncio.timeout(60):
        await client.discover(ADDRESS)
        client.heard.clear()
        await client.bluez(PATH, DEVICE, "Connect")
        await client.until_set(PATH, DEVICE, "ServicesResolved", True)
    story = [
        "connected" if heard.sets(DEVICE, "Connected") else "resolved" if heard.sets(DEVICE, "UUIDs") else heard.member
        for heard in client.heard
    ]
    added = story.count("InterfacesAdded")
    assert story == ["connected", REPLY, *["InterfacesAdded"] * added, "resolved"]
    assert added > 10
    assert {"00001800", "00001801"} <= {uuid[:8] for uuid in client.heard[-1].body[1]["UUIDs"]}


@pytest.mark.usefixtures("bluez_oximeter")
async def test_generic_access_is_hidden_and_the_battery_is_told_twice(client: BusClient) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        await client.until(lambda heard: any(one.body[0] == path and BATTERY in one.body[1] for one in heard[-3:]))
        shown = await client.objects()
        assert shown[path][BATTERY]["Percentage"] == 87
        services = {one["UUID"][4:8] for found in shown.values() if (one := found.get("org.bluez.GattService1"))}
        assert services == {"1801", "1822", "180f", "180a"}


async def test_a_lost_link_is_one_change_and_leaves_the_attributes(client: BusClient, bluez_oximeter: Oximeter) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        level = await client.path_of(path, "2a19")
        bluez_oximeter.cut()
        await client.until_set(path, DEVICE, "Connected", False)
        lost = [heard.body[1] for heard in client.heard if heard.sets(DEVICE, "Connected")][-1]
        assert lost == {"ServicesResolved": False, "Connected": False}
        assert level in await client.objects()
        assert await refusal(client.bluez(level, CHARACTERISTIC, "ReadValue", "a{sv}", {})) == (FAILED, "Not connected")
        await client.bluez(path, DEVICE, "Disconnect")  # harmless


async def test_a_pending_connect_refuses_others_and_ends_with_disconnect(
    rig2: Rig2, client: BusClient, other_client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        await client.discover(ADDRESS)
        rig2.air.take_away(ADDRESS)
        connecting = asyncio.create_task(refusal(client.bluez(PATH, DEVICE, "Connect")))
        await asyncio.sleep(0)  # it is sent now, before what the other one sends
        assert await refusal(other_client.bluez(PATH, DEVICE, "Connect")) == (FAILED, "Operation already in progress")
        await other_client.bluez(PATH, DEVICE, "Disconnect")
        assert await connecting == (FAILED, "br-connection-canceled")
        assert not bluez_oximeter.is_connected


@pytest.mark.usefixtures("bluez_oximeter")
async def test_a_device_out_of_range_is_given_up_after_long(rig2: Rig2, client: BusClient) -> None:
    async with asyncio.timeout(60):
        await client.discover(ADDRESS)
        rig2.air.take_away(ADDRESS)
        said = await refusal(client.bluez(PATH, DEVICE, "Connect"))
        assert said == (FAILED, "le-connection-abort-by-local")
        rig2.air.bring_back(ADDRESS)
        await client.bluez(PATH, DEVICE, "Connect")
        await client.bluez(PATH, DEVICE, "Connect")  # connected already: fine


@pytest.mark.usefixtures("bluez_oximeter")
async def test_a_device_that_nobody_wanted_is_forgotten(client: BusClient) -> None:
    async with asyncio.timeout(60):
        await client.discover(ADDRESS)
        removed = await client.until(lambda heard: [one for one in heard if one.member == "InterfacesRemoved"])
        assert removed[0].body == [PATH, [DEVICE]]
        with pytest.raises(Refused, match="UnknownObject"):
            await client.bluez(PATH, DEVICE, "Connect")


async def test_every_subscriber_doubles_every_notification(
    client: BusClient, other_client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        continuous = await client.path_of(path, "2a5f")
        for one in (client, client, other_client):
            await one.bluez(continuous, CHARACTERISTIC, "StartNotify")
        await bluez_oximeter.hush()
        await client.bluez(continuous, CHARACTERISTIC, "StopNotify")
        before, sent = len(values(client)), bluez_oximeter.tally.notifications
        bluez_oximeter.may_speak.set()
        await client.until(lambda _: len(values(client)) >= before + 3)
        await bluez_oximeter.hush()
        await client.bluez("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        assert len(values(client)) - before == bluez_oximeter.tally.notifications - sent

        await client.bluez(continuous, CHARACTERISTIC, "StartNotify")
        before, sent = len(values(client)), bluez_oximeter.tally.notifications
        bluez_oximeter.may_speak.set()
        await client.until(lambda _: len(values(client)) >= before + 3)
        await bluez_oximeter.hush()
        await client.bluez("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        assert len(values(client)) - before == 2 * (bluez_oximeter.tally.notifications - sent)


@pytest.mark.usefixtures("bluez_oximeter")
async def test_what_a_characteristic_cannot_do_is_not_supported(client: BusClient) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        features, continuous = [await client.path_of(path, uuid) for uuid in ("2a60", "2a5f")]
        assert (await refusal(client.bluez(features, CHARACTERISTIC, "StartNotify")))[0] == NOT_SUPPORTED
        write = client.bluez(features, CHARACTERISTIC, "WriteValue", "aya{sv}", b"\x01", {})
        assert (await refusal(write))[0] == NOT_SUPPORTED
        assert (await refusal(client.bluez(continuous, CHARACTERISTIC, "ReadValue", "a{sv}", {})))[0] == NOT_SUPPORTED
        said = await refusal(client.bluez(continuous, CHARACTERISTIC, "StopNotify"))
        assert said == (FAILED, "No notify session started")


@pytest.mark.usefixtures("bluez_oximeter")
async def test_what_is_read_is_told_as_if_it_had_been_notified(client: BusClient, other_client: BusClient) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        serial = await client.path_of(path, "2a25")
        assert await client.bluez(serial, CHARACTERISTIC, "ReadValue", "a{sv}", {}) == b"0001"
        await other_client.until(lambda heard: any(one.path == serial for one in heard))
        assert [(one.path, one.body[1]["Value"]) for one in values(other_client)] == [(serial, b"0001")]


async def test_who_stays_on_the_bus_is_subscribed_again_after_a_loss(
    client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        continuous = await client.path_of(path, "2a5f")
        await client.bluez(continuous, CHARACTERISTIC, "StartNotify")
        bluez_oximeter.cut()
        await client.until_set(path, DEVICE, "Connected", False)
        client.heard.clear()
        await client.bluez(path, DEVICE, "Connect")
        await client.until(lambda _: len(values(client)) >= 3)


async def test_powering_off_ends_links_and_discovery(client: BusClient, bluez_oximeter: Oximeter) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        await client.bluez(HCI0, ADAPTER, "StartDiscovery")
        await client.set(HCI0, ADAPTER, "Powered", Variant("b", False))
        assert not await client.get(path, DEVICE, "Connected")
        assert not await client.get(HCI0, ADAPTER, "Discovering")
        await bluez_oximeter.disconnected.wait()
        assert (await refusal(client.bluez(HCI0, ADAPTER, "StartDiscovery")))[0] == "org.bluez.Error.NotReady"
        await client.set(HCI0, ADAPTER, "Powered", Variant("b", True))
        client.heard.clear()
        await client.connect(ADDRESS)
        assert bluez_oximeter.is_connected


async def test_a_removed_device_is_gone_until_it_is_heard_again(client: BusClient, bluez_oximeter: Oximeter) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        await client.bluez(HCI0, ADAPTER, "RemoveDevice", "o", path)
        assert not any(found.startswith(path) for found in await client.objects())
        await bluez_oximeter.disconnected.wait()
        said = await refusal(client.bluez(HCI0, ADAPTER, "RemoveDevice", "o", path))
        assert said[0] == "org.bluez.Error.DoesNotExist"
        client.heard.clear()
        await client.connect(ADDRESS)


async def test_a_link_outlives_the_client_that_made_it(rig2: Rig2, client: BusClient, bluez_oximeter: Oximeter) -> None:
    async with asyncio.timeout(60):
        async with BusClient(rig2.bus.address) as passing:
            path = await passing.connect(ADDRESS)
            await passing.bluez(await passing.path_of(path, "2a5f"), CHARACTERISTIC, "StartNotify")
            await bluez_oximeter.continuous.listening.wait()
        while bluez_oximeter.continuous.listening.is_set():  # its subscription ends with it
            await client.objects()
        assert bluez_oximeter.is_connected
        assert await client.get(path, DEVICE, "Connected")
        await client.bluez(path, DEVICE, "Disconnect")
        await bluez_oximeter.disconnected.wait()


async def test_what_was_connected_once_is_known_after_a_restart_and_not_connected(
    rig2: Rig2, client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        await rig2.bluez.kill()
        await bluez_oximeter.disconnected.wait()
        with pytest.raises(Refused, match="ServiceUnknown"):
            await client.objects()
        await rig2.bluez.start()
        shown = (await client.objects())[path][DEVICE]
        assert (shown["Name"], shown["Connected"], "RSSI" in shown) == ("p1", False, False)
        gone = [heard.body for heard in client.heard if heard.member == "NameOwnerChanged"]
        assert [(name, bool(new)) for name, _, new in gone if name == "org.bluez"] == [
            ("org.bluez", False),
            ("org.bluez", True),
        ]


async def test_an_adapter_that_is_pulled_out_and_put_back_has_lost_its_links(
    rig2: Rig2, client: BusClient, bluez_oximeter: Oximeter
) -> None:
    async with asyncio.timeout(60):
        path = await client.connect(ADDRESS)
        rig2.port.pull_all()
        await client.until(
            lambda heard: any(one.member == "InterfacesRemoved" and one.body[0] == HCI0 for one in heard)
        )
        await client.until_set(path, DEVICE, "Connected", False)
        await bluez_oximeter.disconnected.wait()
        await client.until(lambda heard: any(one.member == "InterfacesAdded" and one.body[0] == HCI0 for one in heard))
        client.heard.clear()
        await client.connect(ADDRESS)


async def test_each_adapter_has_devices_and_links_of_its_own(client: BusClient, bluez_oximeter: Oximeter) -> None:
    async with asyncio.timeout(60):
        other = await client.discover(ADDRESS, adapter="/org/bluez/hci1")
        await client.discover(ADDRESS)
        await client.bluez(other, DEVICE, "Connect")
        assert bluez_oximeter.is_connected
        assert not await client.get(PATH, DEVICE, "Connected")
        await client.set(HCI0, ADAPTER, "Powered", Variant("b", False))
        assert await client.get(other, DEVICE, "Connected")

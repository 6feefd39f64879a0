"""What we ask of BlueZ ourselves, on a bluetoothd of our own: watch it, end links, cycle power, restart, reboot."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient, BleakScanner
from structlog.testing import capture_logs

from firmware_stubs.bonding_thermometer import BondingThermometer
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import fever
from firmware_stubs.memory import Memory
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from gateway.bluetooth.bluez import BlueZ
from gateway.bluetooth.stack import AdapterFound, StackError, StackListener
from tests.firmware_stubs.bus_client import CHARACTERISTIC, DEVICE, BusClient, Refused
from tests.gateway.fleet_rig import WELL
from tests.gateway.waiting import eventually
from tests.rigs import Rig2

ADDRESS = "C0:00:00:00:00:01"


class Watch:
    """A BlueZ that is watched, and what it said."""

    def __init__(self) -> None:
        self.bluez = BlueZ()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.claimed = {ADDRESS}

    def may_pair(self, address: str) -> bool:
        self.asked.append(address)
        return address in self.claimed


@pytest.fixture
async def watch(rig2: Rig2) -> AsyncIterator[Watch]:  # noqa: ARG001 - it sets the bus
    watch = Watch()
    listener = StackListener(
        on_gone=lambda: watch.said.append("gone"),
        on_ready=lambda: watch.said.append("ready"),
        may_pair=watch.may_pair,
    )
    task = asyncio.create_task(watch.bluez.run(listener))
    await eventually(lambda: watch.said == ["ready"])
    yield watch
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def oximeter(rig2: Rig2) -> Oximeter:
    device = Oximeter(
        air=rig2.air,
        identity=Identity(name="p1", address=ADDRESS, advertising_interval_ms=30.0),
        clock=ClinicalClock(origin=datetime.now(UTC), speed=20.0),
        course=lambda _: WELL,
    )
    await rig2.switch_on(device)
    return device


async def connected(address: str = ADDRESS) -> BleakClient:
    """Connect as another program, or a former life, would."""
    device = await BleakScanner.find_device_by_address(address, timeout=20)
    assert device is not None
    client = BleakClient(device)
    await client.connect()
    return client


@asynccontextmanager
async def cut_at_the_first(word: bytes, bus: Path, way: Path) -> AsyncIterator[list[bytes]]:
    """A way to the bus that breaks, once, where somebody says a word; gives what was said then."""
    cuts: list[bytes] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool) -> None:
        while said := await reader.read(1 << 16):
            if is_up and not cuts and word in said:
                cuts.append(said)
                break
            writer.write(said)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bus_reader, bus_writer = await asyncio.open_unix_connection(bus)
        with suppress(ConnectionError):
            await asyncio.gather(carry(reader, bus_writer, is_up=True), carry(bus_reader, writer, is_up=False))

    server = await asyncio.start_unix_server(serve, way)
    try:
        yield cuts
    finally:
        server.close()


def said(watch: Watch, word: str, times: int) -> Callable[[], bool]:
    """Wait for a word's so many-th time."""
    return lambda: watch.said.count(word) == times


async def test_adapters_are_listed_in_order(watch: Watch) -> None:
    assert await watch.bluez.adapters() == (
        AdapterFound(name="hci0", powered=True),
        AdapterFound(name="hci1", powered=True),
    )


async def test_the_death_of_bluetoothd_and_its_return_are_told_at_once(rig2: Rig2, watch: Watch) -> None:
    for round_number in (1, 2):
        await rig2.bluez.kill()
        await eventually(said(watch, "gone", round_number))
        assert (watch.bluez.is_up, watch.bluez.has_bus) == (False, True)
        with pytest.raises(StackError, match="GetManagedObjects"):
            await watch.bluez.adapters()
        await rig2.bluez.start()
        await eventually(said(watch, "ready", round_number + 1))
        assert len(await watch.bluez.adapters()) == 2


async def test_the_death_of_the_bus_and_its_return_are_told(rig2: Rig2, watch: Watch) -> None:
    await rig2.bus.kill()
    await eventually(lambda: watch.said == ["ready", "gone"])
    assert (watch.bluez.is_up, watch.bluez.has_bus) == (False, False)
    await rig2.restart_bus()
    await eventually(lambda: watch.said == ["ready", "gone", "ready"])


async def test_a_bus_that_goes_before_it_could_be_watched_is_met_again(
    rig2: Rig2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    listener = StackListener(
        on_gone=lambda: said.append("gone"), on_ready=lambda: said.append("ready"), may_pair=lambda _: False
    )
    async with cut_at_the_first(b"AddMatch", rig2.bus.socket, tmp_path / "way") as cuts:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'way'}")
        task = asyncio.create_task(BlueZ().run(listener))
        try:
            await eventually(lambda: said == ["ready"] or task.done())
            assert not task.done(), task.result()
            assert len(cuts) == 1
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_an_address_that_is_none_is_named_once_and_a_right_one_is_met(
    rig2: Rig2, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    listener = StackListener(
        on_gone=lambda: said.append("gone"), on_ready=lambda: said.append("ready"), may_pair=lambda _: False
    )
    with capture_logs() as logs:
        wrong = "nonsense", "unix:", "tcp:host=localhost,port=x"
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", wrong[0])
        task = asyncio.create_task(BlueZ().run(listener))
        try:
            for count, address in enumerate(wrong, 1):
                monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
                await eventually(lambda so_many=count: len(logs) == so_many or task.done())  # type: ignore[misc]
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", rig2.bus.address)
            await eventually(lambda: said == ["ready"] or task.done())
            assert not task.done(), task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [each["address"] for each in logs if each["log_level"] == "error"] == list(wrong)


async def test_a_link_of_a_former_life_is_seen_and_ended(watch: Watch, oximeter: Oximeter) -> None:
    client = await connected()
    (linked,) = await watch.bluez.linked()
    assert (linked.adapter, linked.address) in {("hci0", ADDRESS), ("hci1", ADDRESS)}
    assert "1822" in linked.services
    await watch.bluez.hang_up(linked.adapter, ADDRESS)
    await oximeter.disconnected.wait()
    assert await watch.bluez.linked() == ()
    await client.disconnect()


async def test_a_device_is_forgotten_with_all_its_services(watch: Watch, oximeter: Oximeter) -> None:
    client = await connected()
    (linked,) = await watch.bluez.linked()
    await client.disconnect()
    await watch.bluez.forget(linked.adapter, ADDRESS)
    with pytest.raises(StackError):
        await watch.bluez.forget(linked.adapter, ADDRESS)
    again = await connected()
    assert oximeter.is_connected
    await again.disconnect()


async def test_an_adapter_is_switched_off_and_on(watch: Watch, oximeter: Oximeter) -> None:
    client = await connected()
    (linked,) = await watch.bluez.linked()
    await watch.bluez.power_cycle(linked.adapter)
    await oximeter.disconnected.wait()
    assert all(adapter.powered for adapter in await watch.bluez.adapters())
    assert not client.is_connected
    await client.disconnect()
    with pytest.raises(StackError, match="Set: "):
        await watch.bluez.power_cycle("hci7")


async def test_what_can_not_even_be_asked_is_refused_too(watch: Watch) -> None:
    with pytest.raises(StackError, match=r"invalid object path: /org/bluez/$"):
        await watch.bluez.power_cycle("")
    with pytest.raises(StackError, match="invalid object path"):
        await watch.bluez.hang_up("hci0", "no address")


async def test_a_stop_is_no_trouble(rig2: Rig2) -> None:  # noqa: ARG001 - it sets the bus
    said: list[str] = []
    bluez = BlueZ()
    listener = StackListener(
        on_gone=lambda: said.append("gone"), on_ready=lambda: said.append("ready"), may_pair=lambda _: False
    )
    with capture_logs() as logs:
        task = asyncio.create_task(bluez.run(listener))
        await eventually(lambda: said == ["ready"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [line["event"] for line in logs if line["log_level"] == "error"] == []
    assert said == ["ready"]


async def test_bluetoothd_is_restarted_through_systemd(rig2: Rig2, watch: Watch) -> None:
    await watch.bluez.restart()
    await eventually(lambda: watch.said == ["ready", "gone", "ready"])
    assert rig2.init_system.restarts == ["bluetooth.service"]


async def test_what_the_machine_does_not_allow_is_refused_by_name(rig2: Rig2, watch: Watch) -> None:
    rig2.init_system.is_allowed = False
    with pytest.raises(StackError, match=r"RestartUnit: .*InteractiveAuthorizationRequired"):
        await watch.bluez.restart()
    with pytest.raises(StackError, match=r"Reboot: .*InteractiveAuthorizationRequired"):
        await watch.bluez.reboot()
    assert (rig2.init_system.restarts, rig2.init_system.reboots) == ([], 0)


async def test_the_machine_is_rebooted_through_logind(rig2: Rig2, watch: Watch) -> None:
    await watch.bluez.reboot()
    await eventually(lambda: watch.said == ["ready", "gone", "ready"])
    assert rig2.init_system.reboots == 1


@pytest.mark.parametrize("is_claimed", [True, False])
async def test_only_claimed_devices_may_pair(rig2: Rig2, watch: Watch, is_claimed: bool) -> None:
    if not is_claimed:
        watch.claimed.clear()
    thermometer = BondingThermometer(
        air=rig2.air,
        identity=Identity(name="th", address=ADDRESS, advertising_interval_ms=30.0),
        memory=Memory(
            clock=ClinicalClock(origin=datetime.now(UTC), speed=1.0),
            course=fever(),
            zone=ZoneInfo("Asia/Shanghai"),
            every_s=3600.0,
        ),
    )
    await rig2.switch_on(thermometer)
    async with BusClient(rig2.bus.address) as somebody:
        path = await somebody.connect(ADDRESS)
        measurement = await somebody.path_of(path, "2a1c")
        if is_claimed:
            await somebody.bluez(measurement, CHARACTERISTIC, "StartNotify")
        else:
            with pytest.raises(Refused):
                await somebody.bluez(measurement, CHARACTERISTIC, "StartNotify")
        assert await somebody.get(path, DEVICE, "Paired") is is_claimed
        await somebody.bluez(path, DEVICE, "Disconnect")
    assert watch.asked == [ADDRESS]

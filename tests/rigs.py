"""Two ways to test a gateway without a radio: rig 1 swaps bleak's backend, rig 2 leaves bleak as it is.

Both have devices of `firmware_stubs` on a virtual radio in the test's own process: `await rig.switch_on(device)`, and
then cut its link, carry it away (`rig.air`), read its tally; on rig 2 also pull the adapters out (`rig2.port`).

Rig 1 is quick: `scanner, client = rig1.backend`, for `BleakScanner(backend=…)` and `BleakClient(backend=…)`.

Rig 2 is true: bleak's own BlueZ backend, on a private dbus-daemon (`rig2.bus`), with a stand-in for bluetoothd as a
child process (`rig2.bluez`) that can be killed, restarted and given faults, and stand-ins for systemd and logind
(`rig2.init_system`) that restart it when asked over the bus. It has two adapters; bleak takes either when it is not
told which. DBUS_SYSTEM_BUS_ADDRESS is set, for this process and for children that are started from now on.
See firmware_stubs/bluez/__init__.py for what is true to BlueZ.
"""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bleak.backends.bluezdbus import manager

from firmware_stubs.bleak_backend import Backend, backend
from firmware_stubs.bluez.bus import PrivateBus, private_bus
from firmware_stubs.bluez.init_system import InitSystem
from firmware_stubs.bluez.process import BluezProcess, bluez_process
from firmware_stubs.hci_port import HciPort, open_hci_port
from firmware_stubs.peripheral import Peripheral
from firmware_stubs.radio import Air

ADAPTERS = 2
QUICK = ("--disconnect-s", "0", "--connect-gives-up-s", "4", "--attempt-s", "0.5", "--forget-s", "2")
"""Options that make the stand-in's long waits short; their order of length is kept."""


class Rig1:
    """Devices on the air, and bleak backends on that air."""

    def __init__(self, devices: contextlib.AsyncExitStack) -> None:
        self.air = Air()
        self.backend: Backend = backend(self.air)
        self._devices = devices

    async def switch_on(self, device: Peripheral) -> None:
        """Switch a device on, and off at the end."""
        await device.power_on()
        self._devices.push_async_callback(device.power_off)


class Rig2:
    """Devices on the air, a private bus, and a bluetoothd on it with the adapters hci0 and hci1."""

    def __init__(
        self,
        devices: contextlib.AsyncExitStack,
        *,
        air: Air,
        port: HciPort,
        bus: PrivateBus,
        bluez: BluezProcess,
    ) -> None:
        self.air = air
        self.port = port
        self.bus = bus
        self.bluez = bluez
        self.init_system = InitSystem(units={"bluetooth.service": bluez.restart}, reboot=bluez.reboot)
        self._devices = devices
        self._services = contextlib.AsyncExitStack()

    async def switch_on(self, device: Peripheral) -> None:
        """Switch a device on, and off at the end."""
        await device.power_on()
        self._devices.push_async_callback(device.power_off)

    async def start_services(self) -> None:
        """Put systemd and logind on the bus."""
        await self._services.enter_async_context(self.init_system.on(self.bus.address))

    async def stop_services(self) -> None:
        """Take them from the bus."""
        await self._services.aclose()

    async def restart_bus(self) -> None:
        """Kill the dbus-daemon, with which bluetoothd ends, and start everything again."""
        await self.bus.kill()
        await self.bluez.kill()
        await self.stop_services()
        await self.bus.start()
        await self.bluez.start()
        await self.start_services()


@pytest.fixture
async def rig1() -> AsyncIterator[Rig1]:
    """Rig 1: bleak's backend swapped for one on the virtual radio."""
    async with contextlib.AsyncExitStack() as devices:
        rig = Rig1(devices)
        yield rig
        await rig.backend.close()


@pytest.fixture
async def rig2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig2]:
    """Rig 2: bleak as it is, on a bluetoothd of ours."""
    if shutil.which("dbus-daemon") is None:
        if os.environ.get("CI"):
            pytest.fail("no dbus-daemon: ./run test installs it")
        pytest.skip("no dbus-daemon: ./run test installs it")
    air, hci, memory = Air(), tmp_path / "hci", ("--storage", str(tmp_path / "bluetooth"))
    async with (
        private_bus(tmp_path) as bus,
        open_hci_port(air, hci) as port,
        contextlib.AsyncExitStack() as devices,
        bluez_process(bus.address, transports=[f"unix:{hci}"] * ADAPTERS, options=(*QUICK, *memory)) as bluez,
    ):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address)
        rig = Rig2(devices, air=air, port=port, bus=bus, bluez=bluez)
        await rig.start_services()
        yield rig
        await rig.stop_services()
        await let_bleak_go()


async def let_bleak_go() -> None:
    """Close the connection to the bus that bleak keeps per event loop, for ever: this loop ends with the test."""
    for kept in list(manager._global_instances.values()):
        if kept._bus is not None and kept._bus.connected:
            kept._bus.disconnect()
            with contextlib.suppress(EOFError):
                await kept._bus.wait_for_disconnect()

"""Tries Bluetooth: asks BlueZ over D-Bus and listens to the air, beside a running gateway and without disturbing it."""

import asyncio
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from dbus_fast.aio import MessageBus
from dbus_fast.constants import BusType, MessageType
from dbus_fast.errors import DBusFastError
from dbus_fast.message import Message

from gateway.bluetooth.adapter import RADIO_ERRORS
from gateway.bluetooth.patience import within
from gateway.drivers.driver import Seen, driver_for
from gateway.drivers.table import DRIVERS
from gateway.gatt.decoders import short_uuid
from gateway.selftest.radio_findings import AdapterSeen, HealthDevice

ANSWER_S_MAX = 5.0
_DAEMONS = tuple(
    Path(folder) / "bluetoothd" for folder in ("/usr/libexec/bluetooth", "/usr/lib/bluetooth", "/usr/sbin")
)
_ADAPTER = "org.bluez.Adapter1"


class RadioTrouble(Exception):
    """D-Bus or BlueZ does not answer; the message says which, and how."""


async def adapters() -> tuple[AdapterSeen, ...]:
    """Ask BlueZ for its adapters. Raises RadioTrouble."""
    bus, who = None, "the system bus"
    try:
        bus = MessageBus(bus_type=BusType.SYSTEM)  # raises for an address that is none
        await within(ANSWER_S_MAX, bus.connect())
        who = "bluetoothd"
        ask = Message(
            destination="org.bluez",
            path="/",
            interface="org.freedesktop.DBus.ObjectManager",
            member="GetManagedObjects",
        )
        answer = await within(ANSWER_S_MAX, bus.call(ask))
    except (DBusFastError, OSError, EOFError, TimeoutError) as exc:
        raise RadioTrouble(f"{who} does not answer: {exc or type(exc).__name__}") from exc
    finally:
        if bus is not None:
            with suppress(DBusFastError, OSError, EOFError):
                bus.disconnect()
    if answer is None or answer.message_type is MessageType.ERROR:
        raise RadioTrouble(f"bluetoothd does not answer: {answer.error_name if answer else 'nothing'}")
    found = [
        AdapterSeen(
            name=path.rpartition("/")[2],
            address=str(shown[_ADAPTER]["Address"].value),
            is_powered=bool(shown[_ADAPTER]["Powered"].value),
        )
        for path, shown in answer.body[0].items()
        if _ADAPTER in shown
    ]
    return tuple(sorted(found, key=lambda each: (len(each.name), each.name)))


def version() -> str | None:
    """Ask bluetoothd's own program for its version; D-Bus does not tell it."""
    for program in _DAEMONS:
        with suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run(
                [str(program), "-v"], capture_output=True, text=True, timeout=ANSWER_S_MAX, check=True
            )
            return said.stdout.strip() or None
    return None


class Listening:
    """What was heard so far: every address once, with what it has shown of itself."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._rssi: dict[str, int] = {}

    @property
    def heard(self) -> int:
        """How many devices, of any kind."""
        return len(self._seen)

    @property
    def devices(self) -> tuple[HealthDevice, ...]:
        """Those that a driver knows, the nearest first."""
        known = [
            HealthDevice(address=address, name=seen.name, product=driver.product, rssi=self._rssi[address])
            for address, seen in self._seen.items()
            if (driver := driver_for(DRIVERS, seen)) is not None
        ]
        return tuple(sorted(known, key=lambda each: -each.rssi))

    async def listen(self, adapters: Sequence[str], seconds: float) -> None:
        """Scan for so long on these adapters. Raises RadioTrouble."""
        try:
            async with asyncio.TaskGroup() as scans:
                for adapter in adapters:
                    scans.create_task(self._scan(adapter, seconds))
        except* RADIO_ERRORS as group:
            first = group.exceptions[0]
            raise RadioTrouble(f"{type(first).__name__}: {first}") from group

    async def _scan(self, adapter: str, seconds: float) -> None:
        async with BleakScanner(self._take, bluez={"adapter": adapter}):
            await asyncio.sleep(seconds)

    def _take(self, device: BLEDevice, said: AdvertisementData) -> None:
        known = self._seen.get(device.address, Seen())
        self._rssi[device.address] = said.rssi
        self._seen[device.address] = Seen(
            name=said.local_name or device.name or known.name,
            services=known.services | {short_uuid(uuid) for uuid in said.service_uuids},
            service_data=known.service_data | {short_uuid(uuid) for uuid in said.service_data},
            company_ids=known.company_ids | set(said.manufacturer_data),
        )

"""One device's link as bluetoothd keeps it: Connect, Pair, Disconnect, discovery, and what a loss leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from bleak.exc import BleakError
from bumble import core
from bumble.device import Connection
from bumble.gatt_client import ServiceProxy
from dbus_fast import DBusError, Variant

from firmware_stubs.bleak_client import full_uuid
from firmware_stubs.bluez.central import Central
from firmware_stubs.bluez.errors import bluez_error, failed
from firmware_stubs.bluez.faults import Member
from firmware_stubs.bluez.gatt_attributes import CharacteristicObject
from firmware_stubs.bluez.gatt_objects import GattObjects
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.link import Link
from firmware_stubs.bluez.object_tree import Call, Interface
from firmware_stubs.bluez.security import Security

DEVICE = "org.bluez.Device1"
BATTERY = "org.bluez.Battery1"
LOOK_S = 0.2
BATTERY_LEVEL = core.UUID.from_16_bits(0x2A19)


class DeviceLink:
    """The link of the device at `path`, and its attributes on the bus. `on_kept` is called when it is worth keeping."""

    def __init__(
        self, ground: Ground, central: Central, *, path: str, address: str, on_kept: Callable[[], None]
    ) -> None:
        self._ground = ground
        self._tree = ground.tree
        self._central = central
        self._path = path
        self._address = address
        self._on_kept = on_kept
        self._gatt = GattObjects(ground, path)
        self.security = Security(ground.agents, path=path, on_bonded=self._show_bond)
        self._linking: asyncio.Task[Connection] | None = None
        self._link: Link | None = None
        self._resolving: asyncio.Task[None] | None = None
        self._is_down = asyncio.Event()
        self._is_down.set()

    async def connect(self, _call: Call) -> None:
        """Connect: answer when the link is up, before the services are known."""
        if self._linking is not None:
            raise failed("Operation already in progress")
        self._bury()
        if self._link is None:
            await self._link_up()

    async def pair(self, call: Call) -> None:
        """Pair, connecting if need be."""
        await self._ground.faults.meet(Member.PAIR)
        if self._tree.value(self._path, DEVICE, "Bonded"):
            raise bluez_error("AlreadyExists", "Already Exists")
        if self._linking is not None or self.security.is_busy:
            raise bluez_error("InProgress", "In Progress")
        self._bury()
        link = self._link or await self._link_up()
        await self.security.pair(link, client=call.sender)

    async def disconnect(self, _call: Call) -> None:
        """Disconnect: give up a pending Connect, or end the link; harmless without either."""
        await self._ground.faults.meet(Member.DISCONNECT)
        self.give_up()
        self._bury()
        if self._link is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_down.wait(), self._ground.timings.disconnect_s)
        await self._cut()

    def give_up(self) -> None:
        """Stop connecting."""
        if self._linking is not None:
            self._linking.cancel()

    async def forget_client(self, client: str) -> None:
        """End the subscriptions of a client that left the bus."""
        for characteristic in list(self._gatt.characteristics()):
            with contextlib.suppress(DBusError):
                await characteristic.forget_client(client)

    def remove(self) -> None:
        """Take the attributes from the bus."""
        self._gatt.remove()

    async def _link_up(self) -> Link:
        self._on_kept()
        self._linking = asyncio.create_task(self._make_link())
        try:
            connection = await self._linking
        except asyncio.CancelledError:
            raise failed("br-connection-canceled") from None
        except (TimeoutError, BleakError):
            raise failed("le-connection-abort-by-local") from None
        finally:
            self._linking = None
        link = Link(connection, secure=self.security.secure, on_end=self._end)
        if not link.is_up:
            raise failed("le-connection-abort-by-local")
        self._link = link
        self._is_down.clear()
        self._tree.change(self._path, DEVICE, {"Connected": Variant("b", True)})
        if await self.security.is_bonded(link) and not await self.security.encrypt(link):
            await self._cut()
            raise failed("le-connection-abort-by-local")
        self._resolving = asyncio.create_task(self._resolve(link))
        return link

    async def _make_link(self) -> Connection:
        await self._ground.faults.meet(Member.CONNECT)
        return await self._central.connect(self._address)

    async def _cut(self) -> None:
        if self._link is not None:
            await self._link.cut()
            while not self._is_down.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._is_down.wait(), LOOK_S)
                self._bury()

    def _bury(self) -> None:
        """See a link off whose end the radio did not tell: bluetoothd hears of it from the kernel, always."""
        if self._link is not None and not self._link.is_up:
            self._end(0)

    async def _resolve(self, link: Link) -> None:
        try:
            discovered = await link.discover()
            hides = self._ground.faults.hides
            services = [found for found in discovered if not hides(self._path, full_uuid(found.uuid))]
            await self._gatt.attach(link, services)
        except DBusError:
            return  # the link was lost in the meantime
        self._tree.change(self._path, DEVICE, {"UUIDs": self._uuids(services), "ServicesResolved": Variant("b", True)})
        self._on_kept()
        levels = (found for found in self._gatt.characteristics() if found.uuid == BATTERY_LEVEL)
        if level := next(levels, None):
            with contextlib.suppress(DBusError):
                await self._show_battery(link, level)

    def _uuids(self, services: list[ServiceProxy]) -> Variant:
        known = set(self._tree.value(self._path, DEVICE, "UUIDs"))
        return Variant("as", sorted(known | {full_uuid(service.uuid) for service in services}))

    async def _show_battery(self, link: Link, level: CharacteristicObject) -> None:
        percent = await link.read(level.handle)
        shown = {"Percentage": Variant("y", percent[0]), "Source": Variant("s", "GATT Battery Service")}
        self._tree.add(self._path, Interface(name=BATTERY, properties=shown))
        await level.listen(self._on_battery)

    def _on_battery(self, value: bytes) -> None:
        if self._link is not None and value:
            self._tree.change(self._path, BATTERY, {"Percentage": Variant("y", value[0])})

    def _show_bond(self) -> None:
        if self._tree.has(self._path):
            self._tree.change(self._path, DEVICE, {"Paired": Variant("b", True), "Bonded": Variant("b", True)})
            self._on_kept()

    def _end(self, _reason: int) -> None:
        self._link = None
        self._gatt.detach()
        self._is_down.set()
        if not self._tree.has(self._path):
            return
        self._tree.remove(self._path, BATTERY)
        changed = {"Connected": Variant("b", False)}
        if self._tree.value(self._path, DEVICE, "ServicesResolved"):
            changed = {"ServicesResolved": Variant("b", False), **changed}
        self._tree.change(self._path, DEVICE, changed)

"""A device's services, characteristics and descriptors as objects on the bus (org.bluez.Gatt*1)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bumble import core
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy, DescriptorProxy, ServiceProxy
from dbus_fast import DBusError, Variant

from firmware_stubs.bleak_client import full_uuid
from firmware_stubs.bluez.errors import bluez_error, failed
from firmware_stubs.bluez.faults import Member
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.link import Link
from firmware_stubs.bluez.object_tree import Call, Interface, Reply

SERVICE = "org.bluez.GattService1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
GENERIC_ACCESS = core.UUID.from_16_bits(0x1800)
CCCD = core.UUID.from_16_bits(0x2902)
_FLAGS = {
    Characteristic.Properties.BROADCAST: "broadcast",
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
    Characteristic.Properties.AUTHENTICATED_SIGNED_WRITES: "authenticated-signed-writes",
    Characteristic.Properties.EXTENDED_PROPERTIES: "extended-properties",
}
Proxy = CharacteristicProxy[bytes] | DescriptorProxy


class Attribute:
    """What characteristics and descriptors have in common: a value that can be read and written over the link."""

    interface: str

    def __init__(self, ground: Ground, path: str) -> None:
        self.faults = ground.faults
        self.tree = ground.tree
        self.path = path
        self.link: Link | None = None
        self.handle = 0

    def show(self, value: bytes) -> None:
        """Tell everybody a value, be it new or not: this is what a notification is on the bus."""
        self.tree.change(self.path, self.interface, {"Value": Variant("ay", value)})

    def live_link(self) -> Link:
        """Return the link; raise "Not connected" if there is none."""
        if self.link is None:
            raise failed("Not connected")
        return self.link

    async def read(self, call: Call) -> Reply:
        """ReadValue: the value goes to the caller, and as a change of Value to everybody."""
        await self.faults.meet(Member.READ_VALUE)
        value = await self.live_link().read(self.handle)
        offset: int = call.body[0]["offset"].value if "offset" in call.body[0] else 0
        if offset > len(value):
            raise bluez_error("InvalidArguments", "Invalid offset")
        self.show(value)
        return Reply(signature="ay", body=[value[offset:]])


class DescriptorObject(Attribute):
    """org.bluez.GattDescriptor1; the client configuration (2902) belongs to StartNotify, not to writers."""

    interface = DESCRIPTOR

    def __init__(self, ground: Ground, characteristic: str, proxy: DescriptorProxy) -> None:
        super().__init__(ground, f"{characteristic}/desc{proxy.handle:04x}")
        self._characteristic = characteristic
        self._type = proxy.type

    def shown(self) -> Interface:
        """Describe it for the bus."""
        return Interface(
            name=DESCRIPTOR,
            properties={
                "UUID": Variant("s", full_uuid(self._type)),
                "Characteristic": Variant("o", self._characteristic),
            },
            methods={"ReadValue": ("a{sv}", self.read), "WriteValue": ("aya{sv}", self._write)},
        )

    async def _write(self, call: Call) -> None:
        if self._type == CCCD:
            raise bluez_error("NotPermitted", "Write not permitted")
        await self.live_link().write(self.handle, bytes(call.body[0]), with_response=True)


class CharacteristicObject(Attribute):
    """org.bluez.GattCharacteristic1: every client that subscribed makes one more signal of each notification."""

    interface = CHARACTERISTIC

    def __init__(self, ground: Ground, service: str, proxy: CharacteristicProxy[bytes]) -> None:
        super().__init__(ground, f"{service}/char{proxy.handle - 1:04x}")
        self.uuid = proxy.uuid
        self._service = service
        self._properties = proxy.properties
        self._proxy: CharacteristicProxy[bytes] | None = None
        self._clients: list[str] = []
        self._listeners: list[Callable[[bytes], None]] = []

    @property
    def _speaks(self) -> bool:
        return bool(self._properties & (Characteristic.Properties.NOTIFY | Characteristic.Properties.INDICATE))

    def shown(self) -> Interface:
        """Describe it for the bus."""
        properties = {
            "UUID": Variant("s", full_uuid(self.uuid)),
            "Service": Variant("o", self._service),
            "Flags": Variant("as", [name for flag, name in _FLAGS.items() if self._properties & flag]),
        }
        if self.link is not None:
            properties["MTU"] = Variant("q", self.link.mtu)
        if self._speaks:
            properties["Notifying"] = Variant("b", False)
        return Interface(
            name=CHARACTERISTIC,
            properties=properties,
            methods={
                "ReadValue": ("a{sv}", self._read),
                "WriteValue": ("aya{sv}", self._write),
                "StartNotify": ("", self._start_notify),
                "StopNotify": ("", self._stop_notify),
            },
        )

    async def attach(self, link: Link, proxy: CharacteristicProxy[bytes]) -> None:
        """Take up a link; who subscribed on a former one is subscribed again, without having asked."""
        self.link, self._proxy, self.handle = link, proxy, proxy.handle
        if self._clients or self._listeners:
            with contextlib.suppress(DBusError):
                await link.subscribe(proxy, self._on_value)

    def detach(self) -> None:
        """Let the link go; subscriptions are kept for the next one."""
        self.link = self._proxy = None

    async def listen(self, listener: Callable[[bytes], None]) -> None:
        """Give every value to `listener`, for bluetoothd's own use; once, however often it is asked."""
        if listener in self._listeners:
            return
        self._listeners.append(listener)
        if self.link is not None and self._proxy is not None and len(self._listeners) + len(self._clients) == 1:
            await self.link.subscribe(self._proxy, self._on_value)

    async def forget_client(self, client: str) -> None:
        """End the subscription of a client; harmless if it has none."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        if not self._clients:
            self.tree.change(self.path, CHARACTERISTIC, {"Notifying": Variant("b", False)})
            if self.link is not None and self._proxy is not None and not self._listeners:
                await self.link.unsubscribe(self._proxy, self._on_value)

    async def _read(self, call: Call) -> Reply:
        if not self._properties & Characteristic.Properties.READ:
            raise bluez_error("NotSupported", "Operation is not supported")
        return await self.read(call)

    async def _write(self, call: Call) -> None:
        await self.faults.meet(Member.WRITE_VALUE)
        value, options = call.body
        as_request = Characteristic.Properties.WRITE
        as_command = Characteristic.Properties.WRITE_WITHOUT_RESPONSE
        kind: str = options["type"].value if "type" in options else "any"
        wanted = {"command": as_command, "request": as_request}.get(kind, as_request | as_command)
        possible = self._properties & wanted
        if not possible:
            raise bluez_error("NotSupported", "Operation is not supported")
        await self.live_link().write(self.handle, bytes(value), with_response=bool(possible & as_request))

    async def _start_notify(self, call: Call) -> None:
        await self.faults.meet(Member.START_NOTIFY)
        if not self._speaks:
            raise bluez_error("NotSupported", "Operation is not supported")
        if call.sender in self._clients:
            return
        self._clients.append(call.sender)
        if self.link is None or self._proxy is None:
            return  # it is remembered for the next link
        try:
            if len(self._clients) + len(self._listeners) == 1:
                await self.link.subscribe(self._proxy, self._on_value)
        except BaseException:
            self._clients.remove(call.sender)
            raise
        self.tree.change(self.path, CHARACTERISTIC, {"Notifying": Variant("b", True)})

    async def _stop_notify(self, call: Call) -> None:
        if call.sender not in self._clients:
            raise failed("No notify session started")
        await self.forget_client(call.sender)

    def _on_value(self, value: bytes) -> None:
        for listener in self._listeners:
            listener(value)
        for _ in self._clients:
            self.show(value)


class GattObjects:
    """All attributes of one device; they stay on the bus when the link is lost, and serve the next one."""

    def __init__(self, ground: Ground, device: str) -> None:
        self._ground = ground
        self._tree = ground.tree
        self._device = device
        self._layout: list[tuple[Any, ...]] = []
        self._attributes: dict[str, CharacteristicObject | DescriptorObject] = {}

    def characteristics(self) -> Iterator[CharacteristicObject]:
        """List the characteristics."""
        return (found for found in self._attributes.values() if isinstance(found, CharacteristicObject))

    async def attach(self, link: Link, services: Sequence[ServiceProxy]) -> None:
        """Show what was discovered over a link; objects that are the same as before are not shown anew."""
        layout = _layout(services)
        is_new = layout != self._layout
        if is_new:
            self.remove()
            self._layout = layout
        shown: list[tuple[str, Interface]] = []
        for service in services:
            if service.uuid != GENERIC_ACCESS:  # BlueZ keeps it to itself
                shown += await self._attach_service(link, service)
        if is_new:
            for path, interface in shown:
                self._tree.add(path, interface)

    def detach(self) -> None:
        """Let the link go."""
        for attribute in self._attributes.values():
            attribute.link = None

    def remove(self) -> None:
        """Take all objects from the bus."""
        self._tree.remove_below(self._device)
        self._attributes.clear()
        self._layout = []

    async def _attach_service(self, link: Link, service: ServiceProxy) -> list[tuple[str, Interface]]:
        path = f"{self._device}/service{service.handle:04x}"
        properties = {
            "UUID": Variant("s", full_uuid(service.uuid)),
            "Device": Variant("o", self._device),
            "Primary": Variant("b", True),
        }
        shown = [(path, Interface(name=SERVICE, properties=properties))]
        for proxy in service.characteristics:
            characteristic = CharacteristicObject(self._ground, path, proxy)
            known = self._attributes.setdefault(characteristic.path, characteristic)
            assert isinstance(known, CharacteristicObject)
            await known.attach(link, proxy)
            shown.append((known.path, known.shown()))
            for descriptor_proxy in proxy.descriptors:
                descriptor = DescriptorObject(self._ground, known.path, descriptor_proxy)
                found = self._attributes.setdefault(descriptor.path, descriptor)
                found.link, found.handle = link, descriptor_proxy.handle
                shown.append((found.path, found.shown()))
        return shown


def _layout(services: Sequence[ServiceProxy]) -> list[tuple[Any, ...]]:
    return [
        (service.handle, bytes(service.uuid), [_shape(proxy) for proxy in service.characteristics])
        for service in services
    ]


def _shape(proxy: CharacteristicProxy[bytes]) -> tuple[Any, ...]:
    return (
        proxy.handle,
        bytes(proxy.uuid),
        int(proxy.properties),
        [descriptor.handle for descriptor in proxy.descriptors],
    )

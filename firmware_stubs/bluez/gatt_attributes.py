"""One attribute of a device as an object on the bus: org.bluez.GattCharacteristic1 and org.bluez.GattDescriptor1."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from bumble import core
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy, DescriptorProxy
from dbus_fast import DBusError, Variant

from firmware_stubs.bleak_client import full_uuid
from firmware_stubs.bluez.errors import bluez_error, failed
from firmware_stubs.bluez.faults import Member
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.link import Link
from firmware_stubs.bluez.notify_pipe import NotifyPipe
from firmware_stubs.bluez.object_tree import Call, Interface, Reply
from firmware_stubs.commands import Commands

CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DESCRIPTOR = "org.bluez.GattDescriptor1"
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

    def detach(self) -> None:
        """Let the link go."""
        self.link = None

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
        self._pipe: NotifyPipe | None = None
        self._commands = Commands()

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
        if self._properties & Characteristic.Properties.NOTIFY:
            properties["NotifyAcquired"] = Variant("b", False)
        return Interface(
            name=CHARACTERISTIC,
            properties=properties,
            methods={
                "ReadValue": ("a{sv}", self._read),
                "WriteValue": ("aya{sv}", self._write),
                "StartNotify": ("", self._start_notify),
                "StopNotify": ("", self._stop_notify),
                "AcquireNotify": ("a{sv}", self._acquire_notify),
            },
        )

    async def attach(self, link: Link, proxy: CharacteristicProxy[bytes]) -> None:
        """Take up a link; who subscribed on a former one is subscribed again, without having asked."""
        self.link, self._proxy, self.handle = link, proxy, proxy.handle
        if self._clients or self._listeners:
            with contextlib.suppress(DBusError):
                await link.subscribe(proxy, self._on_value)

    def detach(self) -> None:
        """Let the link go; subscriptions are kept for the next one, but for one through a pipe."""
        self.link = self._proxy = None
        if self._pipe is not None:
            self._pipe.close()
            self._on_pipe_closed()

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
            await self._rest()

    async def _rest(self) -> None:
        if self.link is not None and self._proxy is not None and not self._clients and not self._listeners:
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

    async def _acquire_notify(self, _call: Call) -> Reply:
        if not self._properties & Characteristic.Properties.NOTIFY:
            raise bluez_error("NotSupported", "Operation is not supported")
        if self._clients or self._pipe is not None:
            raise bluez_error("NotPermitted", "Notify acquired")
        mtu = self.live_link().mtu
        self._pipe = NotifyPipe(self._on_pipe_closed)
        await self.listen(self._pipe.send)
        self.tree.change(self.path, CHARACTERISTIC, {"NotifyAcquired": Variant("b", True)})
        return Reply(signature="hq", body=[0, mtu], unix_fds=[self._pipe.hand_over()])

    def _on_pipe_closed(self) -> None:
        if self._pipe is not None:
            self._listeners.remove(self._pipe.send)
            self._pipe = None
            self.tree.change(self.path, CHARACTERISTIC, {"NotifyAcquired": Variant("b", False)})
            self._commands.keep(asyncio.create_task(self._rest()))

    async def _start_notify(self, call: Call) -> None:
        await self.faults.meet(Member.START_NOTIFY)
        if not self._speaks:
            raise bluez_error("NotSupported", "Operation is not supported")
        if self._pipe is not None:
            raise bluez_error("NotPermitted", "Notify acquired")
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

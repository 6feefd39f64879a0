"""A plain client of the private bus: calls methods, keeps what bluetoothd signals and answers, waits for a state."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio.message_bus import MessageBus
from dbus_fast.unpack import unpack_variants

ADAPTER = "org.bluez.Adapter1"
BATTERY = "org.bluez.Battery1"
CHARACTERISTIC = "org.bluez.GattCharacteristic1"
DEVICE = "org.bluez.Device1"
MANAGER = "org.bluez.AgentManager1"
PROPERTIES = "org.freedesktop.DBus.Properties"
HCI0 = "/org/bluez/hci0"
REPLY = "a reply"


class Refused(Exception):
    """An error answer; `name` is its D-Bus name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A signal as it came; also, with the member REPLY, that an answer came."""

    path: str
    member: str
    body: list[Any]

    def sets(self, interface: str, name: str) -> bool:
        """Tell whether it is a change of this property."""
        return self.member == "PropertiesChanged" and self.body[0] == interface and name in self.body[1]


class BusClient:
    """`async with BusClient(address) as client`."""

    def __init__(self, address: str) -> None:
        self.bus = MessageBus(bus_address=address, negotiate_unix_fd=True)
        self.heard: list[Heard] = []
        self.asked_to_authorise: list[str] = []
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.bus.connect()
        self.bus.add_message_handler(self._on_message)
        daemon = "org.freedesktop.DBus"
        await self.call(daemon, "/org/freedesktop/DBus", daemon, "AddMatch", "s", "type='signal'")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.bus.disconnect()
        await self.bus.wait_for_disconnect()

    async def call(self, service: str, path: str, interface: str, member: str, signature: str = "", *body: Any) -> Any:
        """Call a method; raise Refused for an error answer."""
        reply = await self.bus.call(
            Message(
                destination=service,
                path=path,
                interface=interface,
                member=member,
                signature=signature,
                body=list(body),
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise Refused(reply.error_name or "", str(reply.body[0]) if reply.body else "")
        return unpack_variants(reply.body[0]) if reply.body else None

    async def bluez(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> Any:
        """Call a method of bluetoothd."""
        return await self.call("org.bluez", path, interface, member, signature, *body)

    async def get(self, path: str, interface: str, name: str) -> Any:
        """Read a property of bluetoothd."""
        return await self.bluez(path, PROPERTIES, "Get", "ss", interface, name)

    async def set(self, path: str, interface: str, name: str, value: Variant) -> None:
        """Write a property of bluetoothd."""
        await self.bluez(path, PROPERTIES, "Set", "ssv", interface, name, value)

    async def objects(self) -> dict[str, Any]:
        """List all objects of bluetoothd."""
        found: dict[str, Any] = await self.bluez("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        return found

    async def path_of(self, path: str, uuid16: str) -> str:
        """Find the object of a service or characteristic below a device."""
        wanted = f"0000{uuid16}-0000-1000-8000-00805f9b34fb"
        return next(
            found
            for found, interfaces in (await self.objects()).items()
            if found.startswith(path) and any(shown.get("UUID") == wanted for shown in interfaces.values())
        )

    async def until(self, state: Callable[[list[Heard]], Any]) -> Any:
        """Wait until what was heard so far satisfies `state`; return what it said."""
        while not (found := state(self.heard)):
            self._changed.clear()
            await self._changed.wait()
        return found

    async def until_set(self, path: str, interface: str, name: str, value: Any) -> None:
        """Wait until a property is signalled with a value."""
        await self.until(
            lambda heard: any(
                one.path == path and one.sets(interface, name) and one.body[1][name] == value for one in heard
            )
        )

    async def discover(self, address: str, *, adapter: str = HCI0) -> str:
        """Discover until a device is there, then no more; return its path."""
        path = f"{adapter}/dev_{address.replace(':', '_')}"
        await self.bluez(adapter, ADAPTER, "StartDiscovery")
        await self.until(lambda heard: any(one.sets(DEVICE, "RSSI") and one.path == path for one in heard))
        await self.bluez(adapter, ADAPTER, "StopDiscovery")
        return path

    async def connect(self, address: str) -> str:
        """Discover a device, connect, and wait for its services; return its path."""
        path = await self.discover(address)
        await self.bluez(path, DEVICE, "Connect")
        await self.until_set(path, DEVICE, "ServicesResolved", True)
        return path

    def _on_message(self, message: Message) -> bool | Message:
        if message.message_type is MessageType.METHOD_CALL and message.interface == "org.bluez.Agent1":
            self.asked_to_authorise.append(message.body[0])
            return Message.new_method_return(message)
        if message.message_type is MessageType.SIGNAL:
            body = [unpack_variants(part) for part in message.body]
            self.heard.append(Heard(path=message.path or "", member=message.member or "", body=body))
        elif message.message_type is not MessageType.METHOD_CALL:
            self.heard.append(Heard(path="", member=REPLY, body=[]))
        self._changed.set()
        return False

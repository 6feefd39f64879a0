"""Objects on a bus, as bluetoothd's object manager shows them: calls are answered, changes are told."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import DBusError, Message, MessageFlag, MessageType, Variant
from dbus_fast.aio.message_bus import MessageBus

from firmware_stubs.bluez.errors import bluez_error, dbus_error

OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A method call: who asks (a unique bus name), of which object, and with which arguments."""

    sender: str
    path: str
    body: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a method returns, beyond nothing. File descriptors are closed here when they have been passed."""

    signature: str
    body: Sequence[Any]
    unix_fds: Sequence[int] = ()


Handler = Callable[[Call], Awaitable[Reply | None]]
Setter = Callable[[Any], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Interface:
    """One interface of one object. `methods` are keyed by name and tell the signature they want."""

    name: str
    properties: dict[str, Variant]
    methods: Mapping[str, tuple[str, Handler]] = field(default_factory=dict)
    setters: Mapping[str, Setter] = field(default_factory=dict)


class ObjectTree:
    """All objects of one bus connection."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self._objects: dict[str, dict[str, Interface]] = {}
        self._answering: set[asyncio.Future[None]] = set()
        self._gone_listeners: list[Callable[[str], None]] = []
        self._export_listeners: list[Callable[[Message], Awaitable[None]]] = []
        bus.add_message_handler(self._on_message)

    async def watch_peers(self) -> None:
        """Ask the bus to say who leaves it; `when_gone` listeners are told."""
        await self.add_match("type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'")

    async def add_match(self, rule: str) -> None:
        """Ask the bus for signals of others."""
        await self.bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=[rule],
            )
        )

    def when_gone(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` the unique name of every client that leaves the bus."""
        self._gone_listeners.append(listener)

    def when_exported(self, listener: Callable[[Message], Awaitable[None]]) -> None:
        """Tell `listener` what others export, as far as the bus was asked for it."""
        self._export_listeners.append(listener)

    def add(self, path: str, *interfaces: Interface) -> None:
        """Export an object, or more interfaces of one that is there; tell everybody."""
        self._objects.setdefault(path, {}).update({interface.name: interface for interface in interfaces})
        shown = {interface.name: dict(interface.properties) for interface in interfaces}
        self._signal("/", OBJECT_MANAGER, "InterfacesAdded", ("oa{sa{sv}}", [path, shown]))

    def has(self, path: str) -> bool:
        """Tell whether there is an object at a path."""
        return path in self._objects

    def remove(self, path: str, interface: str | None = None) -> None:
        """Take an object or one of its interfaces away and tell everybody; harmless if it is not there."""
        interfaces = self._objects.get(path, {})
        gone = [name for name in interfaces if interface in (None, name)]
        for name in gone:
            del interfaces[name]
        if not interfaces:
            self._objects.pop(path, None)
        if gone:
            self._signal("/", OBJECT_MANAGER, "InterfacesRemoved", ("oas", [path, gone]))

    def remove_below(self, path: str) -> None:
        """Take away all objects below a path, the deepest first."""
        for below in sorted((p for p in self._objects if p.startswith(f"{path}/")), reverse=True):
            self.remove(below)

    def value(self, path: str, interface: str, name: str) -> Any:
        """Return a property's value, None if there is none."""
        variant = self._objects[path][interface].properties.get(name)
        return None if variant is None else variant.value

    def change(
        self, path: str, interface: str, changed: Mapping[str, Variant], *, invalidated: Iterable[str] = ()
    ) -> None:
        """Set properties and tell everybody in one signal, whether they differ or not."""
        shown = self._objects[path][interface].properties
        shown.update(changed)
        gone = [name for name in invalidated if shown.pop(name, None) is not None]
        if changed or gone:
            self._signal(path, PROPERTIES, "PropertiesChanged", ("sa{sv}as", [interface, dict(changed), gone]))

    def emit(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> None:
        """Send a signal of an object."""
        self._signal(path, interface, member, (signature, list(body)))

    def _signal(self, path: str, interface: str, member: str, content: tuple[str, list[Any]]) -> None:
        if self.bus.connected:
            signature, body = content
            signal = Message.new_signal(path=path, interface=interface, member=member, signature=signature, body=body)
            self.bus.send(signal)

    def _on_message(self, message: Message) -> bool:
        if message.message_type is MessageType.SIGNAL:
            self._on_signal(message)
        if message.message_type is not MessageType.METHOD_CALL or message.interface in _OF_THE_LIBRARY:
            return False
        self._begin(self._answer(message))
        return True

    def _on_signal(self, signal: Message) -> None:
        if signal.member == "NameOwnerChanged":
            name, _, new_owner = signal.body
            for listener in () if new_owner else self._gone_listeners:
                listener(name)
        elif signal.member == "InterfacesAdded":
            for told in self._export_listeners:
                self._begin(told(signal))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, message: Message) -> None:
        call = Call(sender=message.sender or "", path=message.path or "", body=message.body)
        try:
            reply = await self._handler(message)(call)
        except DBusError as error:
            self._send(message, Message.new_error(message, error.type, error.text))
        except Exception as error:
            log.exception("%s of %s", message.member, message.path)
            self._send(message, Message.new_error(message, "org.bluez.Error.Failed", repr(error)))
        else:
            content = reply or Reply(signature="", body=())
            self._send(
                message,
                Message.new_method_return(message, content.signature, list(content.body), list(content.unix_fds)),
            )

    def _send(self, asked: Message, answer: Message) -> None:
        def close_passed(_sent: object) -> None:
            for descriptor in answer.unix_fds:
                os.close(descriptor)

        if self.bus.connected and not asked.flags & MessageFlag.NO_REPLY_EXPECTED:
            self.bus.send(answer).add_done_callback(close_passed)

    def _handler(self, message: Message) -> Handler:
        path, name, member = message.path or "", message.interface or "", message.member or ""
        if path == "/" and (name, member) == (OBJECT_MANAGER, "GetManagedObjects"):
            return self._managed_objects
        if path not in self._objects:
            raise dbus_error("UnknownObject", _unknown(message))
        if name == PROPERTIES:
            signature, handler = self._property_methods().get(member, (None, None))
        else:
            interface = self._objects[path].get(name)
            signature, handler = interface.methods.get(member, (None, None)) if interface else (None, None)
        if handler is None:
            raise dbus_error("UnknownMethod", _unknown(message))
        if signature != message.signature:
            raise bluez_error("InvalidArguments", f'{member} wants "{signature}", not "{message.signature}"')
        return handler

    def _property_methods(self) -> Mapping[str, tuple[str, Handler]]:
        return {"Get": ("ss", self._get), "GetAll": ("s", self._get_all), "Set": ("ssv", self._set)}

    async def _managed_objects(self, _call: Call) -> Reply:
        shown = {
            path: {interface.name: dict(interface.properties) for interface in interfaces.values()}
            for path, interfaces in self._objects.items()
        }
        return Reply(signature="a{oa{sa{sv}}}", body=[shown])

    async def _get(self, call: Call) -> Reply:
        interface, name = call.body
        shown = self._interface(call.path, interface).properties
        if name not in shown:
            raise dbus_error("InvalidArgs", f"No such property '{name}'")
        return Reply(signature="v", body=[shown[name]])

    async def _get_all(self, call: Call) -> Reply:
        return Reply(signature="a{sv}", body=[dict(self._interface(call.path, call.body[0]).properties)])

    async def _set(self, call: Call) -> None:
        interface, name, variant = call.body
        setter = self._interface(call.path, interface).setters.get(name)
        if setter is None:
            raise dbus_error("PropertyReadOnly", f"Property '{name}' is not writable")
        await setter(variant.value)

    def _interface(self, path: str, name: str) -> Interface:
        if found := self._objects[path].get(name):
            return found
        raise dbus_error("InvalidArgs", f"No such interface '{name}'")


_OF_THE_LIBRARY = {"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer"}


def _unknown(message: Message) -> str:
    return (
        f'Method "{message.member}" with signature "{message.signature}" on interface "{message.interface}" '
        "doesn't exist\n"
    )

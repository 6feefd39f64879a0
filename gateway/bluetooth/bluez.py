"""BlueZ beneath bleak: our own connection to the system bus, watching bluetoothd and asking of it what bleak does not.

bleak does not notice when bluetoothd dies. NameOwnerChanged of org.bluez tells it here, at once; the end of the
connection tells that the bus itself is gone. At every beginning of a bluetoothd our pairing agent is registered.
"""

import asyncio
import os
from contextlib import suppress
from typing import Any

import structlog
from dbus_fast.aio import MessageBus
from dbus_fast.constants import BusType, MessageType
from dbus_fast.errors import DBusFastError
from dbus_fast.message import Message
from dbus_fast.signature import Variant

from gateway.bluetooth.pairing import AGENT_PATH, CAPABILITY, PairingAgent, address_in
from gateway.bluetooth.patience import within
from gateway.bluetooth.stack import AdapterFound, Linked, StackError, StackListener
from gateway.gatt.decoders import short_uuid

CALL_S_MAX = 10.0
RESTART_S_MAX = 60.0
RETRY_S = (0.5, 1.0, 2.0, 5.0)
OFF_S = 1.0
_BLUEZ, _ADAPTER, _DEVICE = "org.bluez", "org.bluez.Adapter1", "org.bluez.Device1"
_PROPERTIES, _OBJECTS = "org.freedesktop.DBus.Properties", "org.freedesktop.DBus.ObjectManager"
_BUS = "org.freedesktop.DBus"
_OWNER_RULE = f"type='signal',sender='{_BUS}',interface='{_BUS}',member='NameOwnerChanged',arg0='{_BLUEZ}'"
_TROUBLE = (DBusFastError, OSError, EOFError, TimeoutError)

log = structlog.get_logger()


class BlueZ:
    """The stack of a Linux machine; construct on the event loop."""

    def __init__(self) -> None:
        self.has_bus = False
        self.is_up = False
        self._ready = asyncio.Event()
        self._bus: MessageBus | None = None
        self._introducing: asyncio.Task[None] | None = None

    async def run(self, listener: StackListener) -> None:
        """Keep a connection to the bus, for ever; without one everything counts as gone."""
        attempt, trouble = 0, ""
        while True:
            bus: MessageBus | None = None
            try:
                bus = MessageBus(bus_type=BusType.SYSTEM)  # raises for an address that is none
                await within(CALL_S_MAX, bus.connect())
                self._bus, self.has_bus = bus, True
                await self._watch(bus, listener)
                attempt, trouble = 0, ""
                await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
                raise EOFError("the connection to the bus ended")
            except (*_TROUBLE, StackError) as exc:
                address = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS", "the system's own")
                if trouble != (trouble := f"{address}: {type(exc).__name__}: {exc}"):
                    log.error("no D-Bus, trying again and again", address=address, error=f"{type(exc).__name__}: {exc}")
                self._bus, self.has_bus = None, False
                self._vanished(listener)
            finally:
                self._bus, self.has_bus = None, False
                self._stop_introducing()
                if bus is not None:
                    with suppress(*_TROUBLE):
                        bus.disconnect()
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    async def ready(self) -> None:
        """Wait until bluetoothd is there and knows our agent."""
        await self._ready.wait()

    async def adapters(self) -> tuple[AdapterFound, ...]:
        """List the adapters, in order of their number."""
        found = [
            AdapterFound(name=path.rpartition("/")[2], powered=bool(shown[_ADAPTER]["Powered"].value))
            for path, shown in (await self._objects()).items()
            if _ADAPTER in shown
        ]
        return tuple(sorted(found, key=lambda adapter: (len(adapter.name), adapter.name)))

    async def linked(self) -> tuple[Linked, ...]:
        """List the devices that are connected."""
        return tuple(
            Linked(
                adapter=path.split("/")[3],
                address=address_in(path),
                name=str(device["Alias"].value) if "Alias" in device else "",
                services=frozenset(short_uuid(uuid) for uuid in device["UUIDs"].value)
                if "UUIDs" in device
                else frozenset(),
            )
            for path, shown in (await self._objects()).items()
            if (device := shown.get(_DEVICE)) and "Connected" in device and device["Connected"].value
        )

    async def hang_up(self, adapter: str, address: str) -> None:
        """End a link; harmless without one."""
        await self._call(_message(_device_path(adapter, address), _DEVICE, "Disconnect"))

    async def forget(self, adapter: str, address: str, *, bond: bool = False) -> None:
        """RemoveDevice, with all that bluetoothd remembers of its services; a paired one stays, unless with `bond`."""
        path = _device_path(adapter, address)
        (paired,) = await self._call(_message(path, _PROPERTIES, "Get", "ss", _DEVICE, "Paired"))
        if bond or not paired.value:
            await self._call(_message(f"/org/bluez/{adapter}", _ADAPTER, "RemoveDevice", "o", path))

    async def power_cycle(self, adapter: str) -> None:
        """Switch an adapter off, and on again whatever became of that."""
        try:
            await self._power(adapter, False)
        except StackError as exc:
            log.warning("adapter did not go off", adapter=adapter, error=str(exc))
        await asyncio.sleep(OFF_S)
        await self._power(adapter, True)

    async def restart(self) -> None:
        """Let systemd restart bluetoothd; where that is not allowed, at least have the bus start one that is gone."""
        manager = _message(
            "/org/freedesktop/systemd1",
            "org.freedesktop.systemd1.Manager",
            "RestartUnit",
            "ss",
            *("bluetooth.service", "replace"),
            destination="org.freedesktop.systemd1",
        )
        try:
            await self._call(manager, bound_s=RESTART_S_MAX)
        except StackError:
            if self.is_up:
                raise
            start = _message("/org/freedesktop/DBus", _BUS, "StartServiceByName", "su", _BLUEZ, 0, destination=_BUS)
            await self._call(start, bound_s=RESTART_S_MAX)

    async def reboot(self) -> None:
        """Let logind reboot the machine, without asking anybody."""
        path, name = "/org/freedesktop/login1", "org.freedesktop.login1"
        await self._call(_message(path, f"{name}.Manager", "Reboot", "b", False, destination=name))

    async def _watch(self, bus: MessageBus, listener: StackListener) -> None:
        """Follow who is org.bluez from now on. Raises StackError."""
        bus.add_message_handler(lambda message: self._on_message(message, bus, listener))
        bus.export(AGENT_PATH, PairingAgent(listener.may_pair))
        await self._call(_message("/org/freedesktop/DBus", _BUS, "AddMatch", "s", _OWNER_RULE, destination=_BUS))
        ask = _message("/org/freedesktop/DBus", _BUS, "NameHasOwner", "s", _BLUEZ, destination=_BUS)
        (has_owner,) = await self._call(ask)
        if has_owner and not self.is_up:
            self._appeared(listener)

    def _on_message(self, message: Message, bus: MessageBus, listener: StackListener) -> None:
        if (
            message.message_type is not MessageType.SIGNAL
            or message.member != "NameOwnerChanged"
            or bus is not self._bus
        ):
            return
        name, old, new = message.body
        if name == _BLUEZ:
            if old:
                self._vanished(listener)
            if new:
                self._appeared(listener)

    def _appeared(self, listener: StackListener) -> None:
        self.is_up = True
        self._introducing = asyncio.create_task(self._introduce(listener))

    def _vanished(self, listener: StackListener) -> None:
        self._stop_introducing()
        self._ready.clear()
        if self.is_up:
            self.is_up = False
            log.error("bluetoothd is gone, every link with it" if self.has_bus else "D-Bus is gone, every link with it")
            listener.on_gone()

    def _stop_introducing(self) -> None:
        if self._introducing is not None:
            self._introducing.cancel()
            self._introducing = None

    async def _introduce(self, listener: StackListener) -> None:
        """Make ourselves known to a new bluetoothd; without an agent all but pairing works."""
        try:
            path = "/org/bluez"
            manager = f"{_BLUEZ}.AgentManager1"
            await self._call(_message(path, manager, "RegisterAgent", "os", AGENT_PATH, CAPABILITY))
            await self._call(_message(path, manager, "RequestDefaultAgent", "o", AGENT_PATH))
        except StackError as exc:
            log.error("no pairing agent: devices that want to be paired can not be read", error=str(exc))
        log.info("bluetoothd is there")
        self._ready.set()
        listener.on_ready()

    async def _power(self, adapter: str, on: bool) -> None:
        path = f"/org/bluez/{adapter}"
        await self._call(_message(path, _PROPERTIES, "Set", "ssv", _ADAPTER, "Powered", Variant("b", on)))

    async def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        (objects,) = await self._call(_message("/", _OBJECTS, "GetManagedObjects"))
        return objects  # type: ignore[no-any-return]

    async def _call(self, message: Message, *, bound_s: float = CALL_S_MAX) -> list[Any]:
        """Ask, and give the answer's body. Raises StackError."""
        if self._bus is None:
            raise StackError(f"{message.member}: no D-Bus")
        try:
            reply = await within(bound_s, self._bus.call(message))
        except _TROUBLE as exc:
            raise StackError(f"{message.member}: {type(exc).__name__}: {exc}") from exc
        if reply is None or reply.message_type is MessageType.ERROR:
            said = f"{reply.error_name}: {' '.join(map(str, reply.body))}" if reply else "no answer"
            raise StackError(f"{message.member}: {said}")
        return list(reply.body)


def _message(
    path: str, interface: str, member: str, signature: str = "", *body: object, destination: str = _BLUEZ
) -> Message:
    """Make a message. Raises StackError for what can not be one, a path without an adapter's name, say."""
    try:
        return Message(
            destination=destination,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
    except (DBusFastError, TypeError) as exc:
        raise StackError(f"{member}: {exc}") from exc


def _device_path(adapter: str, address: str) -> str:
    return f"/org/bluez/{adapter}/dev_{address.upper().replace(':', '_')}"

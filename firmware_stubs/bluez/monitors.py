"""Passive scanning: org.bluez.AdvertisementMonitorManager1, and the monitors that clients export."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from dbus_fast import Message, MessageFlag, MessageType, Variant

from firmware_stubs.bluez.errors import bluez_error
from firmware_stubs.bluez.object_tree import OBJECT_MANAGER, Call, Interface, ObjectTree

MANAGER = "org.bluez.AdvertisementMonitorManager1"
MONITOR = "org.bluez.AdvertisementMonitor1"
Structures = Sequence[tuple[int, bytes]]
"""An advertisement as its parts: type and content."""


class Monitors:
    """The monitors of one adapter. `switch` is called when the first is active and when none is left.

    A client registers a path and exports the monitor there afterwards: only then it is activated.
    """

    def __init__(self, tree: ObjectTree, *, switch: Callable[[], Awaitable[None]]) -> None:
        self._tree = tree
        self._switch = switch
        self._registered: set[tuple[str, str]] = set()
        self._patterns: dict[tuple[str, str], Sequence[tuple[int, int, bytes]]] = {}
        tree.when_exported(self._on_export)

    @property
    def are_active(self) -> bool:
        """Tell whether anybody monitors."""
        return bool(self._patterns)

    def want(self, structures: Structures) -> bool:
        """Tell whether an advertisement fits any pattern of any monitor."""
        return any(
            kind == said and content[start : start + len(wanted)] == bytes(wanted)
            for patterns in self._patterns.values()
            for start, kind, wanted in patterns
            for said, content in structures
        )

    def shown(self) -> Interface:
        """Describe the manager for the bus."""
        return Interface(
            name=MANAGER,
            properties={
                "SupportedMonitorTypes": Variant("as", ["or_patterns"]),
                "SupportedFeatures": Variant("as", []),
            },
            methods={"RegisterMonitor": ("o", self._register), "UnregisterMonitor": ("o", self._unregister)},
        )

    async def forget_client(self, client: str) -> None:
        """End the monitors of a client that left the bus."""
        for key in [key for key in self._registered if key[0] == client]:
            await self._end(key)

    async def _register(self, call: Call) -> None:
        key = (call.sender, call.body[0])
        if key in self._registered:
            raise bluez_error("AlreadyExists", "Already Exists")
        self._registered.add(key)
        rule = f"type='signal',sender='{call.sender}',interface='{OBJECT_MANAGER}',member='InterfacesAdded'"
        await self._tree.add_match(rule)

    async def _unregister(self, call: Call) -> None:
        key = (call.sender, call.body[0])
        if key not in self._registered:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        await self._end(key)

    async def _end(self, key: tuple[str, str]) -> None:
        self._registered.discard(key)
        if self._patterns.pop(key, None) is not None and not self._patterns:
            await self._switch()

    async def _on_export(self, signal: Message) -> None:
        path, interfaces = signal.body
        key = (signal.sender or "", path)
        if key not in self._registered or MONITOR not in interfaces:
            return
        self._patterns[key] = interfaces[MONITOR]["Patterns"].value
        activate = Message(
            message_type=MessageType.METHOD_CALL,
            flags=MessageFlag.NO_REPLY_EXPECTED,
            destination=signal.sender,
            path=path,
            interface=MONITOR,
            member="Activate",
        )
        self._tree.bus.send(activate)
        await self._switch()

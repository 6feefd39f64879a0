"""The characteristics of a device: one that speaks by itself, ones that answer reads, ones that take writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bumble import att
from bumble.core import UUID
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Characteristic, CharacteristicValue
from bumble.gatt_server import Server

Properties = Characteristic.Properties
Permissions = Characteristic.Permissions
OnWrite = Callable[[bytes], Awaitable[None] | None]


class Outlet:
    """A characteristic that speaks by itself; `listening` is set while the central is subscribed.

    It may take writes too. If it is secret, subscribing needs an encrypted link.
    """

    def __init__(
        self, uuid: UUID, properties: Properties, *, on_write: OnWrite | None = None, is_secret: bool = False
    ) -> None:
        self.listening = asyncio.Event()
        self.is_secret = is_secret
        self.characteristic: Characteristic[bytes] = Characteristic(
            uuid,
            properties,
            Permissions.WRITEABLE if on_write else Permissions(0),
            CharacteristicValue(read=_not_readable, write=_taking(on_write)),
        )
        self.characteristic.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)

    def _on_subscription(self, _connection: Connection, notify: bool, indicate: bool) -> None:
        if notify or indicate:
            self.listening.set()
        else:
            self.listening.clear()


def keep_secret(server: Server, outlet: Outlet) -> None:
    """Make a served outlet's subscription need an encrypted link."""
    characteristic = outlet.characteristic
    for attribute in server.attributes:
        is_within = characteristic.handle < attribute.handle <= characteristic.end_group_handle
        if is_within and attribute.type == GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR:
            attribute.permissions |= Permissions.WRITE_REQUIRES_ENCRYPTION


def readable(uuid: UUID, value: bytes) -> Characteristic[bytes]:
    """Build a characteristic that only answers reads."""
    return Characteristic(uuid, Properties.READ, Permissions.READABLE, value)


def writable(
    uuid: UUID, on_write: OnWrite, *, properties: Properties = Properties.WRITE, is_secret: bool = False
) -> Characteristic[bytes]:
    """Build a characteristic that only takes writes; if secret, on an encrypted link only."""
    permissions = Permissions.WRITEABLE | (Permissions.WRITE_REQUIRES_ENCRYPTION if is_secret else 0)
    return Characteristic(uuid, properties, permissions, CharacteristicValue(write=_taking(on_write)))


def _taking(on_write: OnWrite | None) -> Callable[[Connection, bytes], Awaitable[None]]:
    async def take(_connection: Connection, value: bytes) -> None:
        if on_write is None:
            raise att.ATT_Error(att.ErrorCode.WRITE_NOT_PERMITTED)
        answer = on_write(value)
        if answer is not None:
            await answer

    return take


def _not_readable(_connection: Connection) -> bytes:
    raise att.ATT_Error(att.ErrorCode.READ_NOT_PERMITTED)

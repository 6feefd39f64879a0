"""A live link to one device: requests that end with it, and more security where the device asks for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from bumble import att, core
from bumble.device import Connection
from bumble.gatt_client import CharacteristicProxy, ServiceProxy

from firmware_stubs.bluez.errors import att_error, failed
from firmware_stubs.commands import Commands

MTU_WANTED_BYTES = 517
_NEEDS_SECURITY = {
    att.ErrorCode.INSUFFICIENT_AUTHENTICATION,
    att.ErrorCode.INSUFFICIENT_ENCRYPTION,
}
T = TypeVar("T")


class Link:
    """One connection, from its beginning to its end. `secure` is asked when the device refuses for want of it."""

    def __init__(
        self, connection: Connection, *, secure: Callable[[Link], Awaitable[bool]], on_end: Callable[[int], None]
    ) -> None:
        self.connection = connection
        self._secure = secure
        self._commands = Commands()
        self._ended = asyncio.Event()
        self._on_end = on_end
        connection.on(Connection.EVENT_DISCONNECTION, self._end)

    @property
    def is_up(self) -> bool:
        """Tell whether the link is still there."""
        return self.connection.device.connections.get(self.connection.handle) is self.connection

    @property
    def mtu(self) -> int:
        """Return the negotiated ATT MTU in bytes."""
        return self.connection.att_mtu

    async def read(self, handle: int) -> bytes:
        """Read an attribute's value."""
        return await self._ask(lambda: self.connection.gatt_client.read_value(handle))

    async def write(self, handle: int, value: bytes, *, with_response: bool) -> None:
        """Write an attribute's value, as a request or as a command."""
        await self._ask(lambda: self.connection.gatt_client.write_value(handle, value, with_response=with_response))

    async def subscribe(self, proxy: CharacteristicProxy[bytes], on_value: Callable[[bytes], None]) -> None:
        """Hear a characteristic's notifications or indications; indications are confirmed at once."""
        await self._ask(lambda: self.connection.gatt_client.subscribe(proxy, on_value))

    async def unsubscribe(self, proxy: CharacteristicProxy[bytes], on_value: Callable[[bytes], None]) -> None:
        """Hear no more of a characteristic."""
        await self._ask(lambda: self.connection.gatt_client.unsubscribe(proxy, on_value))

    async def discover(self) -> list[ServiceProxy]:
        """Exchange the MTU and list the services with their characteristics and descriptors."""
        client = self.connection.gatt_client
        await self._ask(lambda: client.request_mtu(MTU_WANTED_BYTES))
        services: list[ServiceProxy] = await self._ask(client.discover_services)
        for service in services:
            for characteristic in await self._ask(service.discover_characteristics):
                await self._ask(characteristic.discover_descriptors)
        return services

    async def cut(self) -> None:
        """Disconnect; return when it was asked for, be it in vain because the link has gone."""
        await self._commands.run(_hang_up(self.connection))

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something that may hang when the link goes down; then raise "Not connected"."""
        # bumble leaves a request that begins just after the link was lost waiting for its 30 s timeout.
        working = asyncio.create_task(work)
        ending = asyncio.create_task(self._ended.wait())
        both: set[asyncio.Task[Any]] = {working, ending}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
            ending.cancel()
            await asyncio.wait(both)
        if working.cancelled():
            raise failed("Not connected")
        return working.result()

    async def _ask(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        try:
            try:
                return await self.run(request())
            except att.ATT_Error as error:
                if error.error_code not in _NEEDS_SECURITY or not await self._secure(self):
                    raise
                return await self.run(request())
        except att.ATT_Error as error:
            raise att_error(error.error_code) from error
        except core.BaseBumbleError as error:
            raise failed(str(error)) from error

    def _end(self, reason: int) -> None:
        self._ended.set()
        self._on_end(reason)


async def _hang_up(connection: Connection) -> None:
    with contextlib.suppress(core.BaseBumbleError, asyncio.CancelledError):  # bumble cancels when its host has gone
        await connection.disconnect()

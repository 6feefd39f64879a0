"""The hub's socket for gateways: whoever connects gets a Bluetooth controller of their own until they are gone."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from bumble import core, hci
from bumble.transport.common import PacketParser

from firmware_stubs.radio import Air, Radio

UNREAD_BYTES_MAX = 4 * 1024 * 1024
log = logging.getLogger(__name__)


class HciPort:
    """The controllers that are plugged in."""

    def __init__(self) -> None:
        self.connected: set[_Gateway] = set()
        self.has_controllers = True

    def pull_all(self, *, for_good: bool = False) -> None:
        """Pull every controller out, as a dongle; who wants one may connect again, after `for_good` when put back."""
        self.has_controllers = not for_good
        for gateway in list(self.connected):
            gateway.drop()

    def put_back(self) -> None:
        """Let there be controllers again."""
        self.has_controllers = True


@contextlib.asynccontextmanager
async def open_hci_port(air: Air, path: Path) -> AsyncIterator[HciPort]:
    """Listen at a unix socket, taking the place of one left by a hub that died; at the end drop everybody."""
    numbers = itertools.count(1)
    port = HciPort()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(lambda: _Gateway(air, next(numbers), port), str(path))
    try:
        yield port
    finally:
        server.close()
        port.pull_all()
        path.unlink(missing_ok=True)  # noqa: ASYNC240 one system call


class _Gateway(asyncio.Protocol):
    """One gateway's HCI (H4) connection. Its end, however it came, is a loss of power of its controller."""

    def __init__(self, air: Air, number: int, port: HciPort) -> None:
        self._air = air
        self._port = port
        self._name = f"gateway {number}"
        self._address = hci.Address(
            bytes((number & 0xFF, number >> 8 & 0xFF, 0, 0, 0, 2)), hci.Address.PUBLIC_DEVICE_ADDRESS
        )
        self._parser = PacketParser()
        self._radio: Radio | None = None
        self._socket: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)
        if not self._port.has_controllers:
            self.drop()
            return
        self._port.connected.add(self)
        self._radio = Radio(self._name, self._air, public_address=self._address)
        self._radio.host = self
        self._parser.set_packet_sink(self._radio)
        log.info("%s connected", self._name)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except core.InvalidPacketError as exc:
            log.error("%s speaks no HCI, dropped: %s", self._name, exc)
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._port.connected.discard(self)
        if self._radio is not None:
            self._radio.unplug()
        self._radio = self._socket = None
        log.info("%s is gone: %s", self._name, exc or "closed")

    def on_packet(self, packet: bytes) -> None:
        """Hand the gateway a packet of its controller; a gateway that reads nothing any more is dropped."""
        if self._socket is None or self._socket.is_closing():
            return
        if self._socket.get_write_buffer_size() > UNREAD_BYTES_MAX:
            log.error("%s left %d bytes unread, dropped", self._name, UNREAD_BYTES_MAX)
            self.drop()
            return
        self._socket.write(packet)

    def drop(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.abort()

"""A line between a gateway and its broker that can be thin, or dead: a TCP relay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

LOOPBACK = "127.0.0.1"
PIECE_BYTES = 512


class ThinLine:
    """Relays every connection to a port; upwards at so many bytes a second."""

    def __init__(self, port: int, *, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s
        self.port = 0
        self._to = port
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection, both ways."""
        up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self._to)
        with suppress(ConnectionError):
            await asyncio.gather(self._slowly(reader, up_writer), _at_once(up_reader, writer))

    async def _slowly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on as a thin line does: what waits stays in the sender's buffers."""
        while piece := await reader.read(PIECE_BYTES):
            await asyncio.sleep(len(piece) / self.bytes_per_s)
            writer.write(piece)
            await writer.drain()
        writer.close()


async def _at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1 << 16):
        writer.write(piece)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def thin_line(port: int, *, bytes_per_s: float) -> AsyncIterator[ThinLine]:
    """A line to a port; its own port is `port`."""
    line = ThinLine(port, bytes_per_s=bytes_per_s)
    server = await asyncio.start_server(line.serve, LOOPBACK, 0, limit=PIECE_BYTES)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()


@asynccontextmanager
async def dumb_server() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port where every connection is taken and nothing is ever said; and what each had to say first."""
    heard: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1 << 16))
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(take, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()

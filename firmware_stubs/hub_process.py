"""A hub as a child process, for tests and the demo: start it, read its lines, signal it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

LINE_BYTES_MAX = 1024 * 1024


class HubEnded(Exception):
    """The hub closed its output before the line that was waited for."""


class HubProcess:
    """A running hub; its devices are on the air."""

    def __init__(self, process: asyncio.subprocess.Process, socket: Path) -> None:
        self.process = process
        self.socket = socket

    @property
    def transport(self) -> str:
        """Name the hub's socket as `backend()` wants it."""
        return f"unix:{self.socket}"

    async def line(self, event: str) -> dict[str, Any]:
        """Read lines until one of this event; raise HubEnded if none comes any more."""
        assert self.process.stdout is not None
        while content := await self.process.stdout.readline():
            said: dict[str, Any] = json.loads(content)
            if said["event"] == event:
                return said
        raise HubEnded(f"the hub ended without a {event!r} line, status {await self.process.wait()}")

    async def counters(self) -> dict[str, Any]:
        """Ask for the counters now."""
        self.process.send_signal(signal.SIGUSR2)
        return await self.line("counters")

    async def hush(self) -> dict[str, Any]:
        """Stop new measurements, links stay up; return what was sent."""
        self.process.send_signal(signal.SIGUSR1)
        return await self.line("hushed")

    async def stop(self) -> dict[str, Any]:
        """End the hub in good order; return what was sent in all."""
        self.process.send_signal(signal.SIGTERM)
        return await self.line("final")


@contextlib.asynccontextmanager
async def hub_process(socket: Path, *options: str) -> AsyncIterator[HubProcess]:
    """Run `python -m firmware_stubs hub --socket … options` until the end of the block."""
    command = (sys.executable, "-m", "firmware_stubs", "hub", "--socket", str(socket), *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=LINE_BYTES_MAX)
    hub = HubProcess(process, socket)
    try:
        await hub.line("ready")
        yield hub
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()

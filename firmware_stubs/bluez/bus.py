"""A private message bus: a dbus-daemon of our own at a unix socket, and connections that survive a burst."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from dbus_fast.aio.message_bus import MessageBus

CONNECTIONS_MAX = 4096
CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
    <allow send_requested_reply="true"/><allow receive_requested_reply="true"/>
  </policy>
  <limit name="max_connections_per_user">{connections}</limit>
  <limit name="max_completed_connections">{connections}</limit>
</busconfig>
"""


class NoDaemon(Exception):
    """There is no dbus-daemon on this machine, or it did not start."""


class PrivateBus:
    """A dbus-daemon that can be killed and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "bus"
        self._configuration = folder / "bus.conf"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        """Give the address as DBUS_SYSTEM_BUS_ADDRESS wants it."""
        return f"unix:path={self.socket}"

    async def start(self) -> None:
        """Start the daemon; return when it listens; raise NoDaemon if it does not."""
        program = shutil.which("dbus-daemon")
        if program is None:
            raise NoDaemon("no dbus-daemon: the package dbus-daemon has it")
        self.socket.unlink(missing_ok=True)
        self._configuration.write_text(CONFIGURATION.format(socket=self.socket, connections=CONNECTIONS_MAX))
        self._process = await asyncio.create_subprocess_exec(
            *(program, f"--config-file={self._configuration}", "--nofork", "--print-address"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # "Failed to set fd limit", which does no harm
        )
        assert self._process.stdout is not None
        if not await self._process.stdout.readline():
            raise NoDaemon(f"{program} ended at once, status {await self._process.wait()}")

    async def kill(self) -> None:
        """Kill the daemon without a word; harmless if there is none."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.communicate()
            self._process = None


@contextlib.asynccontextmanager
async def private_bus(folder: Path) -> AsyncIterator[PrivateBus]:
    """Run a dbus-daemon with its socket in `folder` until the end of the block."""
    bus = PrivateBus(folder)
    await bus.start()
    try:
        yield bus
    finally:
        await bus.kill()


async def connect(address: str) -> MessageBus:
    """Connect to the bus at `address`; the connection can pass file descriptors and send bursts."""
    bus = MessageBus(bus_address=address, negotiate_unix_fd=True)
    await bus.connect()
    assert bus._writer is not None
    assert bus._sock is not None
    bus._writer.sock = _PatientSocket(bus._sock)  # type: ignore[assignment]
    return bus


class _PatientSocket:
    """A socket that says "nothing sent" when its buffer is full, which dbus-fast takes for a reason to wait.

    dbus-fast (5.2.0) ends the connection when send() raises BlockingIOError.
    """

    def __init__(self, wrapped: socket.socket) -> None:
        self._wrapped = wrapped

    def send(self, content: memoryview) -> int:
        try:
            return self._wrapped.send(content)
        except BlockingIOError:
            return 0

    def sendmsg(self, content: list[memoryview], ancillary: list[Any]) -> int:
        return self._wrapped.sendmsg(content, ancillary)

"""The stand-in for bluetoothd as a child process, which can be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

from firmware_stubs.bluez.faults import Cure, Deafness, Fault, fault_to_json


class BluezEnded(Exception):
    """The process closed its output before it said what was waited for."""


class BluezProcess:
    """`python -m firmware_stubs bluez …`; while it does not run, nobody is org.bluez on the bus."""

    def __init__(self, bus_address: str, *, transports: Sequence[str], options: Sequence[str] = ()) -> None:
        self._command = [sys.executable, "-m", "firmware_stubs", "bluez", "--bus", bus_address, *options]
        for transport in transports:
            self._command += ["--hci", transport]
        self._process: asyncio.subprocess.Process | None = None
        self._until_reboot: list[Fault] = []
        self._changing = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Return the process id, None while it does not run."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it; return when it is org.bluez and its adapters are there. Harmless if it runs."""
        async with self._changing:
            await self._start()

    async def kill(self) -> None:
        """Kill it as `kill -9` does; return when it is dead. Harmless if it does not run."""
        async with self._changing:
            await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        """End it in good order, as `systemctl stop` does; harmless if it does not run."""
        async with self._changing:
            await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        """End it in good order and start it again."""
        async with self._changing:
            await self._end(signal.SIGTERM)
            await self._start()

    async def reboot(self) -> None:
        """Restart it and end every fault, as a reboot of the machine does."""
        self._until_reboot.clear()
        await self.restart()

    async def inject(self, fault: Fault) -> None:
        """Put a fault in force; return when it is. One that only a reboot cures outlives restarts."""
        if isinstance(fault, Deafness) and fault.cure is Cure.REBOOT and fault.seconds is None:
            self._until_reboot.append(fault)
        await self._send(fault)

    async def _start(self) -> None:
        if self._process is not None:
            return
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        await self._line("ready")
        for fault in self._until_reboot:
            await self._send(fault)

    async def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(sign)
            await self._process.communicate()
            self._process = None

    async def _send(self, fault: Fault) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(fault_to_json(fault).encode() + b"\n")
        await self._line("injected")

    async def _line(self, event: str) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        while content := await self._process.stdout.readline():
            said: dict[str, Any] = json.loads(content)
            if said["event"] == event:
                return said
        raise BluezEnded(f"bluez ended without a {event!r} line, status {await self._process.wait()}")


@contextlib.asynccontextmanager
async def bluez_process(
    bus_address: str, *, transports: Sequence[str], options: Sequence[str] = ()
) -> AsyncIterator[BluezProcess]:
    """Run the stand-in for bluetoothd until the end of the block."""
    bluez = BluezProcess(bus_address, transports=transports, options=options)
    await bluez.start()
    try:
        yield bluez
    finally:
        await bluez.kill()

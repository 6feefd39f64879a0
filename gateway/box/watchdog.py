"""Tells systemd that the gateway is ready and that it does its work; whoever stands still is not fed, and is restarted.

The protocol is sd_notify(3): datagrams to NOTIFY_SOCKET; WATCHDOG_USEC says how often. Without them nothing is said.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import structlog

from gateway.box.health import Look, Progress, what_is_wrong

LOOKS_PER_PERIOD = 3
UNWATCHED_S = 20.0
"""Between two looks where systemd asks for none: its status line still says how it is."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Systemd:
    """Who started us and listens; `watchdog_s` is None where it does not ask to be fed."""

    address: str
    watchdog_s: float | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Answer systemd where it started this process and wants to hear from it."""
        address = environment.get("NOTIFY_SOCKET", "")
        if not address.startswith(("/", "@")):
            return None
        usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", str(os.getpid()))
        is_watched = usec.isdigit() and int(usec) > 0 and pid == str(os.getpid())
        return cls(address=address, watchdog_s=int(usec) / 1_000_000 if is_watched else None)

    def tell(self, *lines: str) -> None:
        """Send one message; a systemd that is not there is nothing to fail for."""
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How to look: `ask_outbox` goes through the thread that commits, and gives how many readings lie there."""

    ask_outbox: Callable[[], Awaitable[int]]
    intake: Callable[[], Progress]


class Watchdog:
    """One task on the gateway's own event loop: a loop that hangs feeds nobody."""

    def __init__(self, systemd: Systemd | None, evidence: Evidence) -> None:
        self._systemd = systemd
        self._evidence = evidence
        self._depth = 0
        self._trouble: str | None = None

    async def run(self) -> None:
        """Say READY when the outbox has answered once, and feed for ever while the work goes on."""
        if self._systemd is None:
            await asyncio.Event().wait()
            return
        every_s = (self._systemd.watchdog_s or LOOKS_PER_PERIOD * UNWATCHED_S) / LOOKS_PER_PERIOD
        before, is_ready = await self._look(every_s), False
        while True:
            now = await self._look(every_s)
            trouble = what_is_wrong(before, now)
            self._note(trouble)
            if trouble is None:
                state = ["WATCHDOG=1", f"STATUS={self._depth} readings wait to be stored"]
                self._systemd.tell(*([] if is_ready else ["READY=1"]), *state)
                is_ready = True
            before = now
            await asyncio.sleep(every_s)

    def stopping(self) -> None:
        """Say that the end is wanted."""
        if self._systemd is not None:
            self._systemd.tell("STOPPING=1", "STATUS=stopping: what was read is accepted first")

    async def _look(self, timeout_s: float) -> Look:
        answered = False
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                self._depth = await self._evidence.ask_outbox()
                answered = True
        return Look(answered=answered, progress=self._evidence.intake())

    def _note(self, trouble: str | None) -> None:
        if trouble == self._trouble or self._systemd is None:
            return
        self._trouble = trouble
        if trouble:
            log.error("the gateway stands still; systemd is not told that it is well", trouble=trouble)
            self._systemd.tell(f"STATUS=standing still: {trouble}")
        else:
            log.info("the gateway works again")

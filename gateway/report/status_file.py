"""The last status document as a file, so that a person at the box needs no broker to see how the gateway is.

It is written every few seconds and never synced: on a card it wears; `status_file` may point to a memory file system.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.box.atomic_file import replace_file

EVERY_S = 10.0
"""Between two writes, machine seconds."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LastStatus:
    """A status document and how long ago it was written, machine seconds."""

    payload: bytes
    age_s: float


class StatusFile:
    """Written by the running gateway alone, read by anybody."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._trouble = ""

    async def run(self, payload: Callable[[], Awaitable[bytes]], *, changed: asyncio.Event) -> None:
        """Write for ever, and at once when something has changed; a disk that takes nothing is only logged."""
        while True:
            changed.clear()
            await self._write(await payload())
            try:
                async with asyncio.timeout(EVERY_S):
                    await changed.wait()
            except TimeoutError:
                continue

    async def end(self, payload: bytes) -> None:
        """Leave a last word, when nothing else writes any more."""
        await self._write(payload)

    def read(self) -> LastStatus | None:
        """Give the last document; None where there is none."""
        try:
            return LastStatus(payload=self.path.read_bytes(), age_s=max(0.0, time.time() - self.path.stat().st_mtime))
        except OSError:
            return None

    async def _write(self, text: bytes) -> None:
        try:
            await asyncio.to_thread(replace_file, self.path, text, durable=False)
        except OSError as exc:
            if str(exc) != self._trouble:
                self._trouble = str(exc)
                log.warning("the status file is not written", error=str(exc))
        else:
            self._trouble = ""


def status_path(outbox: Path, chosen: Path | None) -> Path:
    """Say where the file lies: where the settings say, else beside the outbox."""
    return chosen or outbox.with_name("status.json")

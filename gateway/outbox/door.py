"""The outbox for asyncio: one thread owns the file, so that an fsync never holds up the radio.

What a broken file left is moved over in small steps between the calls of others.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import structlog

from gateway.clocks.placing import Stamped
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import Account, Outbox, OutboxError, Undecoded
from gateway.outbox.pair import OutboxPair, stand_in_bytes
from gateway.outbox.rows import Excerpt, Record, RowRange, merged

RETRY_S = 5.0

log = structlog.get_logger()
T = TypeVar("T")


class OutboxDoor:
    """The outbox's methods, awaited, in order, on its own thread."""

    def __init__(self, outbox: OutboxPair, thread: ThreadPoolExecutor) -> None:
        self._outbox = outbox
        self._thread = thread
        self._salvaged: list[RowRange] = []
        self._salvaging: asyncio.Task[None] | None = None
        self._begin_salvage()

    @classmethod
    async def opened(
        cls,
        path: Path,
        *,
        bytes_max: int,
        undecoded_max: int,
        floor: Floor | None = None,
        stand_in: Path | None = None,
    ) -> "OutboxDoor":
        """Open the file on a thread of its own; `stand_in` is a path in memory. Raises OutboxError."""

        def open_outbox(at: Path) -> Outbox:
            bound = bytes_max if at == path else min(bytes_max, stand_in_bytes(at))
            return Outbox(at, bytes_max=bound, undecoded_max=undecoded_max, floor=floor)

        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        opening = thread.submit(lambda: OutboxPair(open_outbox, path, stand_in))
        try:
            outbox = await asyncio.wrap_future(opening)
        except BaseException:
            thread.shutdown(wait=True)
            if not opening.cancelled() and opening.exception() is None:
                opening.result().close()  # cancelled meanwhile: nobody else would
            raise
        return cls(outbox, thread)

    @property
    def outbox_id(self) -> UUID:
        """The file's random id; it changes when the file breaks and a new one is begun."""
        return self._outbox.outbox_id

    @property
    def set_aside(self) -> Path | None:
        """The broken file that was put aside last, if one was."""
        return self._outbox.set_aside

    async def accept(
        self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded] = (), records: Sequence[Record] = ()
    ) -> RowRange | None:
        """Write to disk; on return it is there. Of records of a memory only those never seen before are accepted."""
        return await self._call(lambda: self._outbox.accept(rows, undecoded, records))

    async def stored(self, ranges: Iterable[RowRange]) -> int:
        """Forget what ingest has stored."""
        wanted = list(ranges)
        return await self._call(lambda: self._outbox.stored(wanted))

    async def read(self, rows: RowRange, *, limit: int) -> Excerpt:
        """Read what is still here of a range."""
        return await self._call(lambda: self._outbox.read(rows, limit=limit))

    def take_salvaged(self) -> list[RowRange]:
        """Give the ranges that have been filled from a broken file since the last call."""
        taken, self._salvaged = self._salvaged, []
        return taken

    async def account(self) -> Account:
        """Count up."""
        return await self._call(self._outbox.account)

    async def close(self) -> None:
        """Close the file after what is under way."""
        if self._salvaging:
            self._salvaging.cancel()
            await asyncio.gather(self._salvaging, return_exceptions=True)
        await self._on_thread(self._outbox.close)
        self._thread.shutdown(wait=True)

    async def _call(self, work: Callable[[], T]) -> T:
        result = await self._on_thread(work)
        self._begin_salvage()
        return result

    async def _on_thread(self, work: Callable[[], T]) -> T:
        """Run on the thread; a cancelled caller leaves the work to finish (a commit is never half awaited)."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

    def _begin_salvage(self) -> None:
        if self._outbox.is_salvaging and (self._salvaging is None or self._salvaging.done()):
            self._salvaging = asyncio.create_task(self._salvage(), name="salvage")

    async def _salvage(self) -> None:
        said = ""
        while self._outbox.is_salvaging:
            try:
                moved = await self._on_thread(self._outbox.salvage)
            except OutboxError as exc:
                if str(exc) != said:
                    log.error("rows can not be moved over now, trying again", error=str(exc), retry_s=RETRY_S)
                said = str(exc)
                await asyncio.sleep(RETRY_S)
                continue
            if moved:
                self._salvaged = merged([*self._salvaged, moved])

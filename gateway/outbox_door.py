"""The outbox for asyncio: one thread owns the file, so that an fsync never holds up the radio."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from gateway.outbox import Account, Outbox, Undecoded
from gateway.placing import Stamped
from gateway.rows import OutboxRow, RowRange

T = TypeVar("T")


class OutboxDoor:
    """The outbox's methods, awaited, in order, on its own thread."""

    def __init__(self, outbox: Outbox, thread: ThreadPoolExecutor) -> None:
        self._outbox = outbox
        self._thread = thread

    @classmethod
    async def opened(cls, path: Path, *, bytes_max: int, undecoded_max: int) -> "OutboxDoor":
        """Open the file on a thread of its own. Raises OutboxError."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        opening = thread.submit(lambda: Outbox(path, bytes_max=bytes_max, undecoded_max=undecoded_max))
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
        """The file's random id."""
        return self._outbox.outbox_id

    @property
    def set_aside(self) -> Path | None:
        """The unreadable file that was put aside at opening, if one was."""
        return self._outbox.set_aside

    async def accept(self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded]) -> RowRange | None:
        """Write to disk; on return it is there."""
        return await self._call(lambda: self._outbox.accept(rows, undecoded))

    async def stored(self, ranges: Iterable[RowRange]) -> int:
        """Forget what ingest has stored."""
        return await self._call(lambda: self._outbox.stored(ranges))

    async def read(self, rows: RowRange, *, limit: int) -> list[OutboxRow]:
        """Read what is still here of a range."""
        return await self._call(lambda: self._outbox.read(rows, limit=limit))

    async def account(self) -> Account:
        """Count up."""
        return await self._call(self._outbox.account)

    async def close(self) -> None:
        """Close the file after what is under way."""
        await self._call(self._outbox.close)
        self._thread.shutdown(wait=True)

    async def _call(self, work: Callable[[], T]) -> T:
        """Run on the thread; a cancelled caller leaves the work to finish (a commit is never half awaited)."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))

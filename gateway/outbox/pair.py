"""The outbox on the disk, and one in the machine's memory that stands in while the disk refuses.

A card that has gone read-only must not keep a low reading from the centre: after ten seconds of refusals readings are
accepted in memory, said to be not durable, and sent from there. Once in half a minute the disk is asked again; as
soon as it takes something the rest of the stand-in is moved there, in steps between the calls of others.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from uuid import UUID

import structlog

from gateway.clocks.placing import Stamped
from gateway.outbox.disk import remove
from gateway.outbox.outbox import Account, Outbox, OutboxError, OutboxFull, Undecoded
from gateway.outbox.rows import ROW_END, Excerpt, Record, RowRange, stamped

STAND_IN_AFTER_S = 10.0
RETURN_EVERY_S = 30.0
STAND_IN_BYTES_MAX = 32 * 1024 * 1024
_MEMORY = Path("/dev/shm")
_MOVED_ROWS = 1_000

log = structlog.get_logger()


class OutboxPair:
    """Looks like one Outbox; its id changes when it changes over."""

    def __init__(
        self,
        open_outbox: Callable[[Path], Outbox],
        path: Path,
        stand_in: Path | None,
        *,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the one on the disk, else the stand-in (None: there is none). Raises OutboxError."""
        self._open_outbox = open_outbox
        self._path = path
        self._stand_in_path = stand_in
        self._now_s = now_s
        self._disk: Outbox | None = None
        self._stand_in: Outbox | None = None
        self._trouble: str | None = None
        self._refused_s: float | None = None
        self._is_returning = False
        self._moved = 0
        self._asked_s = now_s()
        self._open()
        self._last = self._current.account()

    @property
    def outbox_id(self) -> UUID:
        """The id of the outbox in use."""
        return self._current.outbox_id

    @property
    def set_aside(self) -> Path | None:
        """The broken file that was put aside last, if one was."""
        return self._current.set_aside

    @property
    def is_salvaging(self) -> bool:
        """Whether rows of a broken file, or of the stand-in, wait to be moved over."""
        return self._is_returning or self._current.is_salvaging

    def accept(
        self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded] = (), records: Sequence[Record] = ()
    ) -> RowRange | None:
        """Accept on the disk; where that refuses for long, in memory. Raises OutboxFull until then."""
        self._return_if_possible()
        try:
            numbers = self._current.accept(rows, undecoded, records)
        except OutboxFull as exc:
            if not self._has_refused_long(exc):
                raise
            self._change_over(exc)
            return self._current.accept(rows, undecoded, records)
        if self._stand_in is None:
            self._trouble = self._refused_s = None
        return numbers

    def stored(self, ranges: Sequence[RowRange]) -> int:
        """Forget what ingest has stored."""
        return self._current.stored(ranges)

    def read(self, rows: RowRange, *, limit: int) -> Excerpt:
        """Read what is still here of a range."""
        return self._current.read(rows, limit=limit)

    def salvage(self) -> RowRange | None:
        """Move some more rows over from a broken file, or from the stand-in to the disk."""
        if self._is_returning:
            self._go_on_returning()
            return None
        return self._current.salvage()

    def account(self) -> Account:
        """Add up, of the outbox in use; while it can not be read, say what was last known."""
        try:
            self._last = self._current.account()
        except OutboxError as exc:
            return replace(self._last, trouble=str(exc))
        return replace(self._last, is_durable=self._stand_in is None, trouble=self._trouble)

    def close(self) -> None:
        """Close both."""
        for outbox in (self._disk, self._stand_in):
            if outbox is not None:
                outbox.close()

    @property
    def _current(self) -> Outbox:
        outbox = self._stand_in or self._disk
        assert outbox is not None, "one of the two is open"
        return outbox

    def _open(self) -> None:
        try:
            self._disk = self._open_outbox(self._path)
        except OutboxFull as exc:
            self._change_over(exc)
        else:
            self._take_up()

    def _take_up(self) -> None:
        """Take up the stand-in of a life before this one, if there is one."""
        if self._stand_in_path is None or not os.path.exists(self._stand_in_path):  # raises never
            return
        try:
            self._stand_in = self._open_outbox(self._stand_in_path)
        except OutboxError as exc:
            log.error("what an earlier life left in memory can not be opened now", error=str(exc))
            return
        self._return()

    def _has_refused_long(self, why: OutboxError) -> bool:
        if self._stand_in is not None:
            return False
        self._trouble = str(why)
        if self._refused_s is None:
            self._refused_s = self._now_s()
        return self._stand_in_path is not None and self._now_s() - self._refused_s >= STAND_IN_AFTER_S

    def _change_over(self, why: OutboxError) -> None:
        if self._stand_in_path is None:
            raise why
        self._trouble = str(why)
        try:
            self._stand_in = self._open_outbox(self._stand_in_path)
        except OutboxError as exc:
            raise OutboxFull(f"{why}; and there is no stand-in: {exc}") from exc
        self._asked_s = self._now_s()
        log.error("the disk refuses: readings are in memory only, and lost if the power fails", error=str(why))

    def _return_if_possible(self) -> None:
        if self._is_returning or self._now_s() - self._asked_s < RETURN_EVERY_S:
            return
        self._asked_s = self._now_s()
        if self._stand_in is not None:
            self._return()
        else:
            self._take_up()

    def _return(self) -> None:
        """Ask the disk, and where it takes readings begin to move those of the stand-in there."""
        try:
            self._disk = self._disk or self._open_outbox(self._path)
            self._disk.probe()
        except OutboxError as exc:
            self._trouble = str(exc)
            return
        self._is_returning, self._moved = True, 0
        self._go_on_returning()

    def _go_on_returning(self) -> None:
        """Move some rows to the disk; what comes in meanwhile goes to the stand-in, until that is empty."""
        assert self._stand_in is not None, "open from the beginning of it"
        assert self._disk is not None, "open from the beginning of it"
        try:
            if self._stand_in.is_salvaging:
                self._stand_in.salvage()
            moved = _move(self._stand_in, self._disk)
            self._moved += moved
            if moved == _MOVED_ROWS or self._stand_in.is_salvaging:
                return
        except OutboxError as exc:
            self._trouble, self._is_returning = str(exc), False
            return
        self._stand_in.close()
        with suppress(OSError):  # an empty one may stay
            remove(self._stand_in.path)
        self._stand_in = self._trouble = self._refused_s = None
        self._is_returning = False
        log.warning("the disk takes readings again", moved=self._moved)


def stand_in_path(path: Path, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Name the stand-in of an outbox, in the machine's memory; None where there is no such folder.

    A service's own is the folder that systemd keeps for it in /run (systemd.exec(5), RuntimeDirectory=): it outlives
    the service.
    """
    runtime = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if not runtime and not _MEMORY.is_dir():
        return None
    name = blake2b(bytes(path.absolute()), digest_size=8).hexdigest()
    return (Path(runtime) if runtime else _MEMORY) / f"hearthwatch-{name}" / "outbox.sqlite"


def stand_in_bytes(path: Path) -> int:
    """Bound a stand-in: STAND_IN_BYTES_MAX, and a quarter of its memory, which others need too."""
    memory = os.statvfs(next(folder for folder in path.absolute().parents if folder.exists()))
    return min(STAND_IN_BYTES_MAX, memory.f_blocks * memory.f_frsize // 4)


def _move(source: Outbox, target: Outbox) -> int:
    excerpt = source.read(RowRange(0, ROW_END), limit=_MOVED_ROWS)
    if excerpt.rows:
        target.accept(stamped(excerpt))
        source.stored([RowRange(excerpt.rows[0][0], excerpt.rows[-1][0] + 1)])
    return len(excerpt.rows)

"""The outbox: readings on disk from the moment they are accepted until ingest says that they are stored.

`accept` returns after the commit's fsync, never before. The used pages of the file stay within `bytes_max`: at the
bound rows are thinned in the order of `gateway.outbox.thinning`, counted and recorded. A file that breaks, at the start
or while running, is put aside, a new one begun (with a new id) and what can be read moved over.
Account: accepted = stored + thinned + given up + depth, at every instant, across every crash. See docs/outbox.md.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog

from gateway.clocks.placing import Stamped
from gateway.outbox.account import Account, Undecoded, account_of, notes, read_account
from gateway.outbox.again import adopt
from gateway.outbox.aside import BROKEN, SET_ASIDE_MAX, files_aside, put_aside, set_aside_count
from gateway.outbox.book import Book
from gateway.outbox.disk import (
    FILE_TROUBLE,
    REFUSALS,
    OutboxBusy,
    OutboxError,
    OutboxFull,
    is_damage,
    is_locked,
    locked,
    opened,
)
from gateway.outbox.floor import Floor
from gateway.outbox.looking import Looking
from gateway.outbox.rows import Excerpt, Record, RowRange, unreadable
from gateway.outbox.salvage import Salvage, begin_beside, give_up_oldest, keep_within

__all__ = [
    "SET_ASIDE_MAX",
    "Account",
    "Outbox",
    "OutboxBusy",
    "OutboxError",
    "OutboxFull",
    "Undecoded",
    "read_account",
    "set_aside_count",
]

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()


def _healed(method: "Callable[Concatenate[Outbox, P], T]") -> "Callable[Concatenate[Outbox, P], T]":
    """Do what needs the file; where that shows it to be broken, put it aside and do it once more, with a new one."""

    @wraps(method)
    def once_or_twice(self: "Outbox", /, *args: P.args, **kwargs: P.kwargs) -> T:
        for broke_before in (False, True):
            try:
                return method(self, *args, **kwargs)
            except FILE_TROUBLE as exc:
                if isinstance(exc, sqlite3.ProgrammingError):
                    raise
                if not is_damage(exc):
                    raise OutboxFull(f"{self.path}: {str(exc) or repr(exc)}") from exc
                if broke_before:
                    raise OutboxFull(f"{self.path}: a new file breaks too: {exc}") from exc
                self._put_aside(str(exc))
        raise AssertionError("the second time returns or raises")

    return once_or_twice


class Outbox:
    """One outbox file, owned by one process; not for two threads at a time.

    Whatever needs the file raises OutboxFull where the disk takes or gives nothing now: it may be tried again.
    """

    def __init__(
        self,
        path: Path,
        *,
        bytes_max: int,
        undecoded_max: int,
        floor: Floor | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the file or make one; `floor` says which readings are low (None: no row is evidence).

        Raises OutboxBusy; OutboxFull where the disk takes no file now; OutboxError where the path can never be one.
        """
        self.outbox_id = UUID(int=0)
        self.set_aside: Path | None = None
        self.path = path
        self._bytes_max = bytes_max
        self._undecoded_max = undecoded_max
        self._floor = floor
        self._now_s = now_s
        self._opened: Book | None = None
        self._looking: Looking | None = None
        self._salvage: Salvage | None = None
        self._broken: Path | None = None
        self._lost: str | None = None
        self._end = 0
        try:
            self._lock = locked(path)
        except OSError as exc:
            kind = OutboxFull if exc.errno in REFUSALS else OutboxError
            raise kind(f"{path}: {exc}") from exc
        try:
            self._adopt()
            self.account()
        except BaseException:
            self.close()
            raise

    @property
    def is_salvaging(self) -> bool:
        """Whether rows of a broken file wait to be moved over."""
        return self._opened is not None and self._opened.is_salvaging

    @_healed
    def accept(
        self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded] = (), records: Sequence[Record] = ()
    ) -> RowRange | None:
        """Write readings, notes and what is new of a memory in one transaction; on return they are on the disk.

        Gives the numbers of the accepted readings: those of `rows`, then those of new records.
        """
        now_s = self._now_s()
        with self._transaction() as book:
            before = book.end
            new = book.new_records(records)
            numbers = book.write([*rows, *(row for record in new for row in record.rows)])
            book.keep(undecoded, at_most=self._undecoded_max)
            book.note_pace(now_s)
            book.make_room(self._bytes_max, keep_from=before, now_s=now_s)
        return numbers

    @_healed
    def stored(self, ranges: Sequence[RowRange]) -> int:
        """Forget rows that ingest has stored; say how many there were. Rows not here any more are passed over."""
        with self._transaction() as book:
            return book.forget(ranges)

    @_healed
    def read(self, rows: RowRange, *, limit: int) -> Excerpt:
        """Give the rows of a range that are still here, oldest first; what this version can not read is given up."""
        excerpt = self._book().read(rows, limit=limit)
        while strange := unreadable(excerpt):
            log.error("rows of what this version does not know are given up", rows=len(strange), first=strange[0])
            with self._transaction() as book:
                book.give_up(strange)
            excerpt = self._book().read(rows, limit=limit)
        return excerpt

    @_healed
    def undecoded(self, *, limit: int) -> list[Undecoded]:
        """Give the newest notes."""
        return notes(self._book().db, limit=limit)

    @_healed
    def account(self) -> Account:
        """Add up, from the counters; somebody asks every second, so now and then the file is looked at, too."""
        self._look()
        return account_of(self._book().db, bytes_max=self._bytes_max)

    @_healed
    def salvage(self) -> RowRange | None:
        """Move some more rows over from a broken file, and give the range they fill; see `is_salvaging`."""
        now_s = self._now_s()
        with self._transaction() as book:
            if self._salvage is None:
                self._salvage = Salvage(self.path.parent)
            moved = self._salvage.move(book)
            book.make_room(self._bytes_max, keep_from=book.end, now_s=now_s)
        if not self.is_salvaging:
            keep_within(self.path, self._book().db, bytes_max=self._bytes_max)
        return moved

    @_healed
    def probe(self) -> None:
        """Write something, to see whether the disk takes it."""
        with self._transaction() as book:
            book.count("probes")

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self._close_file()
        os.close(self._lock)

    @_healed
    def _adopt(self) -> None:
        adopt(self.path)

    def _book(self) -> Book:
        """Give the open file, opened first if need be."""
        if self._lost is not None:
            raise OutboxBusy(self._lost)
        if self._opened is None:
            db = opened(self.path, self._begin)
            try:
                give_up_oldest(self.path, db)
                keep_within(self.path, db, bytes_max=self._bytes_max)
                self._opened = Book(db, floor=self._floor, now_s=self._now_s())
            except BaseException:
                db.close()
                raise
            self.outbox_id = self._opened.outbox_id
            self._looking = Looking(self.path, self._now_s)
            self._broken = None
        return self._opened

    def _look(self) -> None:
        """See, when it is time, whether the file could be opened anew. Raises what shows that it could not."""
        db = self._book().db
        assert self._looking is not None, "made with the book"
        if not self._looking.is_due():
            return
        self._keep_lock()
        missing = self._looking.displaced()
        if not missing:
            self._looking.read()
            return
        log.error("the open outbox does not lie in its place, writing it there again", missing=missing)
        self._looking.put_back(db)
        self._close_file()

    def _keep_lock(self) -> None:
        """Lock anew where the lock's file was deleted. Raises OutboxBusy, ever after, where another was quicker."""
        if is_locked(self.path, self._lock):
            return
        log.error("the lock of the outbox does not lie in its place, locking anew", file=str(self.path))
        try:
            anew = locked(self.path)
        except OutboxBusy as exc:
            self._lost = f"{exc}, which came in as the lock's file was deleted: this one stops"
            raise OutboxBusy(self._lost) from exc
        os.close(self._lock)
        self._lock = anew

    def _begin(self, db: sqlite3.Connection) -> None:
        """Begin a new file: with number 1, or far behind all numbers of the broken one it follows.

        That one may be of a life before this, which put it aside and then had no disk to begin the new one on.
        """
        broken = self._broken or next(reversed(files_aside(self.path, BROKEN)), None)
        if broken is not None:
            begin_beside(broken, db, known_end=self._end)

    def _put_aside(self, why: str) -> None:
        """Put the broken file aside. Raises OutboxFull where the disk refuses that, too; OutboxBusy."""
        try:
            self._keep_lock()
        except OSError as exc:
            raise OutboxFull(f"{self.path} is broken ({why}) and its lock can not be seen: {exc}") from exc
        if self._opened is not None:
            self._end = self._opened.end
        self._close_file()
        try:
            self.set_aside = self._broken = put_aside(self.path)
        except OSError as exc:
            raise OutboxFull(f"{self.path} is broken ({why}) and can not be put aside: {exc}") from exc
        log.error("outbox is broken, put aside", file=str(self.set_aside), error=why)

    def _close_file(self) -> None:
        if self._salvage is not None:
            self._salvage.close()
        if self._opened is not None:
            with suppress(sqlite3.Error):
                self._opened.db.close()
        self._salvage = self._opened = None

    @contextmanager
    def _transaction(self) -> Iterator[Book]:
        book = self._book()
        book.db.execute("BEGIN IMMEDIATE")
        try:
            yield book
            book.db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                book.db.execute("ROLLBACK")
            self._read_again(book)
            raise

    def _read_again(self, book: Book) -> None:
        """Know again what the file knows, after a transaction that failed."""
        try:
            self._opened = Book(book.db, floor=self._floor, now_s=self._now_s())
        except FILE_TROUBLE:  # not even that can be read: open it anew
            self._close_file()

"""Takes out of a broken outbox file what can still be read, row by row around the broken pages.

Which rows the centre had stored, the broken file may not know any more: it gets some of them twice, under another
outbox id, and filters them by patient, device and instant, as it does with every repetition.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import structlog

from gateway.outbox import schema as sql
from gateway.outbox.aside import SET_ASIDE_MAX, files_aside, is_stranger, remove_aside
from gateway.outbox.book import BOOT_GAP, Book, Kept
from gateway.outbox.disk import Damaged, is_damage, remove
from gateway.outbox.evidence import Span
from gateway.outbox.rows import RowRange, Source

SALVAGE_ROWS = 1_000
"""Rows moved in one go: what comes in meanwhile waits so long."""

FAR = 2**40
"""Where numbering begins beside a broken file of which not even the last number is known."""

_TROUBLE = (sqlite3.DatabaseError, UnicodeDecodeError)
_ROW_BYTES_MIN = 20
_PAGE_ROWS_MIN = 16

log = structlog.get_logger()


def begin_beside(broken: Path, db: sqlite3.Connection, *, known_end: int) -> None:
    """Begin a new file beside a broken one: its numbers far behind, its evidence taken over, its rows to be moved."""
    end = None
    given_up = 0
    with suppress(Damaged, sqlite3.IntegrityError), closing(BrokenFile(broken)) as old:
        end = old.end()
        if end is not None:
            db.execute(sql.INSERT_SALVAGE, (broken.name, 0, end))
        db.executemany(sql.INSERT_SALVAGE, old.tasks())
        db.executemany(sql.INSERT_BOOT, old.boots())
        given_up = old.given_up()
        for span in old.evidence():
            db.execute(sql.INSERT_EVIDENCE, (span.device, span.first_ms, span.end_ms))
    first = max(known_end, end or 0) + BOOT_GAP if known_end or end else FAR
    db.execute(sql.COUNT, ("end_row", first))
    db.execute(sql.COUNT, ("passed_over", first - 1 - given_up))
    db.execute(sql.COUNT, ("given_up", given_up))


def give_up_oldest(path: Path, db: sqlite3.Connection) -> None:
    """Where more than SET_ASIDE_MAX broken files wait, give up the oldest: count their rows, and remove them."""
    waiting = waiting_files(db)
    for file in [file for file in files_aside(path) if file.name in waiting][:-SET_ASIDE_MAX]:
        next_row, end = waiting[file.name]
        rows = _count(file, next_row, end)
        db.execute("BEGIN IMMEDIATE")
        db.execute(sql.END_SALVAGE, (file.name,))
        db.execute(sql.COUNT, ("given_up", rows))
        db.execute(sql.COUNT, ("passed_over", -rows))
        db.execute("COMMIT")
        log.error("too many broken outboxes wait, the oldest is given up", file=file.name, rows=rows)
        with suppress(OSError):  # it goes with the next
            remove(file)


def keep_within(path: Path, db: sqlite3.Connection, *, bytes_max: int) -> None:
    """Remove the oldest broken files whose rows are moved over."""
    remove_aside(path, bytes_max=bytes_max, waiting=waiting_files(db))


def waiting_files(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Name the broken files whose rows are still to be moved over, and from which number on to which."""
    return {name: (next_row, end) for name, next_row, end in db.execute(sql.SELECT_SALVAGE)}


class Salvage:
    """Moves rows of broken files over, step by step; where it has come to is kept in the new file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BrokenFile | None = None
        self._sources: dict[int, Source] = {}
        self._moved = 0

    def move(self, book: Book) -> RowRange | None:
        """Move some rows within the caller's transaction, and give the range they fill."""
        task = book.db.execute(sql.SELECT_SALVAGE).fetchone()
        if task is None:
            book.is_salvaging = False
            return None
        name, next_row, end = task
        rows, next_row, end = self._rows(name, next_row, end)
        known: list[Kept] = [
            (row[0], book.source_key(self._sources[row[1]]), *row[2:]) for row in rows if row[1] in self._sources
        ]
        if is_stranger(name):
            book.take_in(known)  # behind the last row: they go the way of all new rows
        else:
            book.take_over(known)
        self._moved += len(known)
        book.db.execute(sql.MOVE_SALVAGE, (next_row, name))
        if next_row >= end:
            log.warning("moved over what can be read of a file put aside", file=name, rows=self._moved)
            book.db.execute(sql.END_SALVAGE, (name,))
            self.close()
        return RowRange(known[0][0], known[-1][0] + 1) if known and not is_stranger(name) else None

    def close(self) -> None:
        """Close the broken file."""
        if self._file is not None:
            self._file.close()
        self._file = None
        self._moved = 0

    def _rows(self, name: str, next_row: int, end: int) -> "tuple[list[Kept], int, int]":
        """Give the next rows, the number to go on from, and the end, which a stranger knows itself (0 till then)."""
        if self._file is None:
            try:
                self._file = BrokenFile(self._folder / name)
                self._sources = self._file.sources()
            except Damaged:
                return [], end, end
            except BaseException:
                self.close()
                raise
        end = end or self._file.end() or 0
        return *self._file.rows(next_row, end, limit=SALVAGE_ROWS), end


class BrokenFile:
    """A broken file, opened to be read only.

    What is broken is passed over; what only can not be read now raises sqlite3.DatabaseError, and may be tried again.
    """

    def __init__(self, aside: Path) -> None:
        """Open it. Raises Damaged where there is no reading it at all."""
        if not os.access(aside, os.R_OK):
            raise Damaged(f"{aside} is gone")
        self._db = sqlite3.connect(
            f"{aside.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            self._pages = int(self._read("PRAGMA page_count")[0][0])
            version = self._read("PRAGMA user_version")[0][0]
            if version != sql.FORMAT:
                raise Damaged(f"format {version}, not {sql.FORMAT}")
        except BaseException:
            self._db.close()
            raise

    def end(self) -> int | None:
        """Give a number behind the last row: from the rows, the counters or the size; None: nothing is there."""
        for query in (sql.SELECT_LAST, "SELECT value - 1 FROM counter WHERE name = 'end_row'"):
            found = self._one(query)
            if found is not None:
                return found + 1
        first = self._one(sql.SELECT_FIRST)
        return None if first is None else first + self._pages * sql.PAGE_BYTES // _ROW_BYTES_MIN

    def given_up(self) -> int:
        """Give how many rows of files before it were given up; none where that can not be read."""
        return self._one("SELECT value FROM counter WHERE name = 'given_up'") or 0

    def sources(self) -> dict[int, Source]:
        """Give the sources, from their table or from its index, which says the same on other pages."""
        for query in (sql.SELECT_SOURCES, sql.SELECT_SOURCES_AGAIN):
            try:
                found = self._read(query)
            except Damaged:
                continue
            return {
                key: Source(device=device, acquisition=acquisition, boot_id=boot_id, synchronised=bool(synchronised))
                for key, device, acquisition, boot_id, synchronised in found
                if isinstance(device, str) and _are_numbers((key, acquisition, boot_id, synchronised))
            }
        return {}

    def boots(self) -> list[tuple[int, int]]:
        """Give where each boot's rows begin; none where that can not be read."""
        try:
            return [row for row in self._read(sql.SELECT_BOOTS) if _are_numbers(row)]
        except Damaged:
            return []

    def evidence(self) -> list[Span]:
        """Give the spans of evidence; none where they can not be read."""
        return [Span(*columns) for columns in self._all(sql.SELECT_EVIDENCE)]

    def tasks(self) -> list[tuple[str, int, int]]:
        """Give what this file itself had still to take over from one before it."""
        return self._all(sql.SELECT_SALVAGE)

    def rows(self, first: int, end: int, *, limit: int) -> tuple[list[Kept], int]:
        """Give readable rows from a number on, and the number to go on from; `end` when nothing is left.

        Where a page is broken, ranges are halved down to single rows.
        """
        try:
            rows = self._sound(first, end, limit)
        except Damaged:
            window_end = min(first + limit, end)
            return self._pieces(first, window_end), window_end
        return rows, rows[-1][0] + 1 if len(rows) == limit else end

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def _pieces(self, first: int, end: int) -> list[Kept]:
        try:
            return self._sound(first, end, end - first)
        except Damaged:
            is_one_page = end - first <= _PAGE_ROWS_MIN
            if end - first == 1 or (is_one_page and not self._can_read(first) and not self._can_read(end - 1)):
                return []
        middle = (first + end) // 2
        return self._pieces(first, middle) + self._pieces(middle, end)

    def _can_read(self, number: int) -> bool:
        try:
            self._sound(number, number + 1, 1)
        except Damaged:
            return False
        return True

    def _sound(self, first: int, end: int, limit: int) -> list[Kept]:
        return [row for row in self._read(sql.SELECT_SOUND, (first, end, limit)) if _are_numbers(row)]

    def _all(self, query: str) -> list[Any]:
        """Read one of the tables of a name and two numbers."""
        try:
            return [row for row in self._read(query) if isinstance(row[0], str) and _are_numbers(row[1:])]
        except Damaged:
            return []

    def _one(self, query: str) -> int | None:
        try:
            rows = self._read(query)
        except Damaged:
            return None
        return rows[0][0] if rows and isinstance(rows[0][0], int) else None

    def _read(self, query: str, columns: tuple[int, ...] = ()) -> list[Any]:
        """Raises Damaged where it is the file that is broken, else what SQLite raises."""
        try:
            return self._db.execute(query, columns).fetchall()
        except _TROUBLE as exc:
            if is_damage(exc):
                raise Damaged(str(exc)) from exc
            raise


def _count(broken: Path, first: int, end: int) -> int:
    """Count the rows that can still be read; none of a file that is gone."""
    count = 0
    with suppress(Damaged), closing(BrokenFile(broken)) as old:
        end = end or old.end() or 0
        while first < end:
            rows, first = old.rows(first, end, limit=SALVAGE_ROWS)
            count += len(rows)
    return count


def _are_numbers(columns: Sequence[object]) -> bool:
    return all(column is None or isinstance(column, int) for column in columns)

"""Looks at an open outbox as whoever opens it next will find it: in its place, and readable.

The connection that writes would not notice: it goes on in a file that was deleted, and knows what it wrote from memory.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gateway.outbox import schema as sql
from gateway.outbox.again import write_again
from gateway.outbox.disk import CHECK_BYTES_MAX, Damaged, beside, check_pages

LOOK_EVERY_S = 60.0
_SHARE = 100
"""Looking takes at most this part of the time: after a slow look the next is put off."""
_SUFFIXES = ("", "-wal", "-shm")

_Identity = tuple[int, int]


class Looking:
    """One open file's; to be made when SQLite has opened it."""

    def __init__(self, path: Path, now_s: Callable[[], float]) -> None:
        """Remember which files are open now. Raises OSError."""
        self._path = path
        self._now_s = now_s
        self._open: dict[str, _Identity | None] = {suffix: _identity(beside(path, suffix)) for suffix in _SUFFIXES}
        self._due_s = now_s() + LOOK_EVERY_S

    def is_due(self) -> bool:
        """Say whether it is time to look; the next time is a while later."""
        began_s = self._now_s()
        if began_s < self._due_s:
            return False
        self._due_s = began_s + LOOK_EVERY_S
        return True

    def displaced(self) -> list[str]:
        """Name those of the open files that do not lie in their place any more. Raises OSError."""
        files = (beside(self._path, suffix) for suffix, known in self._open.items() if known is not None)
        return [file.name for file in files if _identity(file) != self._open[file.name.removeprefix(self._path.name)]]

    def read(self) -> None:
        """Read it all through a connection of its own, which remembers nothing. Raises sqlite3.Error, as Damaged."""
        began_s = self._now_s()
        with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.execute(sql.SELECT_COUNTERS).fetchall()
            if self._path.stat().st_size <= CHECK_BYTES_MAX:
                check_pages(db)
                unsound = db.execute(sql.SELECT_UNSOUND).fetchone()
                if unsound is not None:
                    raise Damaged(f"row {unsound[0]} is not what was accepted")
        took_s = self._now_s() - began_s
        self._due_s = max(self._due_s, began_s + _SHARE * took_s)

    def put_back(self, db: sqlite3.Connection) -> None:
        """Write what is open to its place once more; a stranger there is put aside. Close `db` then, and open anew.

        Raises sqlite3.Error, OSError; then what is open stays so.
        """
        own = [
            suffix for suffix, known in self._open.items() if known and _identity(beside(self._path, suffix)) == known
        ]
        is_stranger_there = "" not in own and self._path.exists()
        write_again(self._path, db, is_stranger_there=is_stranger_there, own=own)


def _identity(file: Path) -> _Identity | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino

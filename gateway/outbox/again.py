"""Writes an open outbox to its place once more, where its file was deleted or replaced: whole, or not at all.

The copy is called `.again` until it is complete and synced, then `.whole`, and only then anything else is touched:
where the process dies in between the next one takes the copy for its outbox.
"""

import os
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from pathlib import Path

import structlog

from gateway.outbox import schema as sql
from gateway.outbox.account import end_of
from gateway.outbox.aside import STRANGER, next_aside, rename_whole
from gateway.outbox.disk import beside, remove

log = structlog.get_logger()


def write_again(path: Path, db: sqlite3.Connection, *, is_stranger_there: bool, own: Collection[str] = ()) -> None:
    """Write what is open to its place; a stranger there is put aside, its rows to be moved over.

    `own`: what lies beside it and is of the open file yet (its log would make another of the stranger).
    Close `db` then, and open anew. Raises sqlite3.Error, OSError; then what is open stays so.
    """
    again = beside(path, ".again")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove(again)
    try:
        with closing(sqlite3.connect(again)) as copy:
            db.backup(copy)
        _sync(again)
        again.rename(beside(path, ".whole"))
    except BaseException:
        with suppress(OSError):  # else at the next time
            remove(again)
        raise
    _sync(path.parent)
    _place(path, is_stranger_there=is_stranger_there, own=own)


def adopt(path: Path) -> None:
    """Take what an earlier life wrote again and did not come to put in its place. Raises sqlite3.Error, OSError."""
    remove(beside(path, ".again"))
    whole = beside(path, ".whole")
    if not whole.exists():
        return
    said, said_there = _said(whole, "mode=ro&immutable=1"), _said(path, "mode=ro") if path.exists() else None
    if said is None and path.exists():
        log.error("what an earlier life wrote again can not be read", file=str(whole))
    elif said and said_there and said[0] == said_there[0] and said[1] < said_there[1]:
        remove(whole)  # that life went on in the file, which lies in its place after all
    else:
        log.error("the outbox was written again and not put in its place, doing it now", file=str(whole))
        is_ours = said is None or said_there is None or said[0] == said_there[0]
        _place(path, is_stranger_there=path.exists() and not (is_ours and said_there))


def _place(path: Path, *, is_stranger_there: bool, own: Collection[str] = ()) -> None:
    whole = beside(path, ".whole")
    if is_stranger_there:
        for suffix in own:
            beside(path, suffix).unlink(missing_ok=True)
        aside = next_aside(path, STRANGER)
        _await(whole, aside.name)
        rename_whole(path, aside)
    for suffix in ("-wal", "-shm"):
        beside(path, suffix).unlink(missing_ok=True)
        beside(whole, suffix).unlink(missing_ok=True)
    whole.rename(path)
    _sync(path.parent)


def _await(whole: Path, stranger: str) -> None:
    """Note in the copy that a stranger's rows are to be moved over, up to a last one that it knows itself."""
    with closing(sqlite3.connect(whole, isolation_level=None)) as db:
        if stranger not in {name for name, _, _ in db.execute(sql.SELECT_SALVAGE)}:
            db.execute(sql.INSERT_SALVAGE, (stranger, 0, 0))


def _said(file: Path, mode: str) -> tuple[str, int] | None:
    """Give a file's id, and the number its next row would get; None where it is no sound outbox."""
    with (
        suppress(sqlite3.DatabaseError),
        closing(sqlite3.connect(f"{file.absolute().as_uri()}?{mode}", uri=True)) as db,
    ):
        counters: dict[str, int] = dict(db.execute(sql.SELECT_COUNTERS).fetchall())
        return db.execute("SELECT id FROM outbox").fetchone()[0], end_of(db, counters)
    return None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

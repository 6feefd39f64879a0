"""Makes room in a full outbox: thins row after row in the order of `thinning.py`, within the caller's transaction.

Rows that go lie scattered, and SQLite uses a page again only when it is empty: so a chunk of rows is read, deleted and
what stays of it is written back, close together. Where each stage has come to is kept in the file, so that no row is
looked at twice for one stage.
"""

import sqlite3
from dataclasses import dataclass

from gateway.outbox import schema as sql
from gateway.outbox.thinning import STAGES, Kind, Stage, Thinned, with_thinned

CHUNK_ROWS = 2_000
LOOKED_AT_MAX = 100_000
"""Rows looked at in one go; where that is not enough the file stays over its bound until the next go."""


_ORDINARY = tuple(stage for stage in STAGES if stage.spares_evidence)
"""Taken in whole chunks first: a few rows out of a page free nothing, and evidence would go in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spared:
    """Rows from these numbers on are spared: the newest ten minutes; the batch just accepted."""

    newest_from: int
    batch_from: int


def make_room(db: sqlite3.Connection, *, bytes_max: int, spared: Spared) -> int:
    """Thin until the used pages fit (or all that may go is gone); say how many rows went."""
    if used_bytes(db) <= bytes_max:
        return 0
    next_row = dict(db.execute(sql.SELECT_THINNING).fetchall())
    gone = looked_at = 0
    for stage, least_rows in (*((stage, CHUNK_ROWS) for stage in _ORDINARY), *((stage, 1) for stage in STAGES)):
        end = min(spared.newest_from, spared.batch_from) if stage.spares_newest else spared.batch_from
        while looked_at < LOOKED_AT_MAX:
            next_of_stage = next_row.get(stage.kind.value, 0)
            first, last, count = db.execute(sql.SELECT_CHUNK, (next_of_stage, end, CHUNK_ROWS)).fetchone()
            if count < least_rows:
                break
            gone += _thin(db, stage, first, last + 1)
            looked_at += count
            next_row[stage.kind.value] = last + 1
            db.execute(sql.SET_THINNING, (stage.kind.value, last + 1))
            if used_bytes(db) <= bytes_max:
                return gone
    return gone


def used_bytes(db: sqlite3.Connection) -> int:
    """Give the size of the pages in use, free ones left out."""
    pages, free, page_bytes = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def thinned_counter(kind: Kind) -> str:
    """Name the counter of a kind of thinned rows."""
    return f"thinned_{kind}"


def note_thinned(db: sqlite3.Connection, kind: Kind, gone: Thinned) -> None:
    """Count rows that went, and record where."""
    db.execute(sql.COUNT, (thinned_counter(kind), gone.rows))
    known = [Thinned(*columns) for columns in db.execute(sql.SELECT_THINNED)]
    db.execute(sql.DELETE_THINNED)
    db.executemany(sql.INSERT_THINNED, [(r.first, r.end, r.rows) for r in with_thinned(known, gone)])


def _thin(db: sqlite3.Connection, stage: Stage, first: int, end: int) -> int:
    count = int(db.execute(sql.COUNT_GOING[stage.kind], (first, end)).fetchone()[0])
    if not count:
        return 0
    staying = db.execute(sql.SELECT_STAYING[stage.kind], (first, end)).fetchall()
    db.execute(sql.DELETE_READINGS, (first, end))
    db.executemany(sql.INSERT_READING, staying)
    note_thinned(db, stage.kind, Thinned(first, end, count))
    return count

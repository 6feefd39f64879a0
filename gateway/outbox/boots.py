"""What the outbox still holds of earlier boots, read once at the start: it dates what those boots left unsent."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from gateway.clocks.boots import Boot, Boots
from gateway.outbox import schema as sql
from gateway.outbox.outbox import OutboxError
from gateway.outbox.rows import ROW_END
from vitals.reading import Acquisition


def read_boots(path: Path, *, present: int) -> Boots:
    """Read the boots before the present one, oldest first. Raises OutboxError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return Boots(boot for boot in _boots(db) if boot.boot_id != present)
    except sqlite3.DatabaseError as exc:
        raise OutboxError(f"{path}: {exc}") from exc


def _boots(db: sqlite3.Connection) -> Iterator[Boot]:
    """Give each boot that left rows; row numbers follow time, so its last rows are found without reading all."""
    beginnings = [*db.execute(sql.SELECT_BOOTS).fetchall(), (ROW_END, None)]
    for (first, boot_id), (end, _) in pairwise(beginnings):
        last = db.execute(sql.SELECT_LAST_MONO, (first, end)).fetchone()
        if last is None:
            continue
        # A memory's record carries its device's time, not the clock's.
        dated = db.execute(sql.SELECT_LAST_DATED, (first, end, int(Acquisition.STORED))).fetchone()
        yield Boot(boot_id=boot_id, last_mono_ms=last[0], dated=dated)

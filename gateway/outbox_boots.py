"""What the outbox still holds of earlier boots, read once at the start: it dates what those boots left unsent."""

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.boots import Boot, Boots
from gateway.outbox import OutboxError
from vitals.reading import Acquisition

# Row numbers follow time, so boots come in their order. A memory's record carries its device's time, not the clock's.
_SELECT_BOOTS = f"""
SELECT boot_id, max(mono_ms), max(CASE WHEN synchronised AND acquisition <> {int(Acquisition.STORED)} THEN row_no END)
FROM reading GROUP BY boot_id ORDER BY min(row_no)
"""  # noqa: S608 (a number of ours)
_SELECT_DATED = "SELECT mono_ms, wall_ms FROM reading WHERE row_no = ?"


def read_boots(path: Path, *, present: int) -> Boots:
    """Read the boots before the present one, oldest first. Raises OutboxError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return Boots(
                Boot(
                    boot_id=boot_id,
                    last_mono_ms=last_mono_ms,
                    dated=db.execute(_SELECT_DATED, (dated_row,)).fetchone() if dated_row is not None else None,
                )
                for boot_id, last_mono_ms, dated_row in db.execute(_SELECT_BOOTS).fetchall()
                if boot_id != present
            )
    except sqlite3.DatabaseError as exc:
        raise OutboxError(f"{path}: {exc}") from exc

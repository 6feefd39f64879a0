"""Readings to put into an outbox, and what lies in one."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.clocks.placing import Stamped
from gateway.outbox.outbox import Outbox
from gateway.outbox.rows import ROW_END, Row, RowRange
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition, Reading
from vitals.signals import Signal

ALL = RowRange(0, ROW_END)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH_MS = round(EPOCH.timestamp() * 1000)
BIG = 64 * 1024 * 1024
DEVICE = "C0:00:00:00:00:01"


def opened(path: Path, *, bytes_max: int = BIG, undecoded_max: int = 10, **options: Any) -> Outbox:
    return Outbox(path, bytes_max=bytes_max, undecoded_max=undecoded_max, **options)


def stamped(at_ms: int, value: int | None = 9700, **changes: Any) -> Stamped:
    """A good SpO2 of a stream, so many ms after the epoch, of boot 7; `mono_ms`, `boot_id`, `synchronised` too."""
    machine = {"mono_ms": at_ms, "boot_id": 7, "synchronised": True}
    machine |= {name: changes.pop(name) for name in list(changes) if name in machine}
    reading: dict[str, Any] = {
        "device": DEVICE,
        "signal": Signal.SPO2,
        "measured_at": EPOCH + timedelta(milliseconds=at_ms),
        "value": value,
        **changes,
    }
    return Stamped(reading=Reading(**reading), **machine)


def readings(count: int, *, value: int | None = 9700, first: int = 0) -> list[Stamped]:
    """Spot readings a millisecond apart, each doubtful, so that every column holds something."""
    return [
        stamped(
            number,
            value,
            quality=Quality.QUESTIONABLE,
            reason=Reason.POOR_SIGNAL,
            acquisition=Acquisition.SPOT,
            boot_id=0xFFFFFFFF,
        )
        for number in range(first, first + count)
    ]


def rows(outbox: Outbox) -> list[Row]:
    return list(outbox.read(ALL, limit=10_000_000).rows)


def numbers(outbox: Outbox) -> list[int]:
    return [row[0] for row in rows(outbox)]


def counted(path: Path) -> int:
    """Count the rows in the file itself, whatever its counters say."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM reading").fetchone()[0])

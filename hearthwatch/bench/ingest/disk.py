"""What samples cost on the disk: as they were written, and with the indexes packed as time-driven work does."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg

from ingest.tend.packing import Packing
from ingest.tend.tending import Connection, connect

KEPT = timedelta(days=90)
_SIZE = b"""
SELECT (SELECT count(*) FROM sample WHERE measured_at >= %(begin)s AND measured_at < %(end)s),
       (SELECT sum(pg_total_relation_size(piece)) FROM pieces_of('sample')
         WHERE ends_at > %(begin)s AND begins_at < %(end)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Days that hold nothing but samples of so many signals."""

    begin: datetime
    end: datetime
    signals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """Samples of so many signals with their index, in bytes; a reading is one signal of a sample."""

    samples: int
    bytes_per_sample_as_written: float
    bytes_per_sample: float
    bytes_per_reading_as_written: float
    bytes_per_reading: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """How many days' indexes were packed, and how long that took."""

    indexes: int
    seconds: float


def disk_of(dsn: str, stretches: Sequence[Days]) -> tuple[list[Disk], Packed]:
    """Measure each stretch of days, pack all of them as if they had long been closed, and measure again."""
    with connect(dsn) as connection:
        written = [_size(connection, days) for days in stretches]
        packed = _pack(connection)
        left = [_size(connection, days) for days in stretches]
    disks = [
        Disk(
            samples=samples,
            bytes_per_sample_as_written=round(before / samples, 1),
            bytes_per_sample=round(after / samples, 1),
            bytes_per_reading_as_written=round(before / samples / days.signals, 1),
            bytes_per_reading=round(after / samples / days.signals, 1),
        )
        for days, (samples, before), (_, after) in zip(stretches, written, left, strict=True)
    ]
    return disks, packed


def log_bytes_per_reading(dsn: str) -> float:
    """Say what a reading costs in the intake log, which keeps it for days only."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT pg_total_relation_size('intake_log') / (sum(octet_length(payload)) / 24.0) FROM intake_log"
            " WHERE kind = 'readings'"
        ).fetchone()
    assert row is not None
    return round(float(row[0]), 1)


def _pack(connection: Connection) -> Packed:
    packing = Packing(kept=KEPT)
    began, turns = time.monotonic(), 0
    while packing(connection, datetime.now(UTC) + timedelta(days=3)).done:
        turns += 1
    return Packed(indexes=turns, seconds=round(time.monotonic() - began, 1))


def _size(connection: Connection, days: Days) -> tuple[int, int]:
    row = connection.execute(_SIZE, {"begin": days.begin, "end": days.end}).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])

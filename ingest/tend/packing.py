"""Rebuilds the index of closed days of `sample` while readers and writers go on (REINDEX CONCURRENTLY).

Whether a day needs it is measured (ingest/tend/looseness.py): nothing need be remembered of a rebuild that was cut off;
what it left behind is dropped at the next turn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from care.sql import load_queries
from ingest.tend.looseness import Piece, closed, loose, uncounted
from ingest.turn import Turn

OPEN_S_MAX = 60
"""A rebuild ends by waiting for each transaction that began before it; it is not begun while one is older than this."""
NO_ROOM_PAUSE = timedelta(hours=6)
"""So long nothing is tried after the disk was full: the next attempt would fill it again, for everybody."""

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")


class NoRoom(Exception):
    """A rebuild found the disk full, or was denied so much of it; what it had written is dropped."""


class Packing:
    """The job: one rebuild a turn, of the day that frees most. Days older than `kept` are about to be dropped."""

    def __init__(self, *, kept: timedelta, open_s_max: float = OPEN_S_MAX) -> None:
        self._kept = kept
        self._open_s_max = open_s_max
        self._in_vain: dict[str, int] = {}
        self._no_room: tuple[datetime, str] | None = None

    def __call__(self, connection: Connection, now: datetime) -> Turn:
        """Take away what a rebuild left behind that was cut off, then rebuild. Raises NoRoom, psycopg.Error."""
        with _patiently(connection):
            swept = _sweep(connection)
            found = loose(_counted(connection, now, self._kept), self._in_vain)
            if not found:
                return Turn(detail=f"no index of a closed day is loose{swept}")
            if self._no_room and now < self._no_room[0]:
                raise NoRoom(self._no_room[1])
            older = connection.execute(_QUERIES["open_for_long"], {"open_s_max": self._open_s_max}).fetchone()
            if older is not None:
                return Turn(detail=f"waits for {older[0]}, in a transaction since {older[1]:%F %T}{swept}")
            return self._pack(connection, found, now, swept)

    def _pack(self, connection: Connection, found: list[Piece], now: datetime, swept: str) -> Turn:
        piece = found[0]
        try:
            connection.execute(_QUERIES["rebuild_index"].replace(b"{index}", piece.index.encode()))
        except (psycopg.errors.DiskFull, psycopg.errors.ConfigurationLimitExceeded) as exc:
            until = now + NO_ROOM_PAUSE
            said = f"{str(exc).strip().partition(chr(10))[0]} (rebuilding {piece.index}; not again before {_at(until)})"
            self._no_room = (until, said)
            _sweep(connection)
            raise NoRoom(said) from exc
        self._no_room = None
        after = next((each for each in _pieces(connection) if each.index == piece.index), None)
        if after is not None and after.is_loose:
            self._in_vain[piece.index] = after.index_bytes
        detail = (
            f"packed the day before {_at(piece.ends_at)}{_gained(piece, after)}; {len(found) - 1} more are loose{swept}"
        )
        return Turn(detail=detail, done=1)


def _counted(connection: Connection, now: datetime, kept: timedelta) -> list[Piece]:
    pieces = closed(_pieces(connection), now, kept=kept)
    unknown = uncounted(pieces)
    for piece in unknown:
        connection.execute(_QUERIES["count_piece"].replace(b"{piece}", piece.name.encode()))
    return closed(_pieces(connection), now, kept=kept) if unknown else pieces


def _pieces(connection: Connection) -> list[Piece]:
    with connection.cursor(row_factory=class_row(Piece)) as rows:
        return rows.execute(_QUERIES["indexed_pieces"]).fetchall()


def _sweep(connection: Connection) -> str:
    """Drop what rebuilds left behind that were cut off; say it."""
    left = [name for (name,) in connection.execute(_QUERIES["left_behind"])]
    for name in left:
        connection.execute(_QUERIES["drop_index"].replace(b"{index}", name.encode()))
    return f"; dropped what a rebuild that was cut off had left: {', '.join(left)}" if left else ""


@contextmanager
def _patiently(connection: Connection) -> Iterator[None]:
    """Let statements take long, and one core only. Nobody who reads or writes ever stands behind these locks."""
    connection.execute(_QUERIES["patient_limits"])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(_QUERIES["usual_limits"])


def _gained(before: Piece, after: Piece | None) -> str:
    if after is None:  # dropped meanwhile, or somebody is at work there
        return ""
    freed = before.index_bytes - after.index_bytes
    return f": {before.bytes_per_row:.1f} to {after.bytes_per_row:.1f} bytes a row, {freed / 1e6:.0f} MB freed"


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%F %H:%M}"

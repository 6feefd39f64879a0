"""What is let go of after its time: raw samples (their evidence is kept), roll-ups, rejected readings, the intake log.

Each turn is one transaction of bounded size, and goes by the data where `now` is far ahead of them
(ingest/tend/horizon.py). Nothing is dropped that somebody still has to read, and what alerting recorded is never
touched here.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from care.sql import load_queries
from ingest.tend.horizon import within_the_data
from ingest.turn import Turn

LATE_DAY = timedelta(days=1)
"""Ingest refuses what is older than the retention when it came; it may have waited so long before it was stored."""
ROWS_MAX = 5_000

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")


@within_the_data
def drop_samples(connection: Connection, now: datetime, *, kept: timedelta, margin: timedelta) -> Turn:
    """Drop the oldest day of raw samples that is past its time; what belongs to an episode is copied first.

    Waits while a reader of the intake log has something unread that came so long ago that it may belong to that day.
    That is asked behind the lock: what was being written into the day when it was looked for is then in the log.
    """
    with connection.transaction():
        connection.execute(_QUERIES["be_brief"])
        piece = _oldest(connection, "sample", now - kept - LATE_DAY)
        if piece is None:
            return Turn(detail=f"no day is older than {kept.days} days")
        name, begins_at, ends_at, pieces = piece
        connection.execute(_QUERIES["lock_piece"].replace(b"{piece}", name.encode()))
        unread = connection.execute(_QUERIES["oldest_unread"]).fetchone()
        if unread is not None and unread[1] < now - LATE_DAY:
            return Turn(detail=f"waits for {unread[0]}, which has not read what came at {_at(unread[1])}")
        values = {"margin": margin, "begins_at": begins_at, "ends_at": ends_at}
        copied = connection.execute(_QUERIES["keep_evidence"], values).rowcount
        _drop(connection, "sample", name, ends_at)
    detail = f"dropped {_at(begins_at)} to {_at(ends_at)}, kept {copied} samples as evidence"
    return Turn(detail=detail, done=1, left=pieces - 1, more=pieces > 1)


@within_the_data
def drop_rollups(connection: Connection, now: datetime, *, whole: str, kept: timedelta) -> Turn:
    """Drop the oldest piece of a table of roll-ups that is past its time."""
    with connection.transaction():
        connection.execute(_QUERIES["be_brief"])
        piece = _oldest(connection, whole, now - kept)
        if piece is None:
            return Turn(detail=f"nothing is older than {kept.days} days")
        name, begins_at, ends_at, pieces = piece
        _drop(connection, whole, name, ends_at)
    detail = f"dropped {_at(begins_at)} to {_at(ends_at)}"
    return Turn(detail=detail, done=1, left=pieces - 1, more=pieces > 1)


@within_the_data
def forget_rejected(connection: Connection, now: datetime, *, kept: timedelta) -> Turn:
    """Delete what was put aside longer ago, and has not come again since."""
    values = {"before": now - kept, "most": ROWS_MAX}
    deleted = connection.execute(_QUERIES["forget_rejected"], values).rowcount
    return Turn(detail=f"deleted {deleted} older than {kept.days} days", done=deleted, more=deleted == ROWS_MAX)


@within_the_data
def trim_log(connection: Connection, now: datetime, *, kept: timedelta) -> Turn:
    """Delete batches of the intake log that are past their time and that every reader has read."""
    values = {"before": now - kept, "most_each": ROWS_MAX}
    deleted = connection.execute(_QUERIES["trim_log"], values).rowcount
    unread = connection.execute(_QUERIES["oldest_unread"]).fetchone()
    waits = ""
    if unread is not None and unread[1] < now - kept:
        waits = f"; {unread[0]} still needs what came at {_at(unread[1])}"
    return Turn(detail=f"deleted {deleted} batches{waits}", done=deleted, more=deleted >= ROWS_MAX)


def _oldest(connection: Connection, whole: str, before: datetime) -> tuple[str, datetime, datetime, int] | None:
    return connection.execute(_QUERIES["oldest_piece"], {"whole": whole, "before": before}).fetchone()


def _drop(connection: Connection, whole: str, piece: str, ends_at: datetime) -> None:
    connection.execute(_QUERIES["drop_piece"], {"whole": whole, "piece": piece})
    connection.execute(_QUERIES["note_dropped"], {"whole": whole, "ends_at": ends_at})


def _at(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%F %H:%M}"

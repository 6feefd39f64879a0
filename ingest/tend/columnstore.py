"""Compression of old days, where TimescaleDB's Community edition is found; elsewhere one word says why there is none.

A chunk is compressed only when the longest time a gateway may be away has passed: what comes late then finds rows, and
each late row in a compressed chunk would cost a hundred times as much. Continuous aggregates are not used: they allow
no window function, so they can not say how long a value held; the roll-ups serve every edition.
"""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from care.sql import load_queries
from ingest.turn import Turn

COMMUNITY = "timescale"
ORDER_BY = {"sample": "measured_at", "minute_rollup": "begins_at"}
"""The tables that are compressed, and by what their rows are ordered within a patient."""

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")


def compress(connection: Connection, now: datetime, *, offline: timedelta) -> Turn:
    """Compress the oldest chunk into which nothing late is expected any more."""
    licence = licence_of(connection)
    if licence != COMMUNITY:
        return Turn(detail=f"nothing to do: {_why_not(licence)}")
    for whole, order_by in ORDER_BY.items():
        _switch_on(connection, whole, order_by)
        values = {"whole": whole, "before": now - offline}
        found = connection.execute(_QUERIES["oldest_uncompressed"], values).fetchone()
        if found is not None:
            piece, begins_at, left = found
            connection.execute(_QUERIES["compress"], {"piece": piece})
            return Turn(detail=f"compressed {whole} from {begins_at:%F} on", done=1, left=left - 1, more=True)
    return Turn(detail=f"everything older than {offline.days} days is compressed")


def licence_of(connection: Connection) -> str | None:
    """Read the edition's licence; None: no TimescaleDB."""
    row = connection.execute(_QUERIES["licence"]).fetchone()
    return row[0] if row else None


def _switch_on(connection: Connection, whole: str, order_by: str) -> None:
    row = connection.execute(_QUERIES["is_columnstore"], {"whole": whole}).fetchone()
    if row is not None and not row[0]:
        statement = _QUERIES["columnstore_on"].replace(b"{whole}", whole.encode())
        connection.execute(statement.replace(b"{order_by}", order_by.encode()))


def _why_not(licence: str | None) -> str:
    if licence is None:
        return "plain PostgreSQL has no columnstore"
    return f"TimescaleDB's {licence} edition has no columnstore (the Community edition has)"

"""Adds up what is missing of all outboxes, notes since when, and tells the metrics (docs/missing.md)."""

from datetime import datetime
from typing import Any

import psycopg

from care.sql import load_queries
from ingest.tend.metrics import TendingMetrics
from ingest.turn import Turn

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")


def add_up(connection: Connection, now: datetime, *, metrics: TendingMetrics) -> Turn:
    """Read how the outboxes stand; one statement."""
    missing = dict(connection.execute(_QUERIES["notice_missing"], {"now": now}).fetchall())
    for kind in ("thinned", "on_the_way", "lost", "unexplained"):
        metrics.missing.labels(kind).set(missing.get(kind, 0))
    return Turn(detail=", ".join(f"{kind} {count}" for kind, count in sorted(missing.items())) or "no outbox yet")

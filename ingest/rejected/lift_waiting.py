"""Lifts readings that waited for the registry as soon as it has changed: a device, a binding or a gateway was added."""

from datetime import datetime, timedelta
from typing import Any

import psycopg

from care.sql import load_queries
from ingest.judging.rejection import Rejection
from ingest.rejected.lifting import Lifter
from ingest.turn import Turn

READINGS_MAX = 50_000
ROWS_MAX = 500
LOOK_AGAIN = timedelta(minutes=5)
"""A batch that was judged by the former registry may be committed after the look that its change caused."""

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest")
_REJECTED = load_queries("ingest", "rejected.sql")


class LiftWaiting:
    """The job: looks when the registry's version has moved, and now and then; a turn is bounded."""

    def __init__(self, *, retention_days: int) -> None:
        self._lifter = Lifter(by="tend", retention_days=retention_days)
        self._looked: tuple[int, datetime] | None = None

    def __call__(self, connection: Connection, now: datetime) -> Turn:
        """Lift what may be lifted, at most so much."""
        row = connection.execute(_QUERIES["registry_version"]).fetchone()
        version = row[0] if row else 0
        if self._looked is not None and self._looked[0] == version and now < self._looked[1] + LOOK_AGAIN:
            return Turn(detail="the registry has not changed")
        found = connection.execute(_REJECTED["liftable"], {"version": version, "limit": ROWS_MAX}).fetchall()
        ids = bounded([(rejected_id, Rejection(reason), readings) for rejected_id, reason, readings in found])
        verdicts = self._lifter.lift(connection, ids, int(now.timestamp() * 1000))
        more = len(ids) < len(found) or len(found) == ROWS_MAX
        if not more:
            self._looked = (version, now)
        stored, repeated = sum(each.stored for each in verdicts), sum(each.repeated for each in verdicts)
        still = sum(each.refused.total() for each in verdicts)
        detail = f"lifted {stored} readings, {repeated} were there already, {still} are still refused"
        return Turn(
            detail=detail, done=stored + repeated, left=self._left(connection, version) if more else 0, more=more
        )

    def _left(self, connection: Connection, version: int) -> int:
        row = connection.execute(_REJECTED["liftable_left"], {"version": version}).fetchone()
        return row[0] if row else 0


def bounded(found: list[tuple[int, Rejection, int]], readings_max: int = READINGS_MAX) -> list[tuple[int, Rejection]]:
    """Take so many rows that their readings stay within the bound, but one at least."""
    taken: list[tuple[int, Rejection]] = []
    readings = 0
    for rejected_id, reason, count in found:
        readings += count
        if taken and readings > readings_max:
            break
        taken.append((rejected_id, reason))
    return taken

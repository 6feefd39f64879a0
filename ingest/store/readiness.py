"""Whether readings could be stored now: the database is there, may be written, and has our tables."""

import threading
import time

import psycopg

from care.sql import load_queries
from ingest.store.database import Database, Manner
from ingest.store.storing import Connection
from ingest.store.trouble import Trouble, trouble_of

FRESH_S = 1.0
"""So long a finding is told again without looking: many askers cost the database one look a second."""

_QUERIES = load_queries("ingest")


class Readiness:
    """Looks on a connection of its own; safe to ask from several threads."""

    def __init__(self, dsn: str) -> None:
        manner = Manner(name="hearthwatch-ingest-ready", connect_s_max=2, statement_s_max=3, listens=False)
        self._database = Database(dsn, manner)
        self._lock = threading.Lock()
        self._looked_at = -FRESH_S
        self._found: Trouble | None = None

    def trouble(self) -> Trouble | None:
        """Name what keeps readings from being stored; None if nothing does."""
        with self._lock:
            if time.monotonic() - self._looked_at >= FRESH_S:
                self._found = self._look()
                self._looked_at = time.monotonic()
            return self._found

    def close(self) -> None:
        """Drop the connection."""
        self._database.close()

    def _look(self) -> Trouble | None:
        try:
            return self._database.run(_trouble)
        except psycopg.Error as error:
            return trouble_of(error)


def _trouble(connection: Connection) -> Trouble | None:
    row = connection.execute(_QUERIES["is_standby"]).fetchone()
    if row is None or row[0]:
        return Trouble.READ_ONLY
    connection.execute(_QUERIES["is_schema_right"])
    return None

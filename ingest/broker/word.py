"""Says in the database, every few seconds, that ingest lives and whether it hears a broker.

Who looks at the clock (alerting) tells the silence of ingest from a broker's by it. Said from the loop that stores, so
that a loop that hangs, or a database that takes nothing, is silence. It is no reading's business: what goes wrong is
logged, and readings go on.
"""

import time
from collections.abc import Callable
from datetime import datetime

import psycopg
import structlog

from care.sql import load_queries
from ingest.broker.mailbox import Mailbox
from ingest.store.database import Database

EVERY_S = 5.0
"""Between two words, machine seconds; a change is said at once."""

log = structlog.get_logger(__name__)
_QUERIES = load_queries("ingest")


class Word:
    """Ingest's word; `turn` belongs into the loop that stores. `speed`: clinical seconds per machine second."""

    def __init__(
        self, database: Database, mailbox: Mailbox, *, process: str, now: Callable[[], datetime], speed: float
    ) -> None:
        self._database = database
        self._mailbox = mailbox
        self._process = process
        self._now = now
        self._speed = speed
        self._said: bool | None = None
        self._say_at = 0.0
        self._failed = False

    def turn(self) -> None:
        """Say it where it is time or has changed."""
        hears = self._mailbox.subscribed
        if hears is self._said and time.monotonic() < self._say_at:
            return
        self._say_at = time.monotonic() + EVERY_S
        values = {"process": self._process, "now": self._now(), "every_s": EVERY_S * self._speed, "hears": hears}
        try:
            self._database.run(lambda connection: connection.execute(_QUERIES["say_word"], values))
        except psycopg.Error as error:
            if not self._failed:
                log.warning("ingest's own word can not be said", why=f"{type(error).__name__}: {error}".strip())
            self._failed = True
        else:
            self._said, self._failed = hears, False

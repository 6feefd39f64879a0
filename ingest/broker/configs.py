"""Tells each gateway what to read: its config document, retained, at start, at every connection, at every claim.

Published is only what differs from what this connection has published, so that a broker that lost its retained
messages is filled again and one that did not hears nothing twice. A gateway that was never told anything, and has no
claims, is told nothing. Bound: at most `BURST_MAX` documents a turn; the others wait for the next one.
"""

import time

import psycopg
import structlog
from psycopg.rows import class_row

from care.sql import load_queries
from ingest.broker.config_document import GatewayClaims, config_document
from ingest.broker.mailbox import Mailbox
from ingest.store.database import Database
from ingest.store.metrics import Metrics
from ingest.store.storing import Connection
from ingest.store.trouble import ADVICE, Trouble, trouble_of
from vitals.topics import Leaf, TopicError, topic

BURST_MAX = 200
RETRY_S_FIRST, RETRY_S_MAX = 0.5, 30.0
REFUSED_AGAIN_S = 10.0
"""After the broker has refused something, all that was published is published again: it may have been a config."""
LOOK_EVERY_S = 60.0
"""The backstop: a NOTIFY says it within a turn of the loop."""

log = structlog.get_logger(__name__)
_QUERIES = load_queries("ingest")


class Configs:
    """What each gateway is to read and what it has been told; `turn` belongs into the loop that stores."""

    def __init__(self, database: Database, mailbox: Mailbox, metrics: Metrics) -> None:
        self._database = database
        self._mailbox = mailbox
        self._metrics = metrics
        self._connection = -1
        self._refused = 0
        self._published: dict[str, bytes] = {}
        self._waiting: dict[str, bytes] = {}
        self._look_at = 0.0
        self._retry_s = RETRY_S_FIRST
        self._trouble: Trouble | None = None

    def turn(self) -> None:
        """Look whether claims have changed, publish what is not published; trouble is logged and tried again."""
        if not self._mailbox.connected:
            return
        if self._mailbox.connection != self._connection:
            self._connection = self._mailbox.connection
            self._published.clear()
            self._look_at = 0.0
        if self._mailbox.refused != self._refused:
            self._refused = self._mailbox.refused
            self._published.clear()
            self._look_at = time.monotonic() + REFUSED_AGAIN_S
        try:
            self._look()
        except (psycopg.Error, ValueError, TypeError, LookupError) as error:  # readings go on
            self._failed(error)
        self._publish()

    def _look(self) -> None:
        """Read the claims where somebody has called, or it is time."""
        if self._trouble is None and self._database.called():
            self._look_at = 0.0
        if time.monotonic() < self._look_at:
            return
        found = self._database.run(_all_claims)
        self._look_at = time.monotonic() + LOOK_EVERY_S
        self._retry_s = RETRY_S_FIRST
        if self._trouble is not None:
            log.info("gateways are told what to read again", after=self._trouble.value)
            self._trouble = None
        documents = {claims.gateway_id: config_document(claims) for claims in found}
        self._waiting = {id_: text for id_, text in documents.items() if self._published.get(id_) != text}

    def _publish(self) -> None:
        told: list[str] = []
        for gateway_id, document in list(self._waiting.items())[:BURST_MAX]:
            try:
                name = topic(gateway_id, Leaf.CONFIG)
            except TopicError as exc:
                log.error("a gateway can not be told what to read", gateway=gateway_id, why=str(exc))
            else:
                if not self._mailbox.send(name, document, retain=True):
                    break
                told.append(gateway_id)
            self._published[gateway_id] = document
            del self._waiting[gateway_id]
        if told:
            self._metrics.configs.inc(len(told))
            log.info("gateways told what to read", gateways=len(told), first=told[0])

    def _failed(self, error: Exception) -> None:
        trouble = trouble_of(error)
        self._metrics.failed(f"config_{trouble.value}")
        self._look_at = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, RETRY_S_MAX)
        if trouble is not self._trouble:
            self._trouble = trouble
            why = f"{type(error).__name__}: {error}".strip()
            log.warning(f"gateways are not told what to read: {ADVICE[trouble]}", trouble=trouble.value, why=why)


def _all_claims(connection: Connection) -> list[GatewayClaims]:
    with connection.cursor(row_factory=class_row(GatewayClaims)) as cursor:
        return cursor.execute(_QUERIES["configs"]).fetchall()

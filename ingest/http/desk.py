"""One connection's worth of work: lets a token in, and takes a message to the database as MQTT's intake does.

The same transaction, the same quarantine. Only the patience differs: here somebody waits for the answer, so trouble
with the database is waited out for a moment and then told, with nothing acknowledged.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog

from ingest.http import token_book
from ingest.http.answers import Answer, answer_of
from ingest.http.inflating import BadGzip, InflatesTooFar, inflate
from ingest.http.metrics import HttpMetrics
from ingest.http.problems import Problem, RequestRefused, UnreadableDocument
from ingest.http.token_form import fingerprint
from ingest.judging.decode import Refused, read_json
from ingest.judging.letters import quarantined, unread
from ingest.judging.screening import Incoming
from ingest.store.database import Database, Manner
from ingest.store.registry import Registry
from ingest.store.samples import Way
from ingest.store.storing import Batch, Connection, Stored, quarantine, store
from ingest.store.trouble import ADVICE, COLLISIONS_MAX_ALONE, RETRY_S_FIRST, RETRY_S_MAX, Trouble, trouble_of
from vitals.wire_json import PAYLOAD_BYTES_MAX

DATABASE_RETRY_S = 10

log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a request brought, as it came over the wire."""

    content: bytes
    is_gzip: bool
    received_ms: int


class Desk:
    """Serves one request at a time; `deadline` is on the monotonic clock."""

    def __init__(
        self,
        dsn: str,
        metrics: HttpMetrics,
        *,
        statement_s_max: int,
        retention_days: int,
        stopping: threading.Event,
    ) -> None:
        manner = Manner(name="hearthwatch-ingest-http", connect_s_max=2, statement_s_max=statement_s_max, listens=False)
        self._database = Database(dsn, manner)
        self._metrics = metrics
        self._retention_days = retention_days
        self._stopping = stopping
        self._registry = Registry()
        self._way = Way()

    def admit(self, token: str, gateway_id: str, *, now: datetime, deadline: float) -> int:
        """Give the number of a token that may speak for a gateway. Raises RequestRefused."""
        sha256 = fingerprint(token)
        admission = self._insist(
            lambda connection: token_book.admit(connection, sha256, gateway_id=gateway_id, now=now), deadline
        )
        if admission is None:
            raise RequestRefused(Problem.TOKEN_UNKNOWN, "no such token was ever made here")
        if admission.is_revoked:
            raise RequestRefused(Problem.TOKEN_REVOKED, f"token {admission.token_id} is revoked")
        if not admission.covers_gateway:
            raise RequestRefused(
                Problem.GATEWAY_NOT_ALLOWED,
                f"gateway {gateway_id!r} is not registered in the organisation of token {admission.token_id} or below",
            )
        return admission.token_id

    def take(self, body: Body, gateway_id: str, *, deadline: float) -> Answer:
        """Store a message and say what became of each row. Raises RequestRefused, UnreadableDocument."""
        payload = _unpacked(body)
        try:
            decoded = read_json(payload)
        except Refused as refused:
            self._put_unread(payload, refused, gateway_id, received_ms=body.received_ms, deadline=deadline)
            raise UnreadableDocument(refused) from refused
        message = Incoming(gateway_id=gateway_id, received_ms=body.received_ms, decoded=decoded)
        stored = self._stored(message, payload, deadline)
        self._metrics.stored(stored, rows=decoded.row_count, messages=1)
        if stored.foreign:
            log.error("two gateways send from copies of one outbox", gateway=gateway_id, which=sorted(stored.foreign))
        assert stored.judged is not None
        return answer_of(
            message,
            stored.judged,
            stored.refusals,
            implausible=stored.implausible,
            clock_ahead=stored.clock_ahead,
        )

    def close(self) -> None:
        """Drop the connection."""
        self._database.close()

    def _stored(self, message: Incoming, payload: bytes, deadline: float) -> Stored:
        batch = Batch(now_ms=message.received_ms, messages=[message])
        try:
            return self._insist(
                lambda connection: store(
                    connection, batch, self._registry, retention_days=self._retention_days, way=self._way
                ),
                deadline,
            )
        except RequestRefused:
            raise
        except Exception as error:
            log.exception("the database refuses this message; putting it aside", gateway=message.gateway_id)
            refusal = quarantined(message, payload, f"{type(error).__name__}: {error}")
        try:
            return self._insist(
                lambda connection: quarantine(connection, refusal, message, message.received_ms), deadline
            )
        except RequestRefused:
            raise
        except Exception as error:
            log.exception("a message can not even be put aside", gateway=message.gateway_id)
            raise _not_now(Trouble.POISON) from error

    def _put_unread(
        self, payload: bytes, refused: Refused, gateway_id: str, *, received_ms: int, deadline: float
    ) -> None:
        """Keep what could not be read, as it is kept from MQTT; counted where the same came before."""
        refusal = unread(payload, refused, source=gateway_id, received_ms=received_ms)
        batch = Batch(now_ms=received_ms, refusals=[refusal])
        stored = self._insist(
            lambda connection: store(connection, batch, self._registry, retention_days=self._retention_days), deadline
        )
        self._metrics.stored(stored, rows=0, messages=1)

    def _insist(self, work: Callable[[Connection], _Result], deadline: float) -> _Result:
        """Do the work, waiting out what can be waited out until the deadline.

        Poison, and collisions without end, are raised as they are; all other trouble becomes a RequestRefused.
        """
        pause_s = RETRY_S_FIRST
        collisions = 0
        while True:
            try:
                result = self._database.run(work)
            except Exception as error:
                trouble = trouble_of(error)
                self._metrics.failed(trouble.value)
                collisions = collisions + 1 if trouble is Trouble.COLLISION else 0
                if trouble is Trouble.POISON or collisions == COLLISIONS_MAX_ALONE:
                    raise
                if time.monotonic() + pause_s > deadline or self._stopping.wait(pause_s):
                    log.warning(ADVICE[trouble], trouble=trouble.value, why=f"{type(error).__name__}: {error}".strip())
                    raise _not_now(trouble) from error
                pause_s = min(pause_s * 2, RETRY_S_MAX)
            else:
                return result


def _unpacked(body: Body) -> bytes:
    if not body.is_gzip:
        return body.content
    try:
        return inflate(body.content, bytes_max=PAYLOAD_BYTES_MAX)
    except BadGzip as exc:
        raise RequestRefused(Problem.BAD_GZIP, str(exc)) from exc
    except InflatesTooFar as exc:
        raise RequestRefused(Problem.INFLATES_TOO_FAR, str(exc)) from exc


def _not_now(trouble: Trouble) -> RequestRefused:
    return RequestRefused(Problem.DATABASE, TOLD[trouble], trouble=trouble.value, retry_after_s=DATABASE_RETRY_S)


TOLD: dict[Trouble, str] = {
    Trouble.COLLISION: "other writers are in the way",
    Trouble.LOCKED: "somebody holds a lock on the tables",
    Trouble.UNREACHABLE: "the database can not be reached, or was lost on the way",
    Trouble.NO_ROOM: "the database has no disk, memory or connections left",
    Trouble.READ_ONLY: "the database is read-only (a standby?)",
    Trouble.NO_SCHEMA: "tables are missing or of another version",
    Trouble.NOT_ALLOWED: "the database refuses this service",
    Trouble.SERVER_FAULT: "the database reports a fault of its own",
    Trouble.PROGRAM_FAULT: "the intake itself is at fault",
    Trouble.NO_MEMORY: "the intake has no memory left",
    Trouble.POISON: "the database refuses the message, and to put it aside",
}
"""What a sender is told: no word of how to mend it, which is for the log."""

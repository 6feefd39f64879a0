"""The loop: collect messages for a moment, store them in one transaction, acknowledge them, tell the gateways.

Acknowledged is only what is committed. Whatever goes wrong with the database is waited out by name while the broker
keeps the messages; a batch that the database refuses, or that collides without end, is halved until the guilty
message lies alone in `rejected`.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import structlog

from ingest.account import Range, merged
from ingest.broker.mailbox import Delivery, Mailbox
from ingest.judging.decode import is_urgent
from ingest.judging.letters import Letter, quarantined, read_letter
from ingest.judging.refusals import Refusal
from ingest.judging.screening import Incoming
from ingest.judging.status import Status
from ingest.store.database import Database
from ingest.store.metrics import Metrics
from ingest.store.registry import Registry
from ingest.store.samples import Way
from ingest.store.storing import Batch, Connection, Stored, quarantine, store
from ingest.store.trouble import (
    ADVICE,
    COLLISIONS_MAX,
    COLLISIONS_MAX_ALONE,
    RETRY_S_FIRST,
    RETRY_S_MAX,
    Trouble,
    trouble_of,
)
from vitals.topics import Leaf, topic

IDLE_S = 0.5
COMPLAIN_EVERY_S = 30.0

log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When collecting ends, and what is too old. `urgent_spo2_below` (scaled) only hastens, it decides nothing."""

    window_s: float
    messages_max: int
    rows_max: int
    retention_days: int
    urgent_spo2_below: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A delivery and what was read from it."""

    delivery: Delivery
    letter: Letter


class Intake:
    """Takes messages from the mailbox to the database until told to stop; `beside` is called between two batches."""

    def __init__(
        self,
        mailbox: Mailbox,
        database: Database,
        metrics: Metrics,
        *,
        limits: Limits,
        now_ms: Callable[[], int],
        stopping: threading.Event,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self._beside = beside
        self._mailbox = mailbox
        self._database = database
        self._metrics = metrics
        self._limits = limits
        self._now_ms = now_ms
        self._stopping = stopping
        self._registry = Registry()
        self._way = Way()
        self._trouble: Trouble | None = None
        self._complained_at = 0.0

    def run(self) -> None:
        """Work until `stopping` is set; the batch at hand is finished first if the database lets us."""
        self._wait_for_database()
        while not self._stopping.is_set():
            self._metrics.stand(None if self._mailbox.subscribed else "no_broker")
            self._beside()
            received = self._collect()
            self._metrics.waiting.set(len(received) + self._mailbox.waiting)
            if received:
                self._settle(received)
                self._metrics.waiting.set(self._mailbox.waiting)
        self._mailbox.close()
        self._database.close()

    def _wait_for_database(self) -> None:
        """Say by name what is missing before the first message is stored; the broker is connected meanwhile."""
        self._insist(lambda connection: self._registry.read(connection).version)
        if not self._stopping.is_set():
            log.info("the database is there")

    def _collect(self) -> list[Received]:
        """Gather messages until the window closes, a bound is reached, or an urgent one is among them."""
        received: list[Received] = []
        ends_at = time.monotonic() + IDLE_S
        rows = 0
        while not self._stopping.is_set() and (left_s := ends_at - time.monotonic()) > 0:
            self._mailbox.pump(left_s)
            while not _is_full(received, rows, self._limits) and (delivery := self._mailbox.fetch()) is not None:
                if not received:
                    ends_at = time.monotonic() + self._limits.window_s
                received.append(Received(delivery=delivery, letter=_read(delivery)))
                rows += _rows(received[-1].letter)
                letter = received[-1].letter
                if isinstance(letter, Incoming) and is_urgent(letter.decoded, self._limits.urgent_spo2_below):
                    ends_at = 0.0
            if _is_full(received, rows, self._limits):
                break
        return received

    def _settle(self, received: list[Received]) -> None:
        """Store and acknowledge these; halve what the database refuses, or what collides again and again."""
        batch = _batch_of([item.letter for item in received], self._now_ms())
        days = self._limits.retention_days
        try:
            stored = self._insist(
                lambda connection: store(connection, batch, self._registry, retention_days=days, way=self._way),
                collisions_max=COLLISIONS_MAX_ALONE if len(received) == 1 else COLLISIONS_MAX,
            )
        except Exception as error:
            log.exception(ADVICE[Trouble.POISON], messages=len(received))
            if len(received) == 1:
                self._set_aside(received[0], error)
                return
            middle = len(received) // 2
            self._settle(received[:middle])
            self._settle(received[middle:])
            return
        if stored is not None:
            self._acknowledge(received, stored)

    def _set_aside(self, item: Received, error: Exception) -> None:
        """Put one message into `rejected`; if even that is refused, the gateway keeps it, as it is told nothing."""
        now_ms = self._now_ms()
        refusal = quarantined(item.letter, item.delivery.payload, f"{type(error).__name__}: {error}")
        message = item.letter if isinstance(item.letter, Incoming) else None
        try:
            done = self._insist(lambda connection: quarantine(connection, refusal, message, now_ms))
        except Exception:
            log.exception("a message can not even be put aside", topic=item.delivery.topic)
            self._metrics.failed("lost")
            self._mailbox.acknowledge([item.delivery])
            return
        if done is not None:
            self._acknowledge([item], done)

    def _insist(self, work: Callable[[Connection], _Result], *, collisions_max: int | None = None) -> _Result | None:
        """Do the work, waiting out every trouble but poison and too many collisions in a row, which are raised.

        Gives None if told to stop meanwhile.
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
                if trouble is Trouble.POISON or collisions == collisions_max:
                    raise
                self._complain(trouble, error)
                if self._stopping.is_set():
                    return None
                self._pause(pause_s)
                pause_s = min(pause_s * 2, RETRY_S_MAX)
            else:
                self._recovered()
                return result

    def _pause(self, pause_s: float) -> None:
        """Let time pass, keeping the broker's connection alive."""
        ends_at = time.monotonic() + pause_s
        while not self._stopping.is_set() and (left_s := ends_at - time.monotonic()) > 0:
            self._mailbox.pump(left_s)

    def _acknowledge(self, received: list[Received], stored: Stored) -> None:
        self._mailbox.acknowledge([item.delivery for item in received])
        # A word that gets lost costs a gateway one resend, so QoS 0 would do; the first of a batch asks the broker
        # for its answer, to hear of access rules that keep the words from all of them.
        for number, ((gateway_id, outbox_id), ranges) in enumerate(
            _ranges_of(item.letter for item in received).items()
        ):
            word = {"outbox_id": str(outbox_id), "stored": merged(ranges)}
            self._mailbox.send(topic(gateway_id, Leaf.ACK), json.dumps(word).encode(), qos=int(number == 0))
        self._metrics.stored(stored, rows=sum(_rows(item.letter) for item in received), messages=len(received))
        log.debug("stored", messages=len(received), readings=stored.readings, duplicates=stored.duplicates)
        if stored.refused:
            log.warning("put aside", **{reason.value: count for reason, count in stored.refused.items()})
        if stored.foreign:
            log.error(
                "two gateways send from copies of one outbox: the second's readings are put aside, nobody is alarmed"
                " by them; let it make an outbox of its own",
                which=sorted(stored.foreign),
            )

    def _complain(self, trouble: Trouble, error: Exception) -> None:
        now = time.monotonic()
        if trouble is not self._trouble or now - self._complained_at >= COMPLAIN_EVERY_S:
            self._trouble, self._complained_at = trouble, now
            log.warning(ADVICE[trouble], trouble=trouble.value, why=f"{type(error).__name__}: {error}".strip())

    def _recovered(self) -> None:
        if self._trouble is not None:
            log.info("storing again", after=self._trouble.value)
            self._trouble = None


def _read(delivery: Delivery) -> Letter:
    return read_letter(delivery.topic, delivery.payload, received_ms=delivery.received_ms, retained=delivery.retained)


def _is_full(received: list[Received], rows: int, limits: Limits) -> bool:
    return len(received) >= limits.messages_max or rows >= limits.rows_max


def _rows(letter: Letter) -> int:
    return letter.decoded.row_count if isinstance(letter, Incoming) else 0


def _batch_of(letters: list[Letter], now_ms: int) -> Batch:
    return Batch(
        now_ms=now_ms,
        messages=[letter for letter in letters if isinstance(letter, Incoming)],
        refusals=[letter for letter in letters if isinstance(letter, Refusal)],
        statuses=[letter for letter in letters if isinstance(letter, Status)],
    )


def _ranges_of(letters: Iterable[Letter]) -> dict[tuple[str, UUID], list[Range]]:
    """Give the rows of readable messages, by who waits to hear of them."""
    ranges: dict[tuple[str, UUID], list[Range]] = {}
    for letter in letters:
        if isinstance(letter, Incoming):
            header = letter.decoded.header
            part = (header.first_row, header.first_row + letter.decoded.row_count)
            ranges.setdefault((letter.gateway_id, header.outbox_id), []).append(part)
    return ranges

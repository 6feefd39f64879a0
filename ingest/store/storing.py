"""One collected batch, one transaction: samples, what was refused, the newest words, the accounts, the feed.

Every writer takes its locks in one order: outboxes, their accounts by outbox and gateway, samples by patient and
instant, `latest` by key, partition heads ascending. The heads come last, as the one lock that all writers share; so
the numbers in `intake_log` are in the order of the commits, and a reader's cursor can not pass a batch that commits
later.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from care.sql import load_queries
from ingest import account
from ingest.feed import BatchKind, Rows, payloads
from ingest.judging.decode import gather
from ingest.judging.identity import Outcome
from ingest.judging.refusals import Refusal, instant, refusals_of
from ingest.judging.rejection import Rejection
from ingest.judging.screening import (
    QUARANTINED,
    REPEATED,
    SCREENED_DTYPE,
    TAKEN,
    Incoming,
    rejection_code,
    screen,
)
from ingest.judging.status import Status
from ingest.store.latest import newest_of
from ingest.store.log import append
from ingest.store.outboxes import count_repeated, owners_of, take_fresh
from ingest.store.registry import Registry
from ingest.store.samples import Way, store_samples
from ingest.store.staging import latest_stream

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest")
_UPSERT_LATEST = (
    _QUERIES["upsert_latest"]
    .replace(
        b"{newer}",
        b"(excluded.measured_at >= l.measured_at"
        b" OR GREATEST(l.measured_at, l.received_at) > %(now)s + INTERVAL '1 minute')",
    )
    .replace(
        b"{good_newer}",
        b"(excluded.good_measured_at >= COALESCE(l.good_measured_at, '-infinity') OR (excluded.good_measured_at"
        b" IS NOT NULL AND GREATEST(l.good_measured_at, l.good_received_at) > %(now)s + INTERVAL '1 minute'))",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is stored together, all of it received by `now_ms`; `refusals` are messages that could not be read."""

    now_ms: int
    messages: Sequence[Incoming] = ()
    refusals: Sequence[Refusal] = ()
    statuses: Sequence[Status] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a committed batch came to. Every row of its messages is now stored, was before, or lies in `rejected`.

    `copy_s` is what taking readings to `sample` and `latest` took, `commit_s` the COMMIT alone.
    `foreign` names the outboxes from which a gateway sent that are another's. `judged` are the rows that had not been
    taken before, with what became of each (SCREENED_DTYPE), and `refusals` what was put aside of them.
    """

    readings: int = 0
    duplicates: int = 0
    refused: Counter[Rejection] = field(default_factory=Counter)
    implausible: int = 0
    clock_ahead: int = 0
    unknown_gateways: int = 0
    foreign: frozenset[str] = frozenset()
    ages_s: Sequence[float] = ()
    copy_s: float | None = field(default=None, compare=False)
    commit_s: float | None = field(default=None, compare=False)
    judged: Rows | None = field(default=None, compare=False, repr=False)
    refusals: Sequence[Refusal] = field(default=(), compare=False, repr=False)


def prepare(connection: Connection) -> None:
    """Make the staging tables of a new connection (in autocommit)."""
    connection.execute(_QUERIES["make_staging"])


def store(
    connection: Connection, batch: Batch, registry: Registry, *, retention_days: int, way: Way | None = None
) -> Stored:
    """Store a batch in one transaction. Raises psycopg.Error or Raced with nothing kept; it may be tried again.

    `way` remembers from batch to batch how samples are best tried.
    """
    with connection.transaction():
        bindings = registry.read(connection)
        unknown_gateways = _put_statuses(connection, batch.statuses, bindings.gateways)
        readings = gather([message.decoded for message in batch.messages])
        sent = len(readings)
        owners: Mapping[UUID, str] = {}
        if batch.messages:
            owners = owners_of(connection, batch.messages, bindings.gateways)
            readings = take_fresh(connection, batch.messages, readings, instant(batch.now_ms))
        screened = screen(batch.messages, readings, bindings, owners=owners, retention_days=retention_days)
        began_s = time.perf_counter()
        repeated = keep(connection, batch.messages, screened.rows, way or Way(), now_ms=batch.now_ms)
        copy_s = time.perf_counter() - began_s
        refusals = [*batch.refusals, *refusals_of(batch.messages, screened.rows, owners)]
        put_aside(connection, refusals, judged_version=bindings.version)
        is_taken = screened.rows["rejection"] == TAKEN
        taken = screened.rows if is_taken.all() else screened.rows.compress(is_taken)
        append_to_log(connection, taken, batch.now_ms)
        began_s = time.perf_counter()
    return Stored(
        copy_s=copy_s if len(readings) else None,
        commit_s=time.perf_counter() - began_s,
        readings=len(taken),
        duplicates=sent - len(readings) + repeated,
        refused=_counted(refusals),
        implausible=screened.implausible,
        clock_ahead=screened.clock_ahead,
        unknown_gateways=unknown_gateways,
        foreign=frozenset(refusal.detail for refusal in refusals if refusal.reason is Rejection.FOREIGN_OUTBOX),
        ages_s=_ages_s(batch, taken),
        judged=screened.rows,
        refusals=refusals,
    )


def quarantine(connection: Connection, refusal: Refusal, message: Incoming | None, now_ms: int) -> Stored:
    """Put a whole message aside that the database refuses; those of its rows that were not taken before are now."""
    judged = None
    with connection.transaction():
        if message is not None:
            fresh = take_fresh(connection, [message], gather([message.decoded]), instant(now_ms))
            refusal = replace(
                refusal, readings=len(fresh), own_rows=tuple(account.of_numbers(fresh["row_no"].tolist()))
            )
            judged = np.zeros(len(fresh), SCREENED_DTYPE)
            judged["row_no"] = fresh["row_no"]
            judged["rejection"] = QUARANTINED
        put_aside(connection, [refusal], judged_version=None)
    return Stored(refused=_counted([refusal]), judged=judged, refusals=[refusal])


def keep(connection: Connection, messages: Sequence[Incoming], rows: Rows, way: Way, *, now_ms: int) -> int:
    """Store what screening took; mark what turns out to repeat or to contradict what is stored; count what repeats."""
    store_taken(connection, rows, way, now_ms)
    repeated = rows[rows["rejection"] == REPEATED]
    count_repeated(connection, messages, repeated["message"].tolist())
    return len(repeated)


def put_aside(connection: Connection, refusals: Sequence[Refusal], *, judged_version: int | None) -> None:
    """Put readings aside, each once, and messages that could not be read, counted where they lie already."""
    unread = [
        {
            "received_at": instant(refusal.received_ms),
            "source": refusal.source,
            "reason": refusal.reason.value,
            "detail": refusal.detail,
            "readings": refusal.readings,
            "payload": refusal.payload,
        }
        for refusal in refusals
        if refusal.outbox_id is None
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_QUERIES["put_unread"], unread)
    readings = [refusal for refusal in refusals if refusal.outbox_id is not None]
    if not readings:
        return
    with connection.cursor() as cursor, cursor.copy(_QUERIES["copy_rejected"]) as copy:
        for refusal in readings:
            copy.write_row(
                (
                    instant(refusal.received_ms),
                    refusal.source,
                    refusal.reason.value,
                    refusal.detail,
                    refusal.device,
                    None if refusal.measured_ms is None else instant(refusal.measured_ms),
                    refusal.outbox_id,
                    refusal.first_row,
                    refusal.last_row,
                    refusal.readings,
                    refusal.payload,
                    instant(refusal.received_ms),
                    None if refusal.earliest_ms is None else instant(refusal.earliest_ms),
                    None if refusal.latest_ms is None else instant(refusal.latest_ms),
                    None if refusal.own_rows is None else account.literal(refusal.own_rows),
                    judged_version,
                )
            )


def append_to_log(connection: Connection, rows: Rows, now_ms: int) -> None:
    """Hand newly stored rows to the readers of the log; the last statement before the commit."""
    received_at = instant(now_ms)
    assert received_at is not None, "what is received now is in the calendar"
    append(connection, BatchKind.READINGS, payloads(rows), received_at=received_at)


def store_taken(connection: Connection, rows: Rows, way: Way, now_ms: int) -> None:
    """Store screened rows that are TAKEN, and the newest words; mark what turns out to repeat or to contradict."""
    taken = (rows["rejection"] == TAKEN).nonzero()[0]
    if not len(taken):
        return
    chosen = rows if len(taken) == len(rows) else rows.take(taken)
    outcome = store_samples(connection, chosen, way)
    is_new = outcome == Outcome.STORED
    rows["rejection"][taken[outcome == Outcome.DUPLICATE]] = REPEATED
    rows["rejection"][taken[outcome == Outcome.CONFLICT]] = rejection_code(Rejection.CONFLICT)
    new = chosen if is_new.all() else chosen.compress(is_new)
    if len(new):
        with connection.cursor() as cursor, cursor.copy(_QUERIES["stage_latest"]) as copy:
            copy.write(latest_stream(newest_of(new)))
        connection.execute(_UPSERT_LATEST, {"now": instant(now_ms)})


def _put_statuses(connection: Connection, statuses: Iterable[Status], gateways: frozenset[str]) -> int:
    """Keep what registered gateways say of themselves; count the words of others."""
    unknown = 0
    for status in statuses:
        if status.gateway_id not in gateways:
            unknown += 1
            continue
        values = {
            "gateway_id": status.gateway_id,
            "online": status.online,
            "received_at": instant(status.received_ms),
            "status": status.body,
            "retained": status.retained,
        }
        connection.execute(_QUERIES["put_status"], values)
        if status.outbox is not None:
            word = status.outbox
            said = {
                "outbox_id": word.outbox_id,
                "accepted": word.accepted,
                "thinned": word.thinned,
                "depth": word.depth,
                "salvaged": word.salvaged,
                "thinned_rows": account.literal(word.thinned_rows),
            }
            connection.execute(_QUERIES["put_outbox_word"], {**values, **said})
    return unknown


def _counted(refusals: Iterable[Refusal]) -> Counter[Rejection]:
    """Count refused readings by reason; a message that can not say how many it held counts as one."""
    counts: Counter[Rejection] = Counter()
    for refusal in refusals:
        counts[refusal.reason] += max(refusal.readings, 1)
    return counts


def _ages_s(batch: Batch, taken: Rows) -> list[float]:
    """How old the newest reading of each live message was when it was stored."""
    newest = np.full(len(batch.messages), np.iinfo(np.int64).min)
    np.maximum.at(newest, taken["message"], taken["measured_ms"])
    live = np.array([not message.decoded.header.backlog for message in batch.messages], bool)
    known = live & (newest > np.iinfo(np.int64).min)
    return [float(age) for age in (batch.now_ms - newest[known]) / 1000]

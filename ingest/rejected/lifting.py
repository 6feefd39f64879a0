"""Judges what lies in `rejected` again, and lifts what can be taken now: as if it had come now, in one transaction.

Samples, `latest`, the account, the feed and the marks in `rejected` are committed together or not at all, so a crash
repeats nothing; one lifts at a time, so two never lift the same, and the order is that in which the readings came. A
reading's times stay those at which it was measured and came; the feed gives it to the engine as late.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from psycopg.rows import dict_row

from care.sql import load_queries
from ingest import account
from ingest.feed import Rows
from ingest.judging.decode import gather
from ingest.judging.letters import reread
from ingest.judging.refusals import Refusal, instant, refusals_of
from ingest.judging.rejection import ROW_REJECTIONS, Rejection
from ingest.judging.screening import REPEATED, TAKEN, Incoming, screen
from ingest.rejected.rejudging import Lying, as_message, judge_again, refuse_too_old, rows_of
from ingest.store import outboxes
from ingest.store.registry import Registry
from ingest.store.samples import Way
from ingest.store.storing import Connection, append_to_log, keep, put_aside
from ingest.store.trouble import Trouble, trouble_of

COLLISIONS_MAX = 5
_QUERIES = load_queries("ingest", "rejected.sql")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became, or in a dry run would become, of one row of `rejected`; `unreadable`: as before."""

    rejected_id: int
    source: str
    was: Rejection
    device: str | None
    stored: int = 0
    repeated: int = 0
    refused: Counter[Rejection] = field(default_factory=Counter)
    unreadable: bool = False

    @property
    def lifted(self) -> int:
        """How many readings have left it."""
        return self.stored + self.repeated


Lift = Callable[[Connection, list[int], int], list[Verdict]]


class Lifter:
    """Lifts by the registry of the moment; `by` stands in each mark. In a dry run nothing is kept."""

    def __init__(self, *, by: str, retention_days: int, dry_run: bool = False) -> None:
        self._by = by
        self._retention_days = retention_days
        self._dry_run = dry_run
        self._registry = Registry()
        self._way = Way()

    def lift(self, connection: Connection, ids: Sequence[tuple[int, Rejection]], now_ms: int) -> list[Verdict]:
        """Judge these rows of `rejected` again, in this order, in as few transactions as can be.

        A row that the database refuses is found by halving and stays where it is, with the reason in its detail.
        Raises psycopg.Error on all other trouble, with what was lifted before kept.
        """
        verdicts: list[Verdict] = []
        run: list[int] = []
        for rejected_id, reason in ids:
            if reason in ROW_REJECTIONS:
                run.append(rejected_id)
                continue
            verdicts += self._rows(connection, run, now_ms)
            run = []
            verdicts += self._tried(connection, [rejected_id], now_ms, self._lift_message)
        return verdicts + self._rows(connection, run, now_ms)

    def _rows(self, connection: Connection, ids: list[int], now_ms: int) -> list[Verdict]:
        return self._tried(connection, ids, now_ms, self._lift_rows) if ids else []

    def _tried(self, connection: Connection, ids: list[int], now_ms: int, lift: Lift) -> list[Verdict]:
        collisions = 0
        while True:
            try:
                with connection.transaction(force_rollback=self._dry_run):
                    connection.execute(_QUERIES["one_at_a_time"])
                    found: list[Verdict] = lift(connection, ids, now_ms)
                return found
            except Exception as error:  # what it means is in ingest/store/trouble.py; nothing was kept
                trouble = trouble_of(error)
                collisions += 1
                if trouble is Trouble.COLLISION and collisions < COLLISIONS_MAX:
                    continue
                if trouble is not Trouble.POISON:
                    raise
                log.warning("the database refuses to take these back", rows=len(ids), exc_info=error)
                if len(ids) == 1:
                    self._note_error(connection, ids[0], error)
                    return []
            middle = len(ids) // 2
            return [
                *self._tried(connection, ids[:middle], now_ms, lift),
                *self._tried(connection, ids[middle:], now_ms, lift),
            ]

    def _lift_rows(self, connection: Connection, ids: list[int], now_ms: int) -> list[Verdict]:
        lying = [_lying(line) for line in _taken_up(connection, ids)]
        if not lying:
            return []
        bindings = self._registry.read(connection)
        messages = [as_message(each) for each in lying]
        owners = outboxes.owners_of(connection, messages, bindings.gateways)
        outboxes.lock_accounts(connection, messages)
        rows = judge_again(lying, bindings, owners=owners, retention_days=self._retention_days, now_ms=now_ms)
        keep(connection, messages, rows, self._way, now_ms=now_ms)
        refusals = list(refusals_of(messages, rows, owners))
        ends = np.cumsum([len(each.rows) for each in lying])[:-1]
        verdicts = [_verdict(each, part) for each, part in zip(lying, np.split(rows, ends), strict=True)]
        self._mark(connection, lying, verdicts, refusals, version=bindings.version, now_ms=now_ms)
        append_to_log(connection, rows[rows["rejection"] == TAKEN], now_ms)
        return verdicts

    def _mark(
        self,
        connection: Connection,
        lying: Sequence[Lying],
        verdicts: Sequence[Verdict],
        refusals: Iterable[Refusal],
        *,
        version: int,
        now_ms: int,
    ) -> None:
        """Keep what is still refused where it lay; where a row's readings now differ in why, each reason has a row."""
        left: dict[int, list[Refusal]] = {}
        places = {
            (each.source, each.outbox_id, number): at
            for at, each in enumerate(lying)
            for number in each.rows["row_no"].tolist()
        }
        for refusal in refusals:
            assert refusal.outbox_id is not None
            left.setdefault(places[refusal.source, refusal.outbox_id, refusal.first_row], []).append(refusal)
        marks: list[tuple[int, Refusal | None, int]] = []
        more: list[Refusal] = []
        as_before: list[int] = []
        for at, (each, verdict) in enumerate(zip(lying, verdicts, strict=True)):
            still = left.get(at, [])
            if not verdict.lifted and [refusal.reason for refusal in still] == [each.reason]:
                as_before.append(each.rejected_id)
                continue
            marks.append((each.rejected_id, still[0] if still else None, verdict.lifted))
            more += still[1:]
        if as_before:
            connection.execute(_QUERIES["note_judged"], {"ids": as_before, "version": version})
        if marks:
            self._write(connection, marks, version=version, now_ms=now_ms)
        put_aside(connection, more, judged_version=version)

    def _lift_message(self, connection: Connection, ids: list[int], now_ms: int) -> list[Verdict]:
        """Read a whole message again, as it came, and take of it what it stands for."""
        verdicts = []
        for line in _taken_up(connection, ids):
            read = reread(
                line["source"], Rejection(line["reason"]), line["payload"], received_ms=_ms(line["received_at"])
            )
            if read is None or (own := _own_rows(line, read)) is None:
                verdicts.append(_as_before(line))
                continue
            verdicts.append(self._take_message(connection, line, read, own, now_ms))
        return verdicts

    def _take_message(
        self,
        connection: Connection,
        line: Mapping[str, Any],
        message: Incoming,
        own: Sequence[account.Range],
        now_ms: int,
    ) -> Verdict:
        bindings = self._registry.read(connection)
        owners = outboxes.owners_of(connection, [message], bindings.gateways)
        readings = gather([message.decoded])
        if line["outbox_id"] is None:  # it was never acknowledged: it may have been sent again in a better form
            readings = outboxes.take_fresh(connection, [message], readings, instant(now_ms))
        else:
            outboxes.lock_accounts(connection, [message])
            readings = readings[[account.holds(own, number) for number in readings["row_no"].tolist()]]
        rows = screen([message], readings, bindings, owners=owners, retention_days=self._retention_days).rows
        refuse_too_old(rows, retention_days=self._retention_days, now_ms=now_ms)
        keep(connection, [message], rows, self._way, now_ms=now_ms)
        put_aside(connection, list(refusals_of([message], rows, owners)), judged_version=bindings.version)
        self._write(connection, [(line["rejected_id"], None, len(rows))], version=bindings.version, now_ms=now_ms)
        append_to_log(connection, rows[rows["rejection"] == TAKEN], now_ms)
        return replace(_as_before(line), **_tally(rows), unreadable=False)

    def _write(
        self, connection: Connection, marks: Sequence[tuple[int, Refusal | None, int]], *, version: int, now_ms: int
    ) -> None:
        left = [refusal for _, refusal, _ in marks]
        values = {
            "ids": [rejected_id for rejected_id, _, _ in marks],
            "lifted": [lifted for _, _, lifted in marks],
            "readings": [each.readings if each else 0 for each in left],
            "payloads": [each.payload if each else b"" for each in left],
            "reasons": [each.reason.value if each else None for each in left],
            "details": [each.detail if each else None for each in left],
            "measured": [_instant(each.measured_ms) if each else None for each in left],
            "earliest": [_instant(each.earliest_ms) if each else None for each in left],
            "latest": [_instant(each.latest_ms) if each else None for each in left],
            "first_rows": [each.first_row if each else None for each in left],
            "last_rows": [each.last_row if each else None for each in left],
            "version": version,
            "now": instant(now_ms),
            "by": self._by,
        }
        connection.execute(_QUERIES["mark"], values)

    def _note_error(self, connection: Connection, rejected_id: int, error: Exception) -> None:
        if self._dry_run:
            return
        detail = f"refused again: {type(error).__name__}: {error}".replace("\0", "")[:1000]
        version = self._registry.read(connection).version
        connection.execute(_QUERIES["note_error"], {"id": rejected_id, "detail": detail, "version": version})


def _taken_up(connection: Connection, ids: list[int]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_QUERIES["take_up"], {"ids": ids}).fetchall()


def _lying(line: Mapping[str, Any]) -> Lying:
    return Lying(
        rejected_id=line["rejected_id"],
        received_ms=_ms(line["received_at"]),
        source=line["source"],
        reason=Rejection(line["reason"]),
        device=line["device"],
        outbox_id=line["outbox_id"],
        rows=rows_of(line["payload"]),
    )


def _own_rows(line: Mapping[str, Any], message: Incoming) -> Sequence[account.Range] | None:
    """Say which of a message's rows it stands for; None where that was not kept (in an older version)."""
    if line["outbox_id"] is None:
        return ()
    if line["own_rows"] is not None:
        return account.parsed(line["own_rows"])
    first, count = message.decoded.header.first_row, message.decoded.row_count
    return [(first, first + count)] if count == line["readings"] else None


def _verdict(lying: Lying, rows: Rows) -> Verdict:
    return Verdict(
        rejected_id=lying.rejected_id, source=lying.source, was=lying.reason, device=lying.device, **_tally(rows)
    )


def _as_before(line: Mapping[str, Any]) -> Verdict:
    return Verdict(
        rejected_id=line["rejected_id"],
        source=line["source"],
        was=Rejection(line["reason"]),
        device=line["device"],
        refused=Counter({Rejection(line["reason"]): line["readings"]}),
        unreadable=True,
    )


def _tally(rows: Rows) -> dict[str, Any]:
    code = rows["rejection"]
    refused = Counter(ROW_REJECTIONS[place] for place in code[code < len(ROW_REJECTIONS)].tolist())
    return {"stored": int((code == TAKEN).sum()), "repeated": int((code == REPEATED).sum()), "refused": refused}


def _ms(instant_: datetime) -> int:
    return round(instant_.timestamp() * 1000)


def _instant(unix_ms: int | None) -> datetime | None:
    return None if unix_ms is None else instant(unix_ms)

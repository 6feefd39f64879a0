"""Minute and hour roll-ups: follows the intake log, and makes what new readings change anew from `sample`.

The log only says which minutes are stale; the numbers come from the samples as they are stored by now. So late rows,
filled gaps and any order fold in, and work that a crash cuts off is done again to the same end. The cursor moves in
the same transaction.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import psycopg

from care.sql import load_queries
from ingest.feed import FEED_DTYPE, PARTITION_COUNT, Rows, from_payload
from ingest.judging.refusals import instant
from ingest.store.copy_format import copy_bytes, int4, timestamptz
from ingest.tend.spans import DAY_MS, HOLD_MS, HOUR_MS, Ints, Spans, signals_in, stale_spans
from ingest.turn import Turn
from vitals.signals import SIGNALS, Signal

READINGS_MAX = 1_000_000
"""Readings of the log taken in one turn: some seconds of work, 24 MB of memory."""
BATCHES_EACH_MAX = 2_000
HOURS_MAX = 20_000

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")
_EPOCH = date(1970, 1, 1)


def prepare(connection: Connection) -> None:
    """Make the staging table of a new connection (in autocommit)."""
    connection.execute(_QUERIES["make_staging"])


def roll_minutes(connection: Connection, now: datetime, *, readings_max: int = READINGS_MAX) -> Turn:
    """Take what the log has new, about so many readings at most, and make the minutes it changes anew."""
    bytes_each = max(1, readings_max * FEED_DTYPE.itemsize // PARTITION_COUNT)
    with connection.transaction():
        found = connection.execute(
            _QUERIES["next_batches"],
            {"batches_each": BATCHES_EACH_MAX, "bytes_each": bytes_each},
            binary=True,
        ).fetchall()
        rows = from_payload(b"".join(payload for _, _, payload in found))
        if len(rows):
            _make_minutes(connection, rows)
        if found:
            newest = dict(sorted((partition, batch_id) for partition, batch_id, _ in found))
            connection.execute(
                _QUERIES["move_cursors"], {"partitions": list(newest), "batch_ids": list(newest.values())}
            )
    return _told(connection, now, batches=len(found), readings=len(rows), full=_is_full(found, bytes_each))


def roll_hours(connection: Connection, _now: datetime) -> Turn:
    """Make hours whose minutes have changed anew from their minutes."""
    with connection.transaction():
        taken = connection.execute(_QUERIES["take_hours"], {"most": HOURS_MAX}).fetchall()
        if taken:
            patient = np.array([row[0] for row in taken], np.int64)
            begins_ms = np.array([int(row[1].timestamp()) for row in taken], np.int64) * 1000
            connection.execute(_QUERIES["by_index"])
            for day in np.unique(begins_ms // DAY_MS).tolist():
                of_day = begins_ms // DAY_MS == day
                _make_hours(connection, day, patient[of_day], begins_ms[of_day])
    left = _number(connection, "hours_left")
    return Turn(detail=f"{len(taken)} hours made, {left} wait", done=len(taken), left=left, more=left > 0)


def remake(connection: Connection, rows: Rows) -> None:
    """Make the minutes of these feed rows anew where samples may have gone, too; in the caller's transaction.

    By the session that rolls up, so that nobody else makes them meanwhile.
    """
    _make_minutes(connection, rows, forget=True)


def _make_minutes(connection: Connection, rows: Rows, *, forget: bool = False) -> None:
    days = stale_spans(rows, floor_ms=_number(connection, "sample_floor"))
    statement = _statement("make_minutes", frozenset(Signal) if forget else signals_in(rows))
    connection.execute(_QUERIES["make_room"], {"days": [_EPOCH + timedelta(days=spans.day) for spans in days]})
    connection.execute(_QUERIES["by_index"])
    for spans in days:
        _stage(connection, spans)
        first_ms, last_ms = spans.day * DAY_MS - HOLD_MS, (spans.day + 1) * DAY_MS
        bounds = {"first": instant(first_ms), "last": instant(last_ms)}
        if forget:
            connection.execute(_QUERIES["forget_minutes"], bounds)
        connection.execute(statement, bounds)
        connection.execute(_QUERIES["mark_hours"])
        if forget:
            connection.execute(_QUERIES["forget_hours"])


def _make_hours(connection: Connection, day: int, patient: Ints, begins_ms: Ints) -> None:
    _stage(connection, Spans(day=day, patient=patient, from_ms=begins_ms, until_ms=begins_ms + HOUR_MS))
    bounds = {"first": instant(day * DAY_MS), "last": instant((day + 1) * DAY_MS)}
    connection.execute(_statement("make_hours", frozenset(Signal)), bounds)


def _stage(connection: Connection, spans: Spans) -> None:
    connection.execute(_QUERIES["empty_stage"])
    columns = [int4(spans.patient), timestamptz(spans.from_ms), timestamptz(spans.until_ms)]
    with connection.cursor() as cursor, cursor.copy(_QUERIES["stage_spans"]) as copy:
        copy.write(copy_bytes(columns))


def _is_full(found: Sequence[tuple[int, int, bytes]], bytes_each: int) -> bool:
    """Say whether the turn ended at its bound in any partition."""
    sizes: dict[int, list[int]] = {}
    for partition, _, payload in found:
        sizes.setdefault(partition, []).append(len(payload))
    return any(len(each) >= BATCHES_EACH_MAX or sum(each) >= bytes_each for each in sizes.values())


def _told(connection: Connection, now: datetime, *, batches: int, readings: int, full: bool) -> Turn:
    """Say how far the roll-ups are behind; readings left are guessed from those of this turn's batches."""
    row = connection.execute(_QUERIES["backlog"]).fetchone()
    assert row is not None, "an aggregate gives a row"
    left, oldest = row
    behind_s = max(0, round((now - oldest.astimezone(UTC)).total_seconds())) if oldest else 0
    return Turn(
        detail=f"{readings} readings rolled up; {left} batches wait, the oldest for {behind_s} s",
        done=readings,
        left=round(left * readings / batches) if batches else left,
        behind_s=behind_s,
        more=full and left > 0,
    )


def _number(connection: Connection, query: str) -> Any:
    row = connection.execute(_QUERIES[query]).fetchone()
    return row[0] if row else None


@cache
def _statement(query: str, signals: frozenset[Signal]) -> bytes:
    """Write a roll-up's statement for these signals; their names are columns."""
    chosen = sorted(signals, key=lambda signal: SIGNALS[signal].code)
    columns = [f"{signal}_{part}" for signal in chosen for part in _PARTS]
    template = _FROM_SAMPLES if query == "make_minutes" else _FROM_MINUTES
    aggregates = [
        template[part].format(signal=signal, octet=SIGNALS[signal].code - 1) for signal in chosen for part in _PARTS
    ]
    parts = {
        "values": _listed(f"s.{signal}" for signal in chosen),
        "names": _listed(chosen),
        "nulls": _listed("NULL" for _ in chosen),
        "columns": _listed(columns),
        "aggregates": _listed(aggregates),
        "updates": _listed(f"{column} = excluded.{column}" for column in columns),
    }
    statement = _QUERIES[query].decode()
    for name, text in parts.items():
        statement = statement.replace(f"{{{name}}}", text)
    return statement.encode()


def _listed(parts: Any) -> str:
    return ", ".join(parts)


_PARTS: Sequence[str] = ("sum", "good", "count", "min", "max")
_GOOD = "FILTER (WHERE {signal} IS NOT NULL AND (quality IS NULL OR get_byte(quality, {octet}) < 64))"
_HEARD = "CASE WHEN quality IS NULL THEN {signal} IS NOT NULL ELSE get_byte(quality, {octet}) <> 255 END"
_FROM_SAMPLES = {
    "sum": f"sum({{signal}}) {_GOOD}",
    "good": f"NULLIF(count(*) {_GOOD}, 0)",
    "count": f"NULLIF(count(*) FILTER (WHERE {_HEARD}), 0)",
    "min": f"min({{signal}}) {_GOOD}",
    "max": f"max({{signal}}) {_GOOD}",
}
_FROM_MINUTES = {
    "sum": "sum({signal}_sum)",
    "good": "sum({signal}_good)",
    "count": "sum({signal}_count)",
    "min": "min({signal}_min)",
    "max": "max({signal}_max)",
}

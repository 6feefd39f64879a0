"""Moves samples to whose they are, where who wore a device has been corrected (care/correcting.py).

A turn is one transaction: a piece of samples, newest first, out of the wrong patient's and into the right one's, both
patients' roll-ups and newest words, how far it is, and what alerting is told by the log. A kill leaves a piece moved or
not. What a batch stored under the old binding, while the correction was said, is found by a second look.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import dict_row, tuple_row

from care.sql import load_queries
from ingest.feed import ABSENT, PARTITION_COUNT, SAMPLE_DTYPE, BatchKind, Rows
from ingest.judging.screening import REPEATED, SCREENED_DTYPE, TAKEN
from ingest.moved import Moved, to_payload
from ingest.store.log import append
from ingest.store.samples import Way
from ingest.store.staging import stored_samples
from ingest.store.storing import store_taken
from ingest.tend.rollups import remake
from ingest.turn import Turn
from vitals.signals import SIGNAL_BY_CODE, SIGNAL_COUNT

SAMPLES_MAX = 20_000
"""Samples moved in one transaction: five hours of a second's stream, a second or two of work."""

JUDGED_BACK = timedelta(days=3)
"""How far back what was moved is judged: longer than the longest rule looks, and seconds of work for one patient."""

LOOK_AGAIN = timedelta(minutes=5)
"""A batch that was screened by the former binding may be committed after what there was has been moved."""

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "moving.sql")
_COLUMNS = tuple(str(SIGNAL_BY_CODE[code]) for code in range(1, SIGNAL_COUNT + 1))


def move_samples(connection: Connection, now: datetime, *, samples_max: int = SAMPLES_MAX) -> Turn:
    """Carry out a piece of the oldest correction that waits."""
    with connection.transaction():
        connection.execute(_QUERIES["take_up"], {"judged_back": JUDGED_BACK})
        move = _one(connection, "next_move", now=now, look_again=LOOK_AGAIN)
        if move is None:
            forgotten = connection.execute(_QUERIES["forget_aside"]).rowcount
            return Turn(detail=f"nothing to move; forgot {forgotten} samples laid aside", done=forgotten)
        moved = _move_piece(connection, move, now, samples_max)
    left = _one(connection, "moves_left")
    waits = int(left["count"]) if left else 0
    detail = f"correction {move['correction_id']}: moved {moved} samples; {waits} corrections wait"
    return Turn(detail=detail, done=moved, left=waits, more=waits > 0 or moved > 0)


def kept_since(connection: Connection) -> datetime | None:
    """Say from when on all samples are there to be moved; None: nothing was ever dropped."""
    row = connection.cursor(row_factory=tuple_row).execute(_QUERIES["kept_since"]).fetchone()
    return row[0] if row else None


def _move_piece(connection: Connection, move: Mapping[str, Any], now: datetime, samples_max: int) -> int:
    if move["from_patient_id"] is not None and move["before"] is None:
        _restore_latest(connection, move)
    whence = "aside" if move["from_patient_id"] is None else "samples"
    values = {
        "patient_id": move["from_patient_id"],
        "device_id": move["device_id"],
        "since": move["since"],
        "before": min((at for at in (move["before"], move["until"]) if at is not None), default=None),
    }
    piece = _one(connection, f"piece_of_{whence}", **values, most=samples_max)
    assert piece is not None, "an aggregate gives a row"
    first = piece["first"] or move["since"]
    found = _all(connection, f"take_{whence}", **values, first=first) if piece["samples"] else []
    aside = _put(connection, move, found, now) if found else 0
    signals = sorted({*move["signals"], *_signals_in(found)})
    news = move["samples"] + len(found) > move["told"]
    is_last = piece["samples"] < samples_max
    tells_to = news and not move["told_to"] and (is_last or first <= move["judged_from"])
    tells_of = is_last and (news or move["is_first"])
    noted = {"first": first, "samples": len(found), "aside": aside, "told_to": tells_to, "signals": signals}
    connection.execute(_QUERIES["go_on"], {"correction_id": move["correction_id"], **noted})
    if is_last:
        ended = {"correction_id": move["correction_id"], "is_first": move["is_first"], "now": now}
        connection.execute(_QUERIES["end_look"], ended)
    _tell(connection, {**move, "signals": signals}, tells_of=tells_of, tells_to=tells_to, now=now)
    return len(found)


def _tell(connection: Connection, move: Mapping[str, Any], *, tells_of: bool, tells_to: bool, now: datetime) -> None:
    """Tell alerting whose readings have gone and come; the last statements before the commit."""
    told = [_told(move, gone=True)] if tells_of and move["from_patient_id"] is not None else []
    told += [_told(move, gone=False)] if tells_to and move["to_patient_id"] is not None else []
    for each in sorted(told, key=lambda moved: moved.patient_id % PARTITION_COUNT):
        parts = [(each.patient_id % PARTITION_COUNT, to_payload(each))]
        append(connection, BatchKind.MOVED, parts, received_at=now)


def _put(connection: Connection, move: Mapping[str, Any], found: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Put samples where they belong, and make both patients' roll-ups anew; says how many were laid aside."""
    rows = _rows_of(found, move["to_patient_id"] or 0, move["device_id"])
    touched: list[Rows] = []
    if move["from_patient_id"] is not None:
        of = rows.copy()
        of["patient"] = move["from_patient_id"]
        touched.append(of)
    aside: Sequence[Mapping[str, Any]] = found
    if move["to_patient_id"] is not None:
        store_taken(connection, rows, Way(), round(now.timestamp() * 1000))
        touched.append(rows)
        refused = rows["measured_ms"][(rows["rejection"] != TAKEN) & (rows["rejection"] != REPEATED)]
        contradicting = set(refused.tolist())
        aside = [each for each in found if _ms(each["measured_at"]) in contradicting]
    _put_aside(connection, move, aside)
    remake(connection, np.concatenate(touched) if touched else rows[:0])
    return len(aside)


def _put_aside(connection: Connection, move: Mapping[str, Any], aside: Sequence[Mapping[str, Any]]) -> None:
    why = "nobody" if move["to_patient_id"] is None else "conflict"
    whose = {
        "correction_id": move["correction_id"],
        "why": why,
        "patient_id": move["from_patient_id"] or move["to_patient_id"],
        "device_id": move["device_id"],
    }
    with connection.cursor() as cursor:
        cursor.executemany(_QUERIES["put_aside"], [{**whose, **each} for each in aside])


def _restore_latest(connection: Connection, move: Mapping[str, Any]) -> None:
    """What is newest of the wrong patient is not what was measured on the right one."""
    whose = {"patient_id": move["from_patient_id"], "device_id": move["device_id"]}
    gone = _all(connection, "forget_latest", **whose, since=move["since"], until=move["until"])
    if gone:
        values = {"signals": [each["signal"] for each in gone], "firsts": [each["first_received_at"] for each in gone]}
        connection.execute(_QUERIES["restore_latest"], {**whose, **values})


def _told(move: Mapping[str, Any], *, gone: bool) -> Moved:
    return Moved(
        correction_id=move["correction_id"],
        patient_id=move["from_patient_id"] if gone else move["to_patient_id"],
        device_id=move["device_id"],
        signals=tuple(move["signals"]),
        from_ms=_ms(move["since"]),
        until_ms=None if move["until"] is None else _ms(move["until"]),
        judged_from_ms=_ms(move["judged_from"]),
        gone=gone,
    )


def _signals_in(found: Sequence[Mapping[str, Any]]) -> set[int]:
    return {code for code, name in enumerate(_COLUMNS, start=1) if any(each[name] is not None for each in found)}


def _rows_of(found: Sequence[Mapping[str, Any]], patient_id: int, device_id: int) -> Rows:
    """Give stored samples as the readings that they were made of, as taken for a patient."""
    places = np.zeros(len(found), SAMPLE_DTYPE)
    places["measured_ms"] = [_ms(each["measured_at"]) for each in found]
    places["acquisition"] = [each["acquisition"] for each in found]
    places["patient"], places["device"] = patient_id, device_id
    values = [[each[column] for column in _COLUMNS] for each in found]
    samples = stored_samples(places, values, [each["quality"] for each in found])
    received_ms = np.array([_ms(each["received_at"]) for each in found], np.int64)
    sample, place = np.nonzero(samples["word"] != ABSENT)
    rows = np.zeros(len(sample), SCREENED_DTYPE)
    for name in ("measured_ms", "patient", "device", "acquisition"):
        rows[name] = samples[name][sample]
    word = samples["word"][sample, place]
    rows["value"], rows["signal"] = samples["value"][sample, place], place + 1
    rows["quality"], rows["reason"] = word >> 6, word & 63
    rows["received_ms"], rows["row_no"] = received_ms[sample], np.arange(len(sample))
    rows["rejection"] = TAKEN
    return rows


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _all(connection: Connection, query: str, **values: object) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_QUERIES[query], values).fetchall()


def _one(connection: Connection, query: str, **values: object) -> dict[str, Any] | None:
    found = _all(connection, query, **values)
    return found[0] if found else None

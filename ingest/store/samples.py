"""Wide samples into `sample`: at once where all are new, else each laid beside what is stored at its place."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from care.sql import load_queries
from ingest.feed import Rows, pivot_index
from ingest.judging.identity import Outcome, settle_batch, settle_stored
from ingest.judging.refusals import instant
from ingest.judging.screening import DAY_MS
from ingest.ordering import begins
from ingest.store.staging import Stream, fills_stream, samples_stream, stored_samples

_QUERIES = load_queries("ingest")
_EPOCH = date(1970, 1, 1)


class Raced(Exception):
    """Another writer stored samples of ours between two statements: roll back and try again."""


class Way:
    """How samples are tried first: straight in, or, for a while after places were found taken, beside what is there.

    A batch that fails to go straight in has been sent in vain; where many repeat what is stored, that is dearer.
    """

    BESIDE_BATCHES = 32

    def __init__(self) -> None:
        self._beside_left = 0

    @property
    def is_straight(self) -> bool:
        """Say whether the next batch is tried straight in."""
        return self._beside_left == 0

    def went(self, *, taken: int) -> None:
        """Learn how many places of a batch were taken already."""
        self._beside_left = self.BESIDE_BATCHES if taken else max(0, self._beside_left - 1)


def store_samples(connection: psycopg.Connection[Any], rows: Rows, way: Way) -> NDArray[np.uint8]:
    """Store screened rows (not empty) and say what became of each (ingest.judging.identity.Outcome). Raises Raced."""
    settled = settle_batch(rows)
    outcome, winner = settled.outcome, settled.winner
    kept = np.flatnonzero(outcome == Outcome.STORED)
    chosen = rows if len(kept) == len(rows) else rows.take(kept)
    order = settled.order_of_stored
    samples, sample_of_row = pivot_index(chosen, order)
    starts = np.flatnonzero(begins(sample_of_row[order]))
    received_ms = np.minimum.reduceat(chosen["received_ms"].take(order), starts)
    _make_room(connection, samples)
    if not (way.is_straight and _insert_all(connection, samples_stream(samples, received_ms))):
        per_signal, taken = _insert_beside(connection, samples, received_ms)
        way.went(taken=taken)
        outcome[kept] = per_signal[sample_of_row, rows["signal"][kept].astype(np.intp) - 1]
        beaten = np.flatnonzero((winner != np.arange(len(rows))) & (outcome[winner] == Outcome.CONFLICT))
        if len(beaten):  # by one that itself contradicts what is stored: they are judged without it
            connection.execute(_QUERIES["empty_stage"])
            outcome[beaten] = store_samples(connection, rows.take(beaten), way)
    return outcome


def _make_room(connection: psycopg.Connection[Any], samples: Rows) -> None:
    days = {int(samples["measured_ms"].min()) // DAY_MS, int(samples["measured_ms"].max()) // DAY_MS}
    if max(days) - min(days) > 1:
        days = set(np.unique(samples["measured_ms"] // DAY_MS).tolist())
    connection.execute(_QUERIES["make_room"], {"days": [_EPOCH + timedelta(days=day) for day in sorted(days)]})


def _insert_all(connection: psycopg.Connection[Any], stream: Stream) -> bool:
    """Store the samples if no place is taken yet; otherwise leave everything as it was and say so."""
    try:
        with connection.transaction():
            _copy(connection, "copy_samples", stream)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def _insert_beside(
    connection: psycopg.Connection[Any], samples: Rows, received_ms: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], int]:
    """Insert samples whose place is free, fill the gaps of the others; give an outcome per sample and signal.

    Say also how many places were taken.
    """
    _copy(connection, "stage_samples", samples_stream(samples, received_ms, numbered=True))
    bounds = {
        "first": instant(int(samples["measured_ms"].min())),
        "last": instant(int(samples["measured_ms"].max())),
    }
    connection.execute(_QUERIES["by_index"])
    with connection.cursor(binary=True) as cursor:
        found = cursor.execute(_QUERIES["stored_counterparts"], bounds).fetchall()
    at = np.array([line[0] for line in found], np.intp)
    if len(at):
        connection.execute(_QUERIES["unstage_samples"], {"ordinals": at.tolist()})
    try:
        inserted = connection.execute(_QUERIES["insert_samples"]).rowcount
    except psycopg.errors.UniqueViolation as error:  # while the index is rebuilt, ON CONFLICT may miss one just entered
        raise Raced("another writer stores the same samples") from error
    if inserted != len(samples) - len(at):
        raise Raced("another writer stored the same samples meanwhile")
    stored = stored_samples(samples[at], [line[1:-1] for line in found], [line[-1] for line in found])
    outcome, merged = settle_stored(samples[at], stored)
    filled = (merged["word"] != stored["word"]).any(axis=1) | (merged["value"] != stored["value"]).any(axis=1)
    if filled.any():
        _copy(connection, "stage_fills", fills_stream(merged[filled]))
        connection.execute(_QUERIES["fill_samples"], bounds)
    per_signal = np.full(samples["value"].shape, Outcome.STORED, np.uint8)
    per_signal[at] = outcome
    return per_signal, len(at)


def _copy(connection: psycopg.Connection[Any], query: str, stream: Stream) -> None:
    statement = _QUERIES[query].replace(b"{columns}", ", ".join(stream.columns).encode())
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(stream.data)

"""One value per patient, instant, device and signal: what fills a gap, what repeats, what contradicts.

A value that is there stays. A place without a value (no reading yet, or one without a number) is filled. Equal value
and quality: a duplicate. All else contradicts what is stored and is kept apart as a conflict.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingest.feed import ABSENT, PLACE, Rows, quality_word
from ingest.ordering import begins, order_by
from vitals.reading import NO_VALUE


class Outcome(IntEnum):
    """What becomes of a reading at its place."""

    STORED = 0
    DUPLICATE = 1
    CONFLICT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """An outcome for each reading of a batch, which reading won its place, and the order of the readings by place."""

    outcome: NDArray[np.uint8]
    winner: NDArray[np.intp]
    order: NDArray[np.intp]

    @property
    def order_of_stored(self) -> NDArray[np.intp]:
        """Give the order by place of the readings that are to be stored, by their numbers among themselves."""
        stored = self.outcome == Outcome.STORED
        if stored.all():
            return self.order
        number = np.cumsum(stored) - 1
        return np.asarray(number[self.order[stored[self.order]]])


def settle_batch(rows: Rows) -> Settled:
    """Judge the readings of one batch among themselves: of each place the first with a value wins, else the first."""
    place = [rows[name] for name in (*PLACE, "signal")]
    order = order_by(*place, rows["value"] == NO_VALUE)
    first = begins(*(column[order] for column in place))
    if first.all():
        return Settled(outcome=np.full(len(rows), Outcome.STORED, np.uint8), winner=np.arange(len(rows)), order=order)
    ordered = rows.take(order)
    winner = np.flatnonzero(first)[np.cumsum(first) - 1]
    word = quality_word(ordered)
    equal = (ordered["value"] == ordered["value"][winner]) & (word == word[winner])
    outcome = np.empty(len(rows), np.uint8)
    outcome[order] = np.where(first, Outcome.STORED, np.where(equal, Outcome.DUPLICATE, Outcome.CONFLICT))
    winner_of_row = np.empty(len(rows), np.intp)
    winner_of_row[order] = order[winner]
    return Settled(outcome=outcome, winner=winner_of_row, order=order)


def settle_stored(samples: Rows, stored: Rows) -> tuple[NDArray[np.uint8], Rows]:
    """Judge samples against those stored at the same places (aligned): an outcome per signal, and the merged samples.

    The outcome of a signal that a sample does not hold means nothing.
    """
    open_place = (stored["word"] == ABSENT) | ((stored["value"] == NO_VALUE) & (samples["value"] != NO_VALUE))
    equal = (samples["value"] == stored["value"]) & (samples["word"] == stored["word"])
    outcome = np.where(open_place, Outcome.STORED, np.where(equal, Outcome.DUPLICATE, Outcome.CONFLICT))
    fills = open_place & (samples["word"] != ABSENT)
    merged = stored.copy()
    merged["value"] = np.where(fills, samples["value"], stored["value"])
    merged["word"] = np.where(fills, samples["word"], stored["word"])
    return outcome.astype(np.uint8), merged

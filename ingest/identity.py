"""One value per patient, instant, device and signal: what fills a gap, what repeats, what contradicts.

A value that is there stays. A place without a value (no reading yet, or one without a number) is filled. Equal value
and quality: a duplicate. All else contradicts what is stored and is kept apart as a conflict.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingest.feed import ABSENT, Rows, quality_word
from vitals.reading import NO_VALUE


class Outcome(IntEnum):
    """What becomes of a reading at its place."""

    STORED = 0
    DUPLICATE = 1
    CONFLICT = 2


def settle_batch(rows: Rows) -> NDArray[np.uint8]:
    """Judge the readings of one batch among themselves: of each place the first with a value stays, else the first."""
    empty = rows["value"] == NO_VALUE
    place = (rows["signal"], rows["device"], rows["measured_ms"], rows["patient"])
    order = np.lexsort((np.arange(len(rows)), empty, *place))
    ordered = rows[order]
    repeats = np.zeros(len(rows), bool)
    repeats[1:] = True
    for name in ("signal", "device", "measured_ms", "patient"):
        repeats[1:] &= ordered[name][1:] == ordered[name][:-1]
    winner = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(rows)))) if len(rows) else repeats
    word = quality_word(ordered)
    equal = (ordered["value"] == ordered["value"][winner]) & (word == word[winner])
    outcome = np.empty(len(rows), np.uint8)
    outcome[order] = np.where(~repeats, Outcome.STORED, np.where(equal, Outcome.DUPLICATE, Outcome.CONFLICT))
    return outcome


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

"""The newest word of each patient, signal and device in a batch, and the newest good one: what `latest` is fed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.feed import Rows
from vitals.quality import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """Aligned rows, by patient, signal and device; `good` counts only where `has_good`."""

    rows: Rows
    good: Rows
    has_good: NDArray[np.bool_]


def newest_of(rows: Rows) -> Newest:
    """Pick the newest row of each key, and the newest GOOD row of each key."""
    order = np.lexsort((rows["measured_ms"], rows["device"], rows["signal"], rows["patient"]))
    ordered = rows[order]
    is_good = ordered["quality"] == Quality.GOOD
    starts = np.zeros(len(rows), bool)
    starts[:1] = True
    for name in ("patient", "signal", "device"):
        starts[1:] |= ordered[name][1:] != ordered[name][:-1]
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    # The newest good row at or before each row, then whether it belongs to the same key.
    good_at = np.maximum.accumulate(np.where(is_good, np.arange(len(rows)), -1)) if len(rows) else first
    newest_good = good_at[last]
    has_good = newest_good >= first
    return Newest(rows=ordered[last], good=ordered[np.where(has_good, newest_good, last)], has_good=has_good)

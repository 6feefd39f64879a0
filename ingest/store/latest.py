"""The newest word of each patient, signal and device in a batch, and the newest good one: what `latest` is fed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.feed import Rows
from ingest.ordering import begins, order_by
from vitals.quality import Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """Aligned rows, by patient, signal and device; `good` counts only where `has_good`."""

    rows: Rows
    good: Rows
    has_good: NDArray[np.bool_]


def newest_of(rows: Rows) -> Newest:
    """Pick the newest row of each key, and the newest GOOD row of each key."""
    key = [rows[name] for name in ("patient", "signal", "device")]
    order = order_by(*key, rows["measured_ms"])
    is_good = rows["quality"][order] == Quality.GOOD
    first = np.flatnonzero(begins(*(column[order] for column in key)))
    last = np.append(first[1:], len(rows))[: len(first)] - 1
    # The newest good row at or before each row, then whether it belongs to the same key.
    good_at = np.maximum.accumulate(np.where(is_good, np.arange(len(rows)), -1)) if len(rows) else first
    newest_good = good_at[last]
    has_good = newest_good >= first
    newest = rows.take(order[last])
    if (newest_good == last).all():
        return Newest(rows=newest, good=newest, has_good=has_good)
    return Newest(rows=newest, good=rows.take(order[np.where(has_good, newest_good, last)]), has_good=has_good)

"""Which roll-ups new readings make stale: runs of minutes by patient and day (core)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.feed import Rows
from vitals.signals import SIGNAL_BY_CODE, SIGNALS, Signal
from vitals.sustained import BUCKET_MS

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
HOLD_MS = BUCKET_MS
"""How long a good continuous SpO2 holds at most: as long as the sustained rules let it stand for (10 s)."""

Ints = NDArray[np.int64]
_SPO2 = SIGNALS[Signal.SPO2].code


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Runs of stale minutes, [from_ms, until_ms) each of one patient, all within one UTC day."""

    day: int
    patient: Ints
    from_ms: Ints
    until_ms: Ints


def stale_spans(rows: Rows, *, floor_ms: int | None) -> list[Spans]:
    """Give the minutes that these feed rows change, day by day.

    A SpO2 changes its own minute, and the next where it may hold into it: it ends what held before, and begins anew.
    A minute that can not be made whole any more (its samples, or those 10 s before it, were dropped) is left alone.
    """
    patient, at_ms = rows["patient"].astype(np.int64), rows["measured_ms"]
    oxygen = rows["signal"] == _SPO2
    keys = np.concatenate(
        [_key(patient, at_ms // MINUTE_MS), _key(patient[oxygen], (at_ms[oxygen] + HOLD_MS - 1) // MINUTE_MS)]
    )
    keys = np.unique(keys)
    patient, minute = keys >> _MINUTE_BITS, keys & (1 << _MINUTE_BITS) - 1
    if floor_ms is not None:
        whole = minute * MINUTE_MS - HOLD_MS >= floor_ms
        patient, minute = patient[whole], minute[whole]
    return list(_by_day(patient, minute))


def signals_in(rows: Rows) -> frozenset[Signal]:
    """Say which signals there is news of; SpO2 is always among them, as its roll-up has the times that held."""
    return frozenset({Signal.SPO2, *(SIGNAL_BY_CODE[code] for code in np.unique(rows["signal"]).tolist())})


def _by_day(patient: Ints, minute: Ints) -> Iterator[Spans]:
    day = minute * MINUTE_MS // DAY_MS
    for each in np.unique(day).tolist():
        chosen = day == each
        who, when = patient[chosen], minute[chosen]
        first = np.ones(len(who), bool)
        first[1:] = (who[1:] != who[:-1]) | (when[1:] != when[:-1] + 1)
        last = np.append(first[1:], True)
        yield Spans(
            day=each,
            patient=who[first],
            from_ms=when[first] * MINUTE_MS,
            until_ms=(when[last] + 1) * MINUTE_MS,
        )


def _key(patient: Ints, minute: Ints) -> Ints:
    return patient << _MINUTE_BITS | minute


_MINUTE_BITS = 31
"""Minutes since 1970 until the year 6053, beside a patient's 32 bits."""

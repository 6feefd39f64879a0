"""What a screen may say about a signal's newest word: a number only while it is fresh (core).

Nothing older than twice its interval is shown as a value. A device's silence, a device that says "finger out" and
a number one cannot trust are four different things to see: live, doubtful, refused, stale.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from vitals.quality import Quality, Reason
from vitals.reading import Acquisition, unscaled
from vitals.signals import SIGNAL_BY_CODE, Signal

CONTINUOUS_EVERY_S = 10
"""Expected where a continuous device states no interval: one message a gateway every 10 s."""
STALE_AFTER_AT_LEAST = timedelta(seconds=30)
"""A gateway's batch of 10 s, its way, and once more (ADR 9)."""
SPOT_SHOWN_FOR = timedelta(hours=16)
"""Single measurements are taken three times a day (CLINICAL 2.1): twice eight hours."""


class Standing(StrEnum):
    """How the newest word of a signal may be shown."""

    LIVE = "live"
    """A good value of a stream, fresh."""
    SPOT = "spot"
    """A good value of one measurement; stands with the time it was taken."""
    DOUBTFUL = "doubtful"
    """A fresh number that is not to be trusted; shown as such, with the reason."""
    REFUSED = "refused"
    """The device spoke and gave no usable number; the reason is shown, no number."""
    STALE = "stale"
    """Too old: the time of the last word is shown, no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A row of `latest` with the interval expected of its device."""

    patient_id: int
    signal: int
    acquisition: int
    value: int | None
    quality: int
    reason: int
    measured_at: datetime
    good_measured_at: datetime | None
    expected_every_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """What to show. `value` is None unless it may be seen; `last_at` is what "no data since" names."""

    signal: Signal
    standing: Standing
    value: float | None
    measured_at: datetime
    stale_at: datetime
    last_at: datetime
    reason: Reason
    spot: bool

    @property
    def number(self) -> str:
        """Write the value without rounding a danger away: as measured, pulse in whole beats."""
        if self.value is None:
            return ""
        if self.signal is Signal.TEMPERATURE:
            return f"{self.value:.1f}" if round(self.value * 100) % 10 == 0 else f"{self.value:.2f}"
        return f"{self.value:.0f}" if self.signal is Signal.PULSE else f"{self.value:g}"


def newest(word: Word, now: datetime) -> Newest:
    """Judge one row of `latest` at `now`."""
    signal = SIGNAL_BY_CODE[word.signal]
    stale_at = word.measured_at + stale_after(word.acquisition, word.expected_every_s)
    standing = _standing(word, fresh=now < stale_at)
    shown = standing in (Standing.LIVE, Standing.SPOT, Standing.DOUBTFUL) and word.value is not None
    last_good = word.good_measured_at or word.measured_at
    return Newest(
        signal=signal,
        standing=standing,
        value=unscaled(signal, word.value) if shown and word.value is not None else None,
        measured_at=word.measured_at,
        stale_at=stale_at,
        last_at=last_good if standing is Standing.REFUSED else word.measured_at,
        reason=_known_reason(word.reason),
        spot=word.acquisition != Acquisition.CONTINUOUS,
    )


def stale_after(acquisition: int, expected_every_s: int | None) -> timedelta:
    """Say how long a value may be shown."""
    if acquisition != Acquisition.CONTINUOUS:
        return SPOT_SHOWN_FOR
    return max(timedelta(seconds=2 * (expected_every_s or CONTINUOUS_EVERY_S)), STALE_AFTER_AT_LEAST)


def _standing(word: Word, *, fresh: bool) -> Standing:
    if not fresh:
        return Standing.STALE
    if word.value is None or word.quality == Quality.INVALID:
        return Standing.REFUSED
    if word.quality != Quality.GOOD:
        return Standing.DOUBTFUL
    return Standing.LIVE if word.acquisition == Acquisition.CONTINUOUS else Standing.SPOT


def _known_reason(code: int) -> Reason:
    try:
        return Reason(code)
    except ValueError:
        return Reason.UNKNOWN

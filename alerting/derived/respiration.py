"""Respiratory rate from the intervals between beats, or from a photoplethysmogram; or that none is available (core).

Breathing quickens and slows the heart, and moves the height and the level of the pulse. A number is given only where
enough beats are usable, one rate stands out of the spectrum, and estimates that do not share their error agree: the two
halves of the window (intervals), the three variations of the pulse (waveform; the smart fusion of Karlen et al. 2013).
Breathing faster than half the heart rate can not be seen in beats: it would appear slower.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from alerting.derived.beats import usable
from alerting.derived.pulses import RATE_HZ_MIN, pulses
from alerting.derived.spectrum import Floats, Peak, dominant, even

WINDOW_S = 64.0
"""The length that a rate is taken over. Source: Karlen et al. 2013 measured 16, 32 and 64 s, the longest errs least."""

QUALITY_MIN = 0.5
"""Below this there is no number. It is where the weakest of the criteria below just holds."""

USABLE_SHARE_MIN = 0.85
"""How much of the window usable beats must cover. Source: D; docs/derived-signals.md."""

INTERVALS_CONCENTRATION_MIN, HALF_CONCENTRATION_MIN = 0.55, 0.4
"""How much of the power must lie at the rate, in the window and in each of its halves. Source: D, tuned on noise."""

HALVES_APART_MAX_PER_MIN = 2.0
"""How far either half of the window may lie from the whole. Source: D, tuned on noise."""

WAVEFORM_CONCENTRATION_MIN, VARIATION_CONCENTRATION_MIN = 0.5, 0.25
"""How much of the power must lie at the rate, in the mean of the variations and in each. Source: D, tuned on noise."""

VARIATIONS_STD_MAX_PER_MIN = 4.0
"""How far the pulse's three variations may lie apart. Source: Karlen et al. 2013: standard deviation of 4/min."""


class Method(StrEnum):
    """What a rate was taken from."""

    INTERVALS = "rr_interval"
    WAVEFORM = "ppg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breathing:
    """A window's respiratory rate, or None: not available. `quality` runs from 0 to 1."""

    rate_per_min: float | None
    quality: float
    method: Method


def from_intervals(beat_s: Floats, intervals_ms: Floats, *, end_s: float) -> Breathing:
    """Judge the window of `WINDOW_S` that ends at `end_s`: beats in order of time, each with the interval it ends."""
    inside = (beat_s > end_s - WINDOW_S) & (beat_s <= end_s)
    kept = usable(intervals_ms) & inside
    share = float(intervals_ms[kept].sum()) / 1000 / WINDOW_S
    if kept.sum() < 3:
        return _nothing(Method.INTERVALS)
    series = even(beat_s[kept], intervals_ms[kept], begin_s=end_s - WINDOW_S, end_s=end_s)
    whole, *halves = _peaks((series, *np.split(series, 2)), intervals_ms[kept])
    if whole is None or any(half is None for half in halves):
        return _nothing(Method.INTERVALS)
    found = [half for half in halves if half]
    quality = min(
        _score(share, perfect=1.0, limit=USABLE_SHARE_MIN),
        _score(whole.concentration, perfect=1.0, limit=INTERVALS_CONCENTRATION_MIN),
        _score(min(half.concentration for half in found), perfect=1.0, limit=HALF_CONCENTRATION_MIN),
        _score(
            max(abs(half.rate_per_min - whole.rate_per_min) for half in found),
            perfect=0.0,
            limit=HALVES_APART_MAX_PER_MIN,
        ),
    )
    return _judged(whole.rate_per_min, quality, Method.INTERVALS)


def from_waveform(waveform: Floats, rate_hz: float) -> Breathing:
    """Judge the last `WINDOW_S` of a photoplethysmogram whose pulses rise."""
    size = round(WINDOW_S * rate_hz)
    if rate_hz < RATE_HZ_MIN or len(waveform) < size or not np.isfinite(waveform[-size:]).all():
        return _nothing(Method.WAVEFORM)
    found = pulses(waveform[-size:], rate_hz)
    kept = found.usable
    if kept.sum() < 3:
        return _nothing(Method.WAVEFORM)
    moved = (found.top[kept], found.height[kept], found.interval_ms[kept])
    peaks = _peaks(
        [even(found.at_s[kept], each, begin_s=0.0, end_s=WINDOW_S) for each in moved], found.interval_ms[kept]
    )
    agreeing = [peak for peak in peaks if peak]
    if len(agreeing) < len(moved):
        return _nothing(Method.WAVEFORM)
    rates, shares = [peak.rate_per_min for peak in agreeing], [peak.concentration for peak in agreeing]
    quality = min(
        _score(float(found.interval_ms[kept].sum()) / 1000 / WINDOW_S, perfect=1.0, limit=USABLE_SHARE_MIN),
        _score(float(np.mean(shares)), perfect=1.0, limit=WAVEFORM_CONCENTRATION_MIN),
        _score(min(shares), perfect=1.0, limit=VARIATION_CONCENTRATION_MIN),
        _score(float(np.std(rates)), perfect=0.0, limit=VARIATIONS_STD_MAX_PER_MIN),
    )
    return _judged(float(np.mean(rates)), quality, Method.WAVEFORM)


def _peaks(series: Iterable[Floats], intervals_ms: Floats) -> list[Peak | None]:
    """Find each one's rate, below half the heart rate: nothing faster can be seen in beats."""
    highest_hz = 500 / float(np.median(intervals_ms))
    return [dominant(each, highest_hz=highest_hz) for each in series]


def _judged(rate_per_min: float, quality: float, method: Method) -> Breathing:
    return Breathing(
        rate_per_min=rate_per_min if quality >= QUALITY_MIN else None, quality=round(quality, 3), method=method
    )


def _nothing(method: Method) -> Breathing:
    return Breathing(rate_per_min=None, quality=0.0, method=method)


def _score(value: float, *, perfect: float, limit: float) -> float:
    """Put a criterion on the scale of quality: 1 where it is perfect, `QUALITY_MIN` at its limit, 0 far beyond."""
    return float(np.clip(1 - (1 - QUALITY_MIN) * (value - perfect) / (limit - perfect), 0.0, 1.0))

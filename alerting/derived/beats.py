"""Which intervals between beats may be used: beats that come early, late, twice or not at all are left out (core)."""

import numpy as np
import numpy.typing as npt
from scipy import signal

from alerting.derived.spectrum import Floats

PLAUSIBLE_MS = (300.0, 2000.0)
"""Intervals of 30 to 200 beats a minute. Source: D; what a resting adult's heart does."""

APART_FROM_NEIGHBOURS = 0.2
"""An interval further than this from the median about it is an ectopic or a missed beat. Source: Malik 1989: 20 %."""

NEIGHBOURS = 11
"""Over how many beats the median goes: longer than a breath, so that breathing itself is not taken for an ectopic."""


def usable(intervals_ms: Floats) -> npt.NDArray[np.bool_]:
    """Say of each interval, in order of time, whether it is a normal beat's."""
    if not len(intervals_ms):
        return np.zeros(0, np.bool_)
    around = NEIGHBOURS // 2
    middle = signal.medfilt(
        np.pad(intervals_ms, around, mode="reflect" if len(intervals_ms) > around else "edge"), NEIGHBOURS
    )
    median = middle[around : around + len(intervals_ms)]
    near = np.abs(intervals_ms - median) <= APART_FROM_NEIGHBOURS * median
    return np.asarray(near & (intervals_ms >= PLAUSIBLE_MS[0]) & (intervals_ms <= PLAUSIBLE_MS[1]), np.bool_)

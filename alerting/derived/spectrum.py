"""Where a breathing rate stands out of the spectrum of something that breathing moves (core).

The band is 0.1 to 0.7 Hz, 6 to 42 breaths a minute: below it the slow waves of blood pressure (about 0.1 Hz) can not be
told from breathing, above it nothing is left of it that beats sample (half the heart rate).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float64]

BAND_HZ = (0.1, 0.7)
"""Breathing is looked for here: 6 to 42/min. Source: D; about the range of Karlen et al. 2013 (4 to 65/min), less its
ends, where beats can not show it."""

POWER_FROM_HZ = 0.05
"""A peak is held against the power from here on, so that a slow drift beside it counts against it. Source: D."""

EVEN_HZ = 4.0
"""What beats are resampled to. Source: Karlen et al. 2013; usual for heart rate variability (Task Force 1996)."""

GRID_HZ = 0.001
"""How fine the spectrum is read: 0.06 breaths a minute, by zero padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The highest point of the band. `concentration`: the share of the power that lies within its main lobe."""

    rate_per_min: float
    concentration: float


def even(at_s: Floats, values: Floats, *, begin_s: float, end_s: float) -> Floats:
    """Resample values at uneven instants to `EVEN_HZ`, straight between them."""
    grid = np.arange(begin_s, end_s, 1 / EVEN_HZ)
    return np.asarray(np.interp(grid, at_s, values), np.float64)


def dominant(values: Floats, *, highest_hz: float = BAND_HZ[1]) -> Peak | None:
    """Find the dominant rate of an even series; None where the band has no peak of its own (its edge is no peak)."""
    if len(values) < 8 or not np.isfinite(values).all():
        return None
    seconds = len(values) / EVEN_HZ
    hz, power = signal.periodogram(
        values, EVEN_HZ, window="hann", nfft=round(EVEN_HZ / GRID_HZ), detrend="linear", scaling="spectrum"
    )
    inside = np.flatnonzero((hz >= BAND_HZ[0]) & (hz <= min(highest_hz, BAND_HZ[1])))
    total = power[(hz >= POWER_FROM_HZ) & (hz <= BAND_HZ[1])].sum()
    if not len(inside) or total <= np.finfo(np.float64).eps * max(1.0, float(np.abs(values).max()) ** 2):
        return None
    top = int(inside[np.argmax(power[inside])])
    if power[top] <= max(power[top - 1], power[top + 1]):
        return None
    lobe = (np.abs(hz - hz[top]) <= 2 / seconds) & (hz >= POWER_FROM_HZ) & (hz <= BAND_HZ[1])
    return Peak(rate_per_min=60 * float(hz[top]), concentration=float(power[lobe].sum() / total))

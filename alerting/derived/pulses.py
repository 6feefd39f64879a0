"""Finds the pulses of a photoplethysmogram, and which of them look like the others (core)."""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from alerting.derived.beats import usable
from alerting.derived.spectrum import Floats

RATE_HZ_MIN = 20.0
"""Below this a pulse's top can not be placed. Source: D."""

SHAPE_HZ = (0.5, 8.0)
"""What of a waveform makes the shape of a pulse. Source: D; usual for photoplethysmography."""

BEAT_HZ = (0.5, 3.5)
"""Where the pulse itself lies, 30 to 210/min."""

ALIKE = 0.86
"""A pulse whose shape correlates less than this with the median pulse is motion. Source: Orphanidou et al. 2015."""

SHORTEST_BEAT_S = 0.3
RISES_BY = 0.3
"""A pulse rises by at least this many standard deviations of the filtered waveform. Source: D."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulses:
    """Each pulse's instant in seconds, what breathing moves of it, and whether it may be used; all of shape (n,)."""

    at_s: Floats
    top: Floats
    height: Floats
    interval_ms: Floats
    usable: npt.NDArray[np.bool_]


def pulses(waveform: Floats, rate_hz: float) -> Pulses:
    """Find the pulses of a waveform that rises with each (a camera's or a reflected light's falls: negate it)."""
    beat, shape, slow = (_passed(waveform, rate_hz, band) for band in (BEAT_HZ, SHAPE_HZ, (0.0, SHAPE_HZ[1])))
    tops, _ = signal.find_peaks(
        beat, distance=max(1, int(SHORTEST_BEAT_S * rate_hz)), prominence=RISES_BY * np.std(beat)
    )
    tops = tops[(tops > 0) & (tops < len(beat) - 1)]
    if len(tops) < 3:
        nothing = np.zeros(0)
        return Pulses(at_s=nothing, top=nothing, height=nothing, interval_ms=nothing, usable=np.zeros(0, np.bool_))
    at_s = (tops + _finer(beat, tops)) / rate_hz
    interval_ms = 1000 * np.diff(at_s)
    peaks = slow[tops]
    troughs = np.array([slow[a:b].min() for a, b in itertools.pairwise(tops)])
    return Pulses(
        at_s=at_s[1:],
        top=peaks[1:],
        height=peaks[1:] - troughs,
        interval_ms=interval_ms,
        usable=usable(interval_ms) & _alike(shape, tops),
    )


def _passed(waveform: Floats, rate_hz: float, band_hz: tuple[float, float]) -> Floats:
    low, high = band_hz[0], min(band_hz[1], 0.45 * rate_hz)
    cut = signal.butter(2, [low, high] if low else high, "bandpass" if low else "lowpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(cut, waveform), np.float64)


def _finer(values: Floats, tops: npt.NDArray[np.intp]) -> Floats:
    """Give by how much of a sample each top lies beside its highest sample: a parabola through three of them."""
    before, top, after = values[tops - 1], values[tops], values[tops + 1]
    bend = before - 2 * top + after
    return np.asarray(np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1), 0), np.float64)


def _alike(shape: Floats, tops: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Correlate each pulse, from top to top, with the median pulse."""
    steps = np.linspace(0, 1, 32)
    places = tops[:-1, None] + steps[None, :] * np.diff(tops)[:, None]
    drawn = np.interp(places, np.arange(len(shape)), shape)
    drawn = drawn - drawn.mean(axis=1, keepdims=True)
    template = np.median(drawn, axis=0)
    norm = np.linalg.norm(drawn, axis=1) * np.linalg.norm(template)
    return np.asarray(drawn @ template >= ALIKE * np.maximum(norm, np.finfo(np.float64).tiny), np.bool_)

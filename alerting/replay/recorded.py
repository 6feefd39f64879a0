"""A recording as if it were stored: rows of samples, and which of them a finger clip streamed.

So single measurements of a recording are judged by what judges stored ones (`singles.py`), and by nothing else.
"""

import numpy as np

from alerting.course.samples import Bytes, Samples, Shorts
from alerting.engine.layout import Flags, Ints
from alerting.replay.recording import Mode, Recording, Series
from alerting.spot.arrivals import Devices
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import Signal

MONITOR, CLIP = 0, 1
DEVICES = Devices(wellness=np.zeros(0, np.int32), worn=np.zeros(0, np.int32), clips=np.array([CLIP], np.int32))
"""Who measured in a recording: a monitor, or a clip that streams while a finger is in it."""

_SAID_NOTHING = 255


def as_stored(recording: Recording, *, gap_ms: int, singly: bool = False) -> Samples:
    """Give a recording's rows. A stream's are continuous, unless they are to be taken `singly`.

    In a spot recording, SpO2 that follows other SpO2 within `gap_ms` was streamed by a clip.
    """
    keys = {signal: _keys(series) for signal, series in recording.series.items()}
    rows = np.unique(np.concatenate(list(keys.values())))
    places = {signal: np.searchsorted(rows, each) for signal, each in keys.items()}
    values = {signal: np.full(len(rows), NO_VALUE, np.int16) for signal in Signal}
    words = {signal: np.full(len(rows), _SAID_NOTHING, np.uint8) for signal in Signal}
    clipped = np.zeros(len(rows), np.bool_)
    for signal, series in recording.series.items():
        values[signal][places[signal]] = series.values
        words[signal][places[signal]] = series.quality << 6
        if signal is Signal.SPO2 and recording.mode is Mode.SPOT:
            clipped[places[signal]] = _in_runs(series.t_ms, gap_ms)
    streamed = clipped | (recording.mode is Mode.CONTINUOUS and not singly)
    return Samples(
        t_ms=rows // _SAME_INSTANT_MAX,
        device=np.where(clipped, CLIP, MONITOR).astype(np.int32),
        acquisition=np.where(streamed, Acquisition.CONTINUOUS, Acquisition.SPOT).astype(np.int16),
        values=dict[Signal, Shorts](values),
        words=dict[Signal, Bytes](words),
    )


_SAME_INSTANT_MAX = 1 << 19
"""Samples of one instant; with it the latest instant of a table (2300) still fits 64 bits."""


def _keys(series: Series) -> Ints:
    """Number the samples of one instant, so that each has a row of its own."""
    numbers = np.arange(len(series.t_ms)) - np.searchsorted(series.t_ms, series.t_ms)
    keys: Ints = series.t_ms * _SAME_INSTANT_MAX + numbers
    return keys


def _in_runs(t_ms: Ints, gap_ms: int) -> Flags:
    near = np.diff(t_ms) <= gap_ms
    flags: Flags = np.concatenate([[False], near]) | np.concatenate([near, [False]])
    return flags

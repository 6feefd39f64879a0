"""Recordings made by hand: spells of level and length, and times without a sample."""

from collections.abc import Sequence

import numpy as np

from alerting.replay.recording import Mode, Recording, Series, series_of
from vitals.quality import Quality
from vitals.signals import Signal

T0_MS = 1_772_366_400_000
"""2026-03-01 12:00:00 UTC."""

Spell = tuple[float | None, int]
"""A level (None: nothing is sent) and how many seconds it lasts."""


def series(
    *spells: Spell, signal: Signal = Signal.SPO2, every_s: int = 1, quality: Quality = Quality.GOOD, t0_ms: int = T0_MS
) -> Series:
    """Make one signal's samples."""
    seconds, levels, at_s = [], [], 0
    for level, length_s in spells:
        if level is not None:
            chosen = range(-(-at_s // every_s) * every_s, at_s + length_s, every_s)
            seconds += list(chosen)
            levels += [level] * len(chosen)
        at_s += length_s
    t_ms = t0_ms + 1000 * np.array(seconds, np.int64)
    return series_of(signal, t_ms, np.array(levels, np.float64), np.full(len(levels), int(quality)))


def recording(
    *spells: Spell, every_s: int = 1, mode: Mode = Mode.CONTINUOUS, signal: Signal = Signal.SPO2
) -> Recording:
    """Make a recording of one signal; it ends with its last spell, sent or not."""
    made = series(*spells, every_s=every_s, signal=signal)
    end_ms = T0_MS + 1000 * sum(length_s for _, length_s in spells)
    return Recording(series={signal: made}, mode=mode, begin_ms=T0_MS, end_ms=end_ms)


def together(*parts: Series) -> Series:
    """Put several series into one, in order of time."""
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("t_ms", "values", "quality")]
    order = np.argsort(columns[0], kind="stable")
    t_ms, values, quality = (column[order] for column in columns)
    return Series(t_ms=t_ms, values=values, quality=quality)


def after_s(instants_ms: Sequence[int]) -> list[float]:
    """Give instants as seconds after T0."""
    return [(at_ms - T0_MS) / 1000 for at_ms in instants_ms]

"""A recording of one patient as the rules take it: columns of samples in order of time, and how they were measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from alerting.engine.layout import Flags, Ints
from alerting.judging.channels import QUALITIES
from alerting.profile.profile import Trust
from alerting.replay.rates import interval_ms
from vitals.quality import Quality
from vitals.reading import NO_VALUE
from vitals.signals import SIGNALS, Signal


class Mode(StrEnum):
    """How the patient was measured (CLINICAL 3.1)."""

    CONTINUOUS = "continuous"
    SPOT = "spot"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One signal's samples: Unix ms in order, scaled value (or NO_VALUE), Quality; shape (n,) each."""

    t_ms: Ints
    values: Ints
    quality: npt.NDArray[np.uint8]

    def trusted(self, trust: Trust) -> Flags:
        """Say which samples have a number and are of one trust; a recording is not a wearable's."""
        if trust is Trust.WELLNESS:
            return np.zeros(len(self.t_ms), np.bool_)
        chosen = np.isin(self.quality, [int(quality) for quality in QUALITIES[trust]])
        kept: Flags = chosen & (self.values != NO_VALUE)
        return kept


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What one patient's devices said between two instants; nothing is claimed of the time outside."""

    series: Mapping[Signal, Series]
    mode: Mode
    begin_ms: int
    end_ms: int


def series_of(signal: Signal, t_ms: Ints, numbers: npt.NDArray[np.float64], quality: Ints | None = None) -> Series:
    """Scale numbers of the signal's unit (NaN: none) as a decoder does: what can not be one becomes no value.

    So a 0 of a probe on the table is neither evidence nor clock. Good where nothing else is said.
    """
    spec = SIGNALS[signal]
    low, high = spec.plausible
    with np.errstate(over="ignore", invalid="ignore"):
        exact = np.round(np.where(np.isfinite(numbers), numbers, np.nan) * spec.scale, 6)
    whole = np.floor(exact) if spec.floor else np.round(exact)
    possible = (whole >= low * spec.scale) & (whole <= high * spec.scale)
    values = np.full(len(t_ms), NO_VALUE, np.int16)
    values[possible] = whole[possible].astype(np.int16)
    judged = np.zeros(len(t_ms), np.uint8) if quality is None else quality.astype(np.uint8)
    return Series(t_ms=t_ms, values=values, quality=np.where(possible, judged, int(Quality.INVALID)).astype(np.uint8))


def usual_mode(series: Mapping[Signal, Series], stream_ms_max: int) -> Mode:
    """Call it a stream where samples usually follow each other sooner than its silence would be an alarm."""
    chosen = series.get(Signal.SPO2) or next(iter(series.values()))
    every_ms = interval_ms(chosen.t_ms)
    return Mode.CONTINUOUS if every_ms is not None and every_ms < stream_ms_max else Mode.SPOT

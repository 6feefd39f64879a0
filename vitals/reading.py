"""A reading: one signal, one value, from one device at one instant."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from vitals.quality import Quality, Reason
from vitals.signals import SIGNALS, Signal

NO_VALUE = -32768
"""The scaled value that says "no value"; its quality and reason say why."""


class Acquisition(IntEnum):
    """How a device measured (CLINICAL section 3.1): a stream, one finished measurement, or one from its memory."""

    CONTINUOUS = 0
    SPOT = 1
    STORED = 2


class ScaleError(ValueError):
    """A value does not fit the signal's int16 on the wire; carries the signal and the value."""

    def __init__(self, signal: Signal, value: float) -> None:
        super().__init__(f"{signal}: {value!r} {SIGNALS[signal].unit} does not fit the wire")
        self.signal = signal
        self.value = value


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One signal's scaled value; `value` is in the signal's scale (hundredths for most), None for no value."""

    device: str
    signal: Signal
    measured_at: datetime
    value: int | None
    quality: Quality = Quality.GOOD
    reason: Reason = Reason.NONE
    acquisition: Acquisition = Acquisition.CONTINUOUS


def scaled(signal: Signal, value: float) -> int:
    """Scale a value in the signal's unit to its stored integer: floored for SpO2, else to nearest, half to even.

    A hair of binary error (92.6 arriving as 92.60000000000001 or 92.59999999999999) is not a clinical digit:
    it is taken off at 1e-6 of the scale before flooring. Raises ScaleError outside int16.
    """
    spec = SIGNALS[signal]
    if not math.isfinite(value):
        raise ScaleError(signal, value)
    exact = round(value * spec.scale, 6)
    number = math.floor(exact) if spec.floor else round(exact)
    if not NO_VALUE < number <= 32767:
        raise ScaleError(signal, value)
    return number


def unscaled(signal: Signal, value: int) -> float:
    """Give back the value in the signal's unit."""
    return value / SIGNALS[signal].scale


def is_plausible(signal: Signal, value: int) -> bool:
    """Say whether a scaled value lies in the signal's plausible range."""
    low, high = SIGNALS[signal].plausible
    return low * SIGNALS[signal].scale <= value <= high * SIGNALS[signal].scale

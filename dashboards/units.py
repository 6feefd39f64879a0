"""Units as people write them (core)."""

from vitals.signals import SIGNALS, Signal

_WRITTEN = {"Cel": "°C", "mm[Hg]": "mmHg", "1": ""}


def unit_of(signal: Signal) -> str:
    """Write a signal's unit."""
    unit = SIGNALS[signal].unit
    return _WRITTEN.get(unit, unit)

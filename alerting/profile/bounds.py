"""An exclusive scaled limit as people write it."""

from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal

_WRITTEN = {"Cel": "°C", "mm[Hg]": "mmHg", "1": ""}


def unit_of(signal: Signal) -> str:
    """Write a signal's unit as people do."""
    unit = SIGNALS[signal].unit
    return _WRITTEN.get(unit, unit)


def sign_of(signal: Signal, limit: int, *, low: bool) -> tuple[str, float]:
    """Give a sign and a number in the signal's unit: values are whole hundredths, so "< 88.01" is "<= 88"."""
    inclusive = limit - 1 if low else limit + 1
    if limit % 10 and inclusive % 10 == 0:
        return ("<=" if low else ">="), unscaled(signal, inclusive)
    return ("<" if low else ">"), unscaled(signal, limit)


def bound(signal: Signal, limit: int, *, low: bool) -> str:
    """Write a limit with its signal and unit: "spo2 <= 88 %"."""
    sign, shown = sign_of(signal, limit, low=low)
    return f"{signal} {sign} {shown:g} {unit_of(signal)}"

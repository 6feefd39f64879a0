"""An exclusive scaled limit as people write it."""

from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal


def bound(signal: Signal, limit: int, *, low: bool) -> str:
    """Write an exclusive limit as people do: values are whole hundredths, so "< 88.01" is "<= 88"."""
    inclusive = limit - 1 if low else limit + 1
    if inclusive % 10 == 0:
        sign, shown = ("<=" if low else ">="), inclusive
    else:
        sign, shown = ("<" if low else ">"), limit
    return f"{signal} {sign} {unscaled(signal, shown):g} {SIGNALS[signal].unit}"

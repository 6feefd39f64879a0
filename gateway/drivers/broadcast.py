"""Of several values of one signal in one advertisement the first counts: at one instant they contradict each other."""

from collections.abc import Iterable

from gateway.gatt.decoded import Measurement
from vitals.signals import Signal


def said_once(measurements: Iterable[Measurement]) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """Give the first of each signal, and a status word for each that was left out."""
    first: dict[Signal, Measurement] = {}
    left_out = [each for each in measurements if first.setdefault(each.signal, each) is not each]
    return tuple(first.values()), tuple(f"another_{each.signal}" for each in left_out)

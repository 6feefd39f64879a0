"""A night's report from its SpO2: desaturations an hour, time below limits, lowest; a report, never an alarm (core).

There is no accepted standard of the oxygen desaturation index (CLINICAL 3.2). Here ODI3 and ODI4 are the falls by at
least 3 and 4 points an hour of valid recording, each with three points (CLINICAL 3.2 [S43]): A, the last sample at the
highest level of the 60 s before (the baseline); B, the first sample at least that depth below A; C, the first after it
that is back within 1 point of A; and 10 s <= C - A <= 60 s. A longer fall is in the minutes below, and is no event. A
time without good values longer than `HOLD_MS` ends what had begun.

A value holds until the next good one, at most `HOLD_MS`; the last before a gap holds for the usual step. Values are
hundredths of a percent. All times of a night come from one device, in ascending order.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

HOLD_MS = 10_000
"""Longer nobody vouches for a value: the bucket of the sustained rules (ADR 5), as in the roll-ups."""

VALID_HOURS_MIN = 4.0
"""Under this much valid recording there is no report. Source: D; usual for a night's oximetry."""

LIMITS = (9300, 9000, 8800)
"""Time below these is told. Source: 93 work plan of 2022-12 and CLINICAL 2.1; 90 and 88 CLINICAL 3.2, 3.1."""

DEPTHS = (300, 400)
"""ODI3 and ODI4. Source: CLINICAL 3.2 [S43, S44]."""

EVENT_MS = (10_000, 60_000)
"""From A to C. Source: CLINICAL 3.2 [S43]."""

BACK_WITHIN = 100
"""How near to A a value has come back. Source: D."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """How long values lay below a limit in all, and the longest unbroken time."""

    limit: int
    total_ms: int
    longest_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Oximetry:
    """What good values of SpO2 say. `lowest_steady` is the lowest median of three neighbours: no single sample's."""

    samples: int
    valid_ms: int
    gaps: int
    longest_gap_ms: int
    mean: float
    lowest: int
    lowest_steady: int
    below: tuple[Below, ...]
    desaturations: tuple[int, ...]

    @property
    def odi(self) -> tuple[float, ...]:
        """Give ODI3 and ODI4: events an hour of valid recording."""
        return tuple(count / (self.valid_ms / 3_600_000) for count in self.desaturations)

    def below_of(self, limit: int) -> Below:
        """Give the time below one of `LIMITS`. Raises ValueError for another."""
        return self.below[LIMITS.index(limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NightReport:
    """A night: `found` is None where there is not enough valid recording for a report."""

    valid_hours: float
    found: Oximetry | None


def report(t_ms: Ints, values: Ints) -> NightReport:
    """Report a night's good values, or say that there are too few."""
    measured = measure(t_ms, values) if len(t_ms) else None
    hours = measured.valid_ms / 3_600_000 if measured else 0.0
    return NightReport(valid_hours=hours, found=measured if hours >= VALID_HOURS_MIN else None)


def measure(t_ms: Ints, values: Ints) -> Oximetry:
    """Measure good values, at least one, however short the recording."""
    steps = np.diff(t_ms)
    unbroken = steps <= HOLD_MS
    usual_ms = int(np.median(steps[unbroken])) if unbroken.any() else 0
    held_ms = np.append(np.where(unbroken, steps, usual_ms), usual_ms).astype(np.int64)
    pieces = np.split(np.arange(len(t_ms)), np.flatnonzero(~unbroken) + 1)
    return Oximetry(
        samples=len(t_ms),
        valid_ms=int(held_ms.sum()),
        gaps=int((~unbroken).sum()),
        longest_gap_ms=int(steps[~unbroken].max(initial=0)),
        mean=float(np.average(values, weights=held_ms) if held_ms.any() else values.mean()),
        lowest=int(values.min()),
        lowest_steady=min(_steady(values[piece]) for piece in pieces),
        below=tuple(_below(limit, values, held_ms, unbroken) for limit in LIMITS),
        desaturations=tuple(
            sum(_desaturations(t_ms[p].tolist(), values[p].tolist(), depth) for p in pieces) for depth in DEPTHS
        ),
    )


def sketch(t_ms: Ints, values: Ints, *, begin_ms: int, end_ms: int, steps: int) -> list[int | None]:
    """Draw a night in equal steps: the lowest good value of each, None where there was none."""
    place = (t_ms - begin_ms) * steps // (end_ms - begin_ms)
    lowest = np.full(steps, np.iinfo(np.int64).max)
    inside = (place >= 0) & (place < steps)
    np.minimum.at(lowest, place[inside], values[inside])
    return [int(value) if value != np.iinfo(np.int64).max else None for value in lowest]


def _steady(values: Ints) -> int:
    """Give the lowest median of three neighbours; where there are fewer than three, the highest of them."""
    if len(values) < 3:
        return int(values.max())
    one, two, three = values[:-2], values[1:-1], values[2:]
    medians = np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))
    return int(medians.min())


def _below(limit: int, values: Ints, held_ms: Ints, unbroken: npt.NDArray[np.bool_]) -> Below:
    """Add up the time below; a run ends with a value at the limit or above, and with a gap."""
    low = values < limit
    run = np.cumsum(~low) + np.cumsum(np.append(False, ~unbroken))
    of_runs = np.bincount(run[low], weights=held_ms[low])
    return Below(limit=limit, total_ms=int(held_ms[low].sum()), longest_ms=int(of_runs.max(initial=0)))


def _desaturations(t_ms: Sequence[int], values: Sequence[int], depth: int) -> int:
    """Count the falls of an unbroken piece (the definition is the module's)."""
    shortest_ms, longest_ms = EVENT_MS
    count, fallen_from = 0, -1
    highest: deque[int] = deque()  # of the last minute: the highest first, then the highest of those after it
    for at, value in enumerate(values):
        if fallen_from >= 0:
            took_ms = t_ms[at] - t_ms[fallen_from]
            back = value >= values[fallen_from] - BACK_WITHIN
            if not back and took_ms <= longest_ms:
                continue
            count += back and shortest_ms <= took_ms <= longest_ms
            fallen_from = -1
            highest.clear()
        while highest and values[highest[-1]] <= value:
            highest.pop()
        highest.append(at)
        while t_ms[at] - t_ms[highest[0]] > longest_ms:
            highest.popleft()
        if values[highest[0]] - value >= depth:
            fallen_from = highest[0]
    return count

"""How hard the simulated nights are: CLINICAL 3.4's plain window rules on them, beside the figures printed there.

Nothing here is the engine's: a rule is a sum over the last seconds. An alarm goes on while its rule is met; what begins
within 600 s of the last one's end is the same alarm, as in that table. It is false when it meets no decline and no
short fall (that table's nights had none of the latter; here they come on top and are not counted): what is left are
artefacts, apnoea and who sleeps low.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hearthwatch.bench.cohort.physiology import Cause, Night
from vitals.quality import Quality
from vitals.reading import NO_VALUE

LIMIT = 9300
"""The limit of every row: below 93 %."""

MERGED_S = 600
COVERAGE_PERCENT = 50
"""Of a gated rule's window so much must have been measured well; the table says it of one of its rules."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """One row of the table: so much of the last seconds is low; and its false alarms a night as printed."""

    name: str
    window_s: int
    share_percent: int
    is_gated: bool
    ordinary: float
    apnoea: float


TABLE = (
    WindowRule(name="raw < 93, no gate", window_s=1, share_percent=100, is_gated=False, ordinary=13.19, apnoea=8.34),
    WindowRule(name="15 s all, gated", window_s=15, share_percent=100, is_gated=True, ordinary=6.78, apnoea=14.09),
    WindowRule(name="60 s 80 %, gated", window_s=60, share_percent=80, is_gated=True, ordinary=0.48, apnoea=1.13),
    WindowRule(name="120 s 80 %, gated", window_s=120, share_percent=80, is_gated=True, ordinary=0.02, apnoea=0.06),
    WindowRule(name="300 s 80 %, gated", window_s=300, share_percent=80, is_gated=True, ordinary=0.00, apnoea=0.01),
    WindowRule(
        name="300 s 80 %, not gated", window_s=300, share_percent=80, is_gated=False, ordinary=1.00, apnoea=1.01
    ),
    WindowRule(name="300 s 100 %, gated", window_s=300, share_percent=100, is_gated=True, ordinary=0.00, apnoea=0.00),
)
"""Source: CLINICAL 3.4."""


class Hardness:
    """False alarms of each row, summed up over nights of people with and without apnoea."""

    def __init__(self) -> None:
        self.nights = {False: 0, True: 0}
        self._false = {(rule.name, has_apnoea): 0 for rule in TABLE for has_apnoea in (False, True)}

    def take(self, night: Night, has_apnoea: Flags) -> None:
        """Add a night."""
        for row, affected in enumerate(has_apnoea.tolist()):
            self.nights[affected] += 1
            for rule in TABLE:
                self._false[rule.name, affected] += false_alarms(rule, night, row)

    def rows(self) -> list[dict[str, Any]]:
        """Give the rows: as printed, as found here, and how many times as hard (None by 0, or without nights)."""
        return [
            {
                "rule": rule.name,
                "ordinary": _beside(rule.ordinary, self.a_night(rule, has_apnoea=False)),
                "apnoea": _beside(rule.apnoea, self.a_night(rule, has_apnoea=True)),
            }
            for rule in TABLE
        ]

    def a_night(self, rule: WindowRule, *, has_apnoea: bool) -> float | None:
        """Give a row's false alarms a night; None where nobody slept."""
        nights = self.nights[has_apnoea]
        return self._false[rule.name, has_apnoea] / nights if nights else None


def false_alarms(rule: WindowRule, night: Night, row: int) -> int:
    """Count a row's alarms of one patient's night that are of no real fall."""
    measured = night.values[row] != NO_VALUE
    if rule.is_gated:
        measured &= night.quality[row] == Quality.GOOD
    met = met_by(rule, measured & (night.values[row] < LIMIT), measured)
    real = np.cumsum(np.isin(night.cause[row], (int(Cause.DECLINE), int(Cause.SHORT_FALL))))
    return sum(real[end - 1] == real[max(begin - rule.window_s, 0)] for begin, end in alarms(met))


def met_by(rule: WindowRule, low: Flags, measured: Flags) -> Flags:
    """Say of each second whether the rule is met by the window that ends with it; never before a window is full."""
    lows, seen = _in_window(low, rule.window_s), _in_window(measured, rule.window_s)
    coverage = COVERAGE_PERCENT if rule.is_gated else 0
    met: Flags = (lows > 0) & (lows * 100 >= rule.share_percent * seen) & (seen * 100 >= coverage * rule.window_s)
    met[: rule.window_s - 1] = False
    return met


def alarms(met: Flags) -> Iterator[tuple[int, int]]:
    """Give each alarm's first second and the one behind its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], met, [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    if len(begins):
        is_new = np.concatenate([[True], begins[1:] - ends[:-1] >= MERGED_S])
        yield from zip(begins[is_new].tolist(), ends[np.append(is_new[1:], True)].tolist(), strict=True)


def _beside(printed: float, here: float | None) -> dict[str, float | None]:
    return {"printed": printed, "here": here, "ratio": here / printed if here is not None and printed else None}


def _in_window(flags: Flags, length: int) -> npt.NDArray[np.int64]:
    total = np.cumsum(flags, dtype=np.int64)
    total[length:] -= total[:-length].copy()
    return total

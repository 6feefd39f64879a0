"""Samples to measure the engine by: each patient once a second in an order of its own, some of them ill.

Ill patients go through cycles of their own length. For most of a cycle their values break one of the rules' limits:
nearly all of them (a fall that is raised and clears), or some (one that keeps the rules looking and is never raised).
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alerting.engine.layout import Ints
from vitals.sustained import SustainedRule

BEGIN_MS = 1_700_000_040_000
"""A whole minute: 1 700 000 040 s."""

BAD_SHARE = 0.03
ILL_PART = 0.6
"""So much of each cycle an ill patient's values break a limit."""

_BREACHES = (0.97, 0.7, 0.6, 0.5, 0.3)
"""Of an ill patient's samples in the ill part of his cycle, how many break the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """How ill a ward is: which percentage of its patients breaks a limit at any time."""

    name: str
    ill_percent: float


CALM = Mood(name="calm", ill_percent=2.0)
SICK = Mood(name="sick", ill_percent=22.0)
"""Chosen so that with the standard adult SpO2 rules 16 % of the samples have to be held against the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Good samples as the engine takes them (rows int32, Unix ms int64, values int16; shape (n,) each).

    `good`, of shape (readings,), says which of the readings these were; those that were not are not here.
    """

    rows: Ints
    t_ms: Ints
    values: Ints
    good: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def cuts(self, readings: int) -> list[tuple[int, int]]:
        """Cut into batches of so many readings: the places of their good samples, first and end."""
        of_good = np.concatenate(([0], np.cumsum(self.good)))
        edges = of_good[np.minimum(np.arange(0, len(self.good) + readings, readings), len(self.good))].tolist()
        return [(first, end) for first, end in itertools.pairwise(edges) if end > first]


class Ward:
    """So many patients of one channel; the same seed, the same samples."""

    def __init__(self, rules: Sequence[SustainedRule], patients: int, mood: Mood, *, seed: int = 1) -> None:
        draw = np.random.Generator(np.random.SFC64(seed))
        rules = [rule for rule in rules if rule.limit != rule.never]
        self.patients, self._draw = patients, draw
        self._well = _well_values(rules, draw, patients)
        self._phase_ms = draw.integers(0, 1000, patients, np.int16)
        count = min(patients, round(patients * mood.ill_percent / 100 / ILL_PART))
        self._ill = draw.permutation(patients)[:count].astype(np.int32)
        self._cycle_s = draw.integers(120, 1500, count)
        self._offset_s = draw.integers(0, 1500, count)
        self._breaches = draw.choice(np.array(_BREACHES, np.float32), count)
        self._broken = _ill_values(rules, draw, count)

    def second(self, second: int) -> Samples:
        """Draw one second; to be called with growing seconds."""
        draw = self._draw
        now = self._well.copy()
        in_cycle_s = (second + self._offset_s) % self._cycle_s
        broken = (in_cycle_s < ILL_PART * self._cycle_s) & (draw.random(len(self._ill), np.float32) < self._breaches)
        now[self._ill[broken]] = self._broken[broken]
        good = draw.random(self.patients, np.float32) >= BAD_SHARE
        rows = draw.permutation(self.patients).astype(np.int32)[good]
        return Samples(
            rows=rows,
            t_ms=BEGIN_MS + second * 1000 + self._phase_ms[rows].astype(np.int64),
            values=now[rows],
            good=good,
        )

    def blocks(self, begin: int, seconds: int, *, of: int) -> Iterator[Samples]:
        """Draw so many seconds from `begin` on, in blocks of `of` seconds."""
        for at in range(begin, begin + seconds, of):
            yield together([self.second(second) for second in range(at, min(at + of, begin + seconds))])


def together(parts: Sequence[Samples]) -> Samples:
    """Put samples one after the other."""
    return Samples(
        rows=np.concatenate([part.rows for part in parts]),
        t_ms=np.concatenate([part.t_ms for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        good=np.concatenate([part.good for part in parts]),
    )


def _well_values(rules: Sequence[SustainedRule], draw: np.random.Generator, patients: int) -> Ints:
    """Draw a value for each patient at which every rule would clear."""
    lowest = max((rule.limit.clear_at for rule in rules if rule.low), default=None)
    highest = min((rule.limit.clear_at for rule in rules if not rule.low), default=None)
    begin = lowest if lowest is not None else (highest or 0) - 400
    end = highest if highest is not None else begin + 400
    return draw.integers(begin, end, patients, np.int16, endpoint=True)


def _ill_values(rules: Sequence[SustainedRule], draw: np.random.Generator, count: int) -> Ints:
    """Draw a value for each ill patient that breaks the limit of one of the rules, chosen for him."""
    limits = np.array([rule.limit.breach for rule in rules])
    beyond = np.array([-1 if rule.low else 1 for rule in rules])
    which = draw.integers(0, len(rules), count)
    values: Ints = (limits[which] + beyond[which] * draw.integers(1, 100, count)).astype(np.int16)
    return values

"""Seeded streams of samples, drawn as spells of level and length: what the engine is held against its oracle on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerting.engine.layout import Ints
from vitals.sustained import Limit, SustainedEvent, SustainedRule, SustainedState, step


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample of one patient's row."""

    t_ms: int
    row: int
    value: int


def rule(name: str, *, low: bool, breach: int, clear_at: int, window_s: int, building_s: int = 0) -> SustainedRule:
    """Make a rule in hundredths and seconds."""
    return SustainedRule(
        rule=name,
        low=low,
        limit=Limit(breach=breach, clear_at=clear_at),
        window_ms=window_s * 1000,
        share_percent=80,
        coverage_percent=50,
        building_ms=building_s * 1000,
        clear_ms=600_000,
        clear_gap_ms=60_000,
    )


MANY = (
    rule("CRIT", low=True, breach=8801, clear_at=8900, window_s=60, building_s=30),
    rule("REFER", low=True, breach=9300, clear_at=9400, window_s=300, building_s=60),
    rule("AMBER", low=True, breach=9401, clear_at=9500, window_s=900),
    rule("DROP", low=True, breach=9200, clear_at=9300, window_s=600, building_s=120),
    rule("OVER", low=False, breach=9699, clear_at=9650, window_s=120, building_s=40),
)
"""Rules of every grain and both directions, near the levels that `stream` draws."""

LEVELS = (8700, 8800, 8801, 8899, 8900, 9000, 9199, 9200, 9299, 9300, 9399, 9400, 9401, 9500, 9650, 9699, 9700, 9800)
PERIODS_MS = (100, 250, 1000, 1000, 1000, 4000, 9999, 10_000, 10_001, 15_000, 25_000)
SPELLS_S = (5, 20, 59, 60, 61, 120, 300, 301, 599, 601, 900, 1300)
GAPS_MS = (0, 0, 0, -5000, 30_000, 59_999, 60_000, 100_000, 299_999, 300_000, 301_000, 1_000_000)


def stream(seed: int, *, rows: int = 5, length_s: int = 1800, spell_samples_max: int = 1_000_000) -> list[Sample]:
    """Draw each row's course as spells near the limits, with dips, gaps, late samples and odd rates."""
    draw = random.Random(seed)
    samples = []
    for row in range(rows):
        t_ms = begin = 1_700_000_000_000 + draw.randrange(0, 30_000)
        while t_ms < begin + length_s * 1000:
            level, every_ms, noise = draw.choice(LEVELS), draw.choice(PERIODS_MS), draw.choice((0, 0, 0.1, 0.25))
            until = t_ms + min(draw.choice(SPELLS_S) * 1000, every_ms * spell_samples_max)
            while t_ms < until:
                value = draw.choice((7000, 9900)) if draw.random() < noise else level
                samples.append(Sample(t_ms, row, value))
                t_ms += every_ms
            t_ms += draw.choice(GAPS_MS)
    disorder_ms = draw.choice((0, 0, 3000))
    return sorted(samples, key=lambda sample: sample.t_ms + draw.random() * disorder_ms)


def columns(samples: Sequence[Sample]) -> tuple[Ints, Ints, Ints]:
    """Give samples as the engine takes them: rows, Unix ms, scaled values, shape (n,) each."""
    return (
        np.array([s.row for s in samples], np.int32),
        np.array([s.t_ms for s in samples], np.int64),
        np.array([s.value for s in samples], np.int16),
    )


Said = list[tuple[int, int, SustainedEvent]]
"""(which sample, whose row, what was said)."""


def oracle(samples: Sequence[Sample], rules: Sequence[SustainedRule]) -> tuple[Said, dict[int, SustainedState]]:
    """Judge sample by sample in plain Python; gives what was said and each row's state at the end."""
    states: dict[int, SustainedState] = {}
    said = [
        (index, sample.row, event)
        for index, sample in enumerate(samples)
        for event in step(states.setdefault(sample.row, SustainedState(rules)), sample.t_ms, sample.value)
    ]
    return said, states

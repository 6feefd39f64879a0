"""Draws what happens on a small ward, by a seed: falls, late readings, clips, orders, baselines, sweeps, snapshots."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATIENTS = (1, 2, 33)
"""The first and the last share a partition."""

EVERY_S = 3
LEVELS = (9700, 9700, 9700, 9450, 9100, 8900, 8400, 8400)
SPELLS_S = (60, 90, 150, 330, 700)
BASELINES = (9900, 9800, 9790, None)


class Doing(StrEnum):
    """What a step does."""

    STREAM = "stream"
    CLIP = "clip"
    ORDER = "order"
    REVOKE = "revoke"
    BASELINE = "baseline"
    SAY = "say"  # let what limits have changed be put into the log
    SWEEP = "sweep"
    SNAPSHOT = "snapshot"
    JUDGE = "judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing at a clinical instant; `values` (scaled) were measured from `begin` on."""

    doing: Doing
    now: datetime
    patient: int = 0
    begin: datetime = T0
    values: tuple[int, ...] = ()
    baseline: int | None = None


def script(seed: int, *, rounds: int = 14) -> list[Step]:
    """Draw a ward's course; the same seed gives the same."""
    draw = random.Random(seed)
    steps: list[Step] = []
    withheld: list[tuple[int, datetime, tuple[int, ...]]] = []
    now = T0
    for _ in range(rounds):
        length_s = draw.choice(SPELLS_S)
        begin, now = now, now + timedelta(seconds=length_s)
        for patient in PATIENTS:
            if draw.random() < 0.15:
                continue
            values = _spell(draw, length_s // EVERY_S)
            if draw.random() < 0.15:
                withheld.append((patient, begin, values))
            else:
                steps.append(Step(doing=Doing.STREAM, now=now, patient=patient, begin=begin, values=values))
        if withheld and draw.random() < 0.5:
            patient, earlier, values = withheld.pop(draw.randrange(len(withheld)))
            steps.append(Step(doing=Doing.STREAM, now=now, patient=patient, begin=earlier, values=values))
        steps += _acts(draw, now)
        if draw.random() < 0.7:
            steps.append(Step(doing=Doing.JUDGE, now=now))
        if draw.random() < 0.3:
            now += timedelta(seconds=draw.choice((5, 130)))
            steps.append(Step(doing=Doing.SWEEP, now=now))
        if draw.random() < 0.2:
            steps.append(Step(doing=Doing.SNAPSHOT, now=now))
    return [*steps, Step(doing=Doing.SAY, now=now), Step(doing=Doing.JUDGE, now=now)]


def _spell(draw: random.Random, count: int) -> tuple[int, ...]:
    level, noise = draw.choice(LEVELS), draw.choice((0, 0, 0.1, 0.3))
    return tuple(draw.choice((9800, 8000)) if draw.random() < noise else level for _ in range(count))


def _acts(draw: random.Random, now: datetime) -> list[Step]:
    found = []
    for doing, share in ((Doing.CLIP, 0.2), (Doing.ORDER, 0.2), (Doing.REVOKE, 0.1), (Doing.BASELINE, 0.3)):
        if draw.random() < share:
            patient, baseline = draw.choice(PATIENTS), draw.choice(BASELINES)
            at, values = now - timedelta(seconds=1), (draw.choice(LEVELS),)  # between two samples of a stream
            found.append(Step(doing=doing, now=now, patient=patient, begin=at, values=values, baseline=baseline))
    return [*found, Step(doing=Doing.SAY, now=now)] if draw.random() < 0.5 else found

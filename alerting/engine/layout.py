"""How a patient's state lies in memory: 12 hot bytes, 48 of bucket counts, and some for the rules of each signal.

Hot (`word`, `band`) proves that a sample is of no interest: it is newer than the last one, in the same 10 s, and
inside the band of values that change nothing for any rule, as each stands now. `ring` holds how many samples each
bucket of each grain had; `tail` holds for each rule how many of them broke its limit, where it stands, and how long it
has been well.
All numbers are unsigned bytes: COUNT_MAX samples in 10 s fill a bucket of 60 s with 240.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vitals.sustained import BUCKET_MS, GRAINS, SustainedRule

Ints = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]

COUNT_MASK, BUSY, TIME_SHIFT = 63, 64, 7
"""`word` is the last sample's Unix ms, one bit that says whether `tail` holds anything, and the count of its 10 s."""

RING_OFFSETS = tuple(sum(grain.slots for grain in GRAINS[:i]) for i in range(len(GRAINS)))
AGE_OFFSET = sum(grain.slots for grain in GRAINS)
RING_BYTES = 48
"""40 of counts, three of ages, one free, four that name the set of limits: four patients share three cache lines."""

HOT_BAND = -(1 << 31) + 32767
"""The band from 32767 to -32768, in which nothing lies: each sample is of interest."""

EVENT_DTYPE = np.dtype(
    [
        ("row", "<i4"),
        ("index", "<i4"),  # which sample of the batch decided
        ("rule", "u1"),
        ("kind", "u1"),
        ("value", "<i2"),
        ("at_ms", "<i8"),
        ("since_ms", "<i8"),
        ("valid", "<i4"),
        ("below", "<i4"),
        ("buckets", "<i4"),
    ]
)
"""What a rule said about which row; in order of the samples that decided, then of the rules."""

Events = npt.NDArray[np.void]


TENS = tuple(grain.bucket_ms // BUCKET_MS for grain in GRAINS)
"""How many of the shortest buckets make one of each grain."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Where each rule's bytes lie in `tail`, and its numbers as arrays of shape (rules,)."""

    rules: tuple[SustainedRule, ...]
    below_offset: Ints
    phase_offset: int
    well_offset: int
    tail_bytes: int
    grain: Ints
    low: Flags
    window: Ints
    building: Ints
    share: Ints
    coverage: Ints
    clear_buckets: Ints
    clear_gap_buckets: Ints

    def below_words(self, rule: int) -> slice:
        """Where a rule's counts lie in `tail`, in words of eight."""
        begin = int(self.below_offset[rule]) // 8
        return slice(begin, begin + self.rules[rule].grain.slots // 8)


def plan(rules: Sequence[SustainedRule]) -> Plan:
    """Lay out the rules of one signal."""
    slots = [rule.grain.slots for rule in rules]
    below = sum(slots)
    return Plan(
        rules=tuple(rules),
        below_offset=_ints(sum(slots[:i]) for i in range(len(slots))),
        phase_offset=below,
        well_offset=below + len(slots),
        tail_bytes=-(-(below + 2 * len(slots)) // 8) * 8,
        grain=_ints(rule.grain_index for rule in rules),
        low=np.array([rule.low for rule in rules], np.bool_),
        window=_ints(rule.window_buckets for rule in rules),
        building=_ints(rule.building_buckets for rule in rules),
        share=_ints(rule.share_percent for rule in rules),
        coverage=_ints(rule.coverage_percent for rule in rules),
        clear_buckets=_ints(rule.clear_buckets for rule in rules),
        clear_gap_buckets=_ints(rule.clear_gap_buckets for rule in rules),
    )


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int64)

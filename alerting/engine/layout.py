"""How a patient's state lies in memory: 12 hot bytes, up to 48 of bucket counts, and some for the rules of each signal.

Hot (`word`, `band`) proves that a sample is of no interest: it is newer than the last one, in the same 10 s, and
inside the band of values that change nothing for any rule, as each stands now. `ring` holds how many samples each
bucket of each grain in use had; `tail` holds for each rule how many of them broke its limit, where it stands, and how
long it has been well.
All numbers are unsigned bytes: COUNT_MAX samples in 10 s fill a bucket of 60 s with 240.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from alerting.engine.packed import Ints as Ints
from alerting.engine.packed import Words, last_buckets
from vitals.sustained import BUCKET_MS, GRAINS, Grain, SustainedRule

Flags = npt.NDArray[np.bool_]

COUNT_MASK, BUSY, TIME_SHIFT = 63, 64, 7
"""`word` is the last sample's Unix ms, one bit that says whether `tail` holds anything, and the count of its 10 s."""

RING_END_BYTES = 8
"""Behind a row's counts: three of ages, one free, four that name the set of limits."""

HOT_BAND = -(1 << 31) + 32767
"""The band from 32767 to -32768, in which nothing lies: each sample is of interest.

The two ends are no values: -32768 is NO_VALUE, and above 32766 no signal's plausible range goes.
"""

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


class Plan:
    """Where each rule's bytes lie in `tail`, and its numbers as arrays of shape (rules,).

    `grains` are those of any rule: only these are in `ring`, one after the other (`ring_offsets`, by grain), and behind
    them the ages.
    """

    def __init__(self, rules: Sequence[SustainedRule]) -> None:
        self.rules = tuple(rules)
        slots = [rule.grain.slots for rule in rules]
        below = sum(slots)
        self.below_offset = _ints(sum(slots[:i]) for i in range(len(slots)))
        self.phase_offset, self.well_offset = below, below + len(slots)
        self.phase_columns = slice(self.phase_offset, self.well_offset)
        self.well_columns = slice(self.well_offset, self.well_offset + len(slots))
        self.tail_bytes = -(-(below + 2 * len(slots)) // 8) * 8
        self.grain = _ints(rule.grain_index for rule in rules)
        self.grains = tuple(sorted({rule.grain_index for rule in rules}))
        kept = [grain.slots if index in self.grains else 0 for index, grain in enumerate(GRAINS)]
        self.ring_offsets = tuple(sum(kept[:index]) for index in range(len(GRAINS)))
        self.age_offset = sum(kept)
        self.ring_bytes = self.age_offset + RING_END_BYTES
        self.low = np.array([rule.low for rule in rules], np.bool_)
        self.window = _ints(rule.window_buckets for rule in rules)
        self.building = _ints(rule.building_buckets for rule in rules)
        self.share = _ints(rule.share_percent for rule in rules)
        self.coverage = _ints(rule.coverage_percent for rule in rules)
        self.clear_buckets = _ints(rule.clear_buckets for rule in rules)
        self.clear_gap_buckets = _ints(rule.clear_gap_buckets for rule in rules)
        self.tens = _ints(TENS[rule.grain_index] for rule in rules)
        self.slot_mask = _ints(slot - 1 for slot in slots)
        self.ring_word = _ints(self.ring_offsets[rule.grain_index] // 8 for rule in rules)
        self.nothing = np.where(self.low, -32768, 32767).astype(np.int16)
        self.everything = np.where(self.low, 32767, -32768).astype(np.int16)
        self.inside = _masks([(rule.grain, rule.window_buckets + 1) for rule in rules])
        self.recent = _masks([(rule.grain, rule.building_buckets) for rule in rules])
        self.present = _masks([(rule.grain, 1) for rule in rules])

    def below_words(self, rule: int) -> slice:
        """Where a rule's counts lie in `tail`, in words of eight."""
        begin = int(self.below_offset[rule]) // 8
        return slice(begin, begin + self.rules[rule].grain.slots // 8)


def _masks(buckets: Sequence[tuple[Grain, int]]) -> Words:
    """Mask the last buckets of each rule, shape (rules, 16, 2): by the present one's slot, in two words of eight."""
    masks = np.zeros((len(buckets), 16, 2), np.uint64)
    for mask, (grain, count) in zip(masks, buckets, strict=True):
        mask[: grain.slots, : grain.slots // 8] = last_buckets(grain, count)
    return masks


def _ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), np.int64)

"""Eight counts in a word say what a loop over the bytes says, also where a bucket is full."""

import numpy as np
import pytest

from alerting.engine.packed import filled, kept, last_buckets, total
from vitals.sustained import COUNT_MAX, GRAINS, Grain

FULLEST = max(COUNT_MAX * grain.bucket_ms // 10_000 for grain in GRAINS)


@pytest.mark.parametrize("words", [1, 2])
def test_sums_and_filled_buckets_of_any_counts(words: int) -> None:
    draw = np.random.default_rng(words)
    counts = draw.choice(np.array([0, 0, 1, 127, 128, FULLEST, 255], np.uint8), (2000, 8 * words))
    counts[:2] = [[255] * 8 * words, [0] * 8 * words]
    packed = counts.view(np.uint64)
    assert total(packed).tolist() == counts.sum(axis=1).tolist()
    assert filled(packed).tolist() == (counts > 0).sum(axis=1).tolist()


@pytest.mark.parametrize("grain", GRAINS, ids=lambda grain: str(grain.bucket_ms))
def test_masks_hold_the_last_buckets_and_what_time_leaves(grain: Grain) -> None:
    of_count = {count: last_buckets(grain, count).view(np.uint8) for count in range(grain.slots + 1)}
    left = kept(grain).view(np.uint8)
    for present in range(grain.slots):
        for count, mask in of_count.items():
            last = {(present - back) % grain.slots for back in range(count)}
            assert mask[present].tolist() == [255 * (slot in last) for slot in range(grain.slots)]
            assert left[present, count].tolist() == [255 * (slot not in last) for slot in range(grain.slots)]

"""The alert engine's feed: normalised readings as 24-byte rows, one payload a partition and batch; and their pivot.

A payload of `intake_log` whose kind is `readings` is rows of `FEED_DTYPE` back to back, little endian, in ascending
measured time; nothing else stands in it. Only readings newly stored in `sample` are in the log, each exactly once.
What stands in a batch of another kind is its writer's own; a reader that does not know the kind passes over it.
"""

import itertools
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from ingest.ordering import begins, order_by
from vitals.reading import NO_VALUE
from vitals.signals import SIGNAL_COUNT

PARTITION_COUNT = 32


class BatchKind(StrEnum):
    """What a batch of the log holds."""

    READINGS = "readings"
    LIMITS = "limits"  # what patients are held to from here on: alerting's own (alerting/judging/held.py)
    MOVED = "moved"  # readings that are another patient's than was said (ingest/moved.py)


ABSENT = 255
"""The quality byte of a signal that is not in a sample."""

FEED_DTYPE = np.dtype(
    {
        "names": ["measured_ms", "patient", "device", "value", "signal", "quality", "reason", "acquisition"],
        "formats": ["<i8", "<i4", "<i4", "<i2", "u1", "u1", "u1", "u1"],
        "offsets": [0, 8, 12, 16, 18, 19, 20, 21],
        "itemsize": 24,
    }
)
"""One reading: Unix ms, patient_id, device_id, scaled value (NO_VALUE: none), signal code, quality, reason, mode."""

SAMPLE_DTYPE = np.dtype(
    [
        ("measured_ms", "<i8"),
        ("patient", "<i4"),
        ("device", "<i4"),
        ("acquisition", "u1"),
        ("value", "<i2", (SIGNAL_COUNT,)),
        ("word", "u1", (SIGNAL_COUNT,)),
    ]
)
"""What one device said at one instant; `value` and `word` (quality * 64 + reason, or ABSENT) in code order."""

Rows = NDArray[np.void]
"""Rows of one of these types, or of one with the same fields. (`take` gathers them eight times as fast as an index.)"""

PLACE = ("patient", "measured_ms", "device")
"""The fields that say to which sample a reading belongs."""


class FeedError(ValueError):
    """A payload is no whole number of 24-byte rows."""


def payloads(rows: Rows) -> list[tuple[int, bytes]]:
    """Write feed rows as one payload for each partition that has any: partitions ascending, in each the times too."""
    partitions = partition_of(rows["patient"])
    order = order_by(partitions, rows["measured_ms"])
    packed = np.zeros(len(rows), FEED_DTYPE)  # the two bytes of padding are zero
    for name in FEED_DTYPE.names or ():
        packed[name] = rows[name][order]
    edges = np.searchsorted(partitions[order], np.arange(PARTITION_COUNT + 1)).tolist()
    return [
        (partition, packed[first:end].tobytes())
        for partition, (first, end) in enumerate(itertools.pairwise(edges))
        if first < end
    ]


def from_payload(payload: bytes) -> Rows:
    """Read a payload's rows (read-only, no copy). Raises FeedError."""
    if len(payload) % FEED_DTYPE.itemsize:
        raise FeedError(f"{len(payload)} bytes are no whole number of {FEED_DTYPE.itemsize}-byte rows")
    return np.frombuffer(payload, FEED_DTYPE)


def partition_of(patients: NDArray[np.integer]) -> NDArray[np.int16]:
    """Give each patient's partition: the unit of order, engine state and ownership."""
    return (patients % PARTITION_COUNT).astype(np.int16)


def quality_word(rows: Rows) -> NDArray[np.uint8]:
    """Give each row's quality byte as it lies in `sample.quality`."""
    return np.asarray(rows["quality"] * 64 + rows["reason"], np.uint8)


def pivot_index(rows: Rows, order: NDArray[np.intp]) -> tuple[Rows, NDArray[np.intp]]:
    """Gather feed rows, of which an order by PLACE is known, into wide samples of SAMPLE_DTYPE in that order.

    Say for each row into which sample it went. A signal may stand once per sample (`ingest.judging.identity` sorts
    repeats out); of several modes the first counts.
    """
    ordered = rows.take(order)
    first = begins(*(ordered[name] for name in PLACE))
    samples = np.zeros(int(first.sum()), SAMPLE_DTYPE)
    for name in ("measured_ms", "patient", "device", "acquisition"):
        samples[name] = ordered[name][first]
    samples["value"] = NO_VALUE
    samples["word"] = ABSENT
    ordered_sample, column = np.cumsum(first) - 1, ordered["signal"].astype(np.intp) - 1
    samples["value"][ordered_sample, column] = ordered["value"]
    samples["word"][ordered_sample, column] = quality_word(ordered)
    sample_of_row = np.empty(len(rows), np.intp)
    sample_of_row[order] = ordered_sample
    return samples, sample_of_row

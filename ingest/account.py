"""Which rows of an outbox have been taken over: ranges of row numbers, half open, as in `outbox_account.taken`."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ingest.ordering import begins, order_by

Range = tuple[int, int]
"""First row and the one past the last."""


def contains(ranges: Sequence[Range], numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of each number whether it lies in one of the ranges (ascending, not overlapping)."""
    if not ranges:
        return np.zeros(len(numbers), bool)
    starts, ends = np.array(ranges, np.int64).T
    at = np.searchsorted(starts, numbers, side="right") - 1
    return np.asarray((at >= 0) & (numbers < ends[at]))


def runs(numbers: NDArray[np.int64]) -> list[Range]:
    """Gather numbers, in any order, into ranges."""
    if not len(numbers):
        return []
    ordered = np.unique(numbers)
    breaks = np.flatnonzero(np.diff(ordered) != 1)
    starts = ordered[np.concatenate(([0], breaks + 1))]
    ends = ordered[np.concatenate((breaks, [len(ordered) - 1]))] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Join ranges that touch or overlap, ascending."""
    joined: list[Range] = []
    for first, end in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((first, end))
    return joined


def missing(taken: Sequence[Range]) -> list[Range]:
    """Give the holes between row 0 and the last row taken: sent later, lost, or thinned by the gateway."""
    edges = [0, *(edge for pair in taken for edge in pair)]
    return [(first, end) for first, end in zip(edges[:-1:2], edges[1::2], strict=True) if first < end]


def count(ranges: Iterable[Range]) -> int:
    """Count the rows in ranges that do not overlap."""
    return sum(end - first for first, end in ranges)


def first_seen(outbox: NDArray[np.integer], row_no: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the first of each (outbox, row number) within a batch."""
    order = order_by(outbox, row_no)
    first = np.empty(len(order), bool)
    first[order] = begins(outbox[order], row_no[order])
    return first


def literal(ranges: Iterable[Range]) -> str:
    """Write ranges as an int8multirange literal."""
    return "{" + ",".join(f"[{first},{end})" for first, end in ranges) + "}"

"""Stable orders of rows by several columns: one sort of one packed number where the columns' ranges allow it."""

import numpy as np
from numpy.typing import NDArray

_BITS_MAX = 63


def order_by(*columns: NDArray[np.integer] | NDArray[np.bool_]) -> NDArray[np.intp]:
    """Give the places of the rows in ascending order of the columns, the most significant first; equal rows stay.

    The columns are packed into one int64, each as wide as its range in these rows, which sorts several times faster
    than column after column; a batch whose ranges are too wide for it is sorted that way.
    """
    if not len(columns[0]):
        return np.zeros(0, np.intp)
    packed = np.zeros(len(columns[0]), np.int64)
    width = 0
    for column in columns:
        low, high = int(column.min()), int(column.max())
        bits = (high - low).bit_length()
        width += bits
        if width > _BITS_MAX:
            return np.lexsort(columns[::-1])
        packed <<= bits
        packed |= column.astype(np.int64) - low
    return np.argsort(packed, kind="stable")


def begins(*columns: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Mark the first row of each run of rows that are equal in all columns."""
    first = np.zeros(len(columns[0]), bool)
    first[:1] = True
    for column in columns:
        first[1:] |= column[1:] != column[:-1]
    return first

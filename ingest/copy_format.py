"""PostgreSQL's binary COPY, built from NumPy columns in one buffer: no Python per row, also with NULLs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_POSTGRES_EPOCH_MS = 946_684_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: a row of big-endian bytes per value, and which values are NULL (None: none is)."""

    cells: NDArray[np.uint8]
    null: NDArray[np.bool_] | None = None


def int2(values: NDArray[np.integer], null: NDArray[np.bool_] | None = None) -> Column:
    """Make a smallint column."""
    return Column(cells=_cells(values, ">i2"), null=null)


def int4(values: NDArray[np.integer]) -> Column:
    """Make an integer column."""
    return Column(cells=_cells(values, ">i4"))


def timestamptz(unix_ms: NDArray[np.integer], null: NDArray[np.bool_] | None = None) -> Column:
    """Make a timestamptz column from Unix milliseconds."""
    return Column(cells=_cells((unix_ms.astype(np.int64) - _POSTGRES_EPOCH_MS) * 1000, ">i8"), null=null)


def octets(values: NDArray[np.uint8], null: NDArray[np.bool_] | None = None) -> Column:
    """Make a bytea column of one length for all rows."""
    return Column(cells=np.ascontiguousarray(values), null=null)


def copy_bytes(columns: Sequence[Column]) -> bytes:
    """Write the columns as one binary COPY stream."""
    count = len(columns[0].cells)
    width = 2 + sum(4 + column.cells.shape[1] for column in columns)
    record = np.empty((count, width), np.uint8)
    keep = np.ones((count, width), bool)
    record[:, :2] = np.frombuffer(len(columns).to_bytes(2, "big"), np.uint8)
    at = 2
    for column in columns:
        size = column.cells.shape[1]
        record[:, at : at + 4] = np.frombuffer(size.to_bytes(4, "big"), np.uint8)
        record[:, at + 4 : at + 4 + size] = column.cells
        if column.null is not None:
            record[column.null, at : at + 4] = 255  # length -1: NULL
            keep[column.null, at + 4 : at + 4 + size] = False
        at += 4 + size
    return _SIGNATURE + record[keep].tobytes() + _TRAILER


def _cells(values: NDArray[np.integer], kind: str) -> NDArray[np.uint8]:
    return np.ascontiguousarray(values).astype(kind).view(np.uint8).reshape(len(values), -1)

"""PostgreSQL's binary COPY, built from NumPy columns: no Python per row, also with NULLs.

Rows that are NULL in the same columns have records of the same form, so each such group is one structured array.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = -1
_POSTGRES_EPOCH_MS = 946_684_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its values, the big-endian dtype in which they are written, and which are NULL (None: none is)."""

    values: NDArray[np.generic]
    kind: str
    null: NDArray[np.bool_] | None = None


def int2(values: NDArray[np.integer], null: NDArray[np.bool_] | None = None) -> Column:
    """Make a smallint column."""
    return Column(values=values, kind=">i2", null=null)


def int4(values: NDArray[np.integer]) -> Column:
    """Make an integer column."""
    return Column(values=values, kind=">i4")


def timestamptz(unix_ms: NDArray[np.integer], null: NDArray[np.bool_] | None = None) -> Column:
    """Make a timestamptz column from Unix milliseconds."""
    return Column(values=(unix_ms.astype(np.int64) - _POSTGRES_EPOCH_MS) * 1000, kind=">i8", null=null)


def octets(values: NDArray[np.uint8], null: NDArray[np.bool_] | None = None) -> Column:
    """Make a bytea column of one length for all rows, from one row of octets a value."""
    size = values.shape[1]
    return Column(values=np.ascontiguousarray(values).view(f"V{size}")[:, 0], kind=f"V{size}", null=null)


def copy_bytes(columns: Sequence[Column]) -> bytes:
    """Write the columns as one binary COPY stream; the rows' order is kept within those that are NULL alike."""
    count = len(columns[0].values)
    absent = np.zeros(count, np.int64)
    for place, column in enumerate(columns):
        if column.null is not None and column.null.any():
            absent |= column.null.astype(np.int64) << place
    groups = np.unique(absent).tolist() if absent.any() else [0]
    if len(groups) == 1:
        return b"".join((_SIGNATURE, _records(columns, groups[0], slice(None), count), _TRAILER))
    chosen = ((group, np.flatnonzero(absent == group)) for group in groups)
    return b"".join((_SIGNATURE, *(_records(columns, group, at, len(at)) for group, at in chosen), _TRAILER))


def _records(columns: Sequence[Column], absent: int, rows: NDArray[np.intp] | slice, count: int) -> bytes:
    """Write rows that are NULL in the columns whose bits are set in `absent`."""
    fields = [("columns", ">i2")]
    for place, column in enumerate(columns):
        fields.append((f"size{place}", ">i4"))
        if not absent >> place & 1:
            fields.append((f"value{place}", column.kind))
    form = np.dtype(fields)
    blank = np.zeros(1, form)
    blank["columns"] = len(columns)
    for place, column in enumerate(columns):
        blank[f"size{place}"] = _NULL if absent >> place & 1 else np.dtype(column.kind).itemsize
    records = np.repeat(blank, count)
    for place, column in enumerate(columns):
        if not absent >> place & 1:
            records[f"value{place}"] = column.values[rows]
    return records.tobytes()

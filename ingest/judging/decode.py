"""From payloads to rows: packed or JSON messages become one NumPy array, without per-reading Python for packed ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.feed import Rows
from ingest.judging.rejection import Rejection
from vitals.reading import NO_VALUE
from vitals.signals import SIGNALS, Signal
from vitals.wire import Header, WireError, unpack
from vitals.wire_json import ROW_NUMBER_MAX, JsonMessage, JsonWireError, unpack_json

PACKED_DTYPE = np.dtype(
    [("offset", "<u2"), ("device", "u1"), ("signal", "u1"), ("value", "<i2"), ("quality", "u1"), ("reason", "u1")]
)
"""A row as it lies in a packed message (vitals.wire)."""

WIDE_DTYPE = np.dtype(
    [("offset_ms", "<i8"), ("device", "u1"), ("signal", "u1"), ("value", "<i2"), ("quality", "u1"), ("reason", "u1")]
)
"""The same row with a wide offset, as JSON gives it."""

READING_DTYPE = np.dtype(
    [
        ("row_no", "<i8"),
        ("gateway_ms", "<i8"),
        ("message", "<i4"),
        ("slot", "<i4"),
        ("value", "<i2"),
        ("signal", "u1"),
        ("quality", "u1"),
        ("reason", "u1"),
    ]
)
"""A row of a collected batch: message and slot index the batch's messages and their device tables laid end to end
(slot -1: outside its table); gateway_ms is the time by the gateway's clock."""

_TIME_MS_MAX = 2**60


class Refused(ValueError):
    """A message can not be read: carries the named reason and the field, if one is to blame.

    The text names the offending value.
    """

    def __init__(self, reason: Rejection, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A message that could be read; its rows are PACKED_DTYPE or WIDE_DTYPE."""

    header: Header
    rows: Rows

    @property
    def row_count(self) -> int:
        """Say how many readings it holds."""
        return len(self.rows)


def read_packed(payload: bytes) -> Decoded:
    """Read a packed message. Raises Refused, and nothing else, on any bytes."""
    try:
        message = unpack(payload)
    except WireError as exc:
        raise Refused(Rejection(exc.fault.value), str(exc)) from exc
    return Decoded(header=_numbered(message.header), rows=np.frombuffer(message.rows, PACKED_DTYPE))


def read_json(payload: bytes) -> Decoded:
    """Read the JSON twin. Raises Refused, and nothing else, on any bytes."""
    try:
        message = unpack_json(payload)
    except JsonWireError as exc:
        raise Refused(Rejection(exc.fault.value), str(exc), field=exc.field) from exc
    return Decoded(header=_numbered(message.header), rows=_columns(message))


def is_urgent(decoded: Decoded, spo2_below: int) -> bool:
    """Say whether a live message holds an SpO2 below the bound (scaled): it ends the collecting window."""
    rows = decoded.rows
    if decoded.header.backlog:
        return False
    low = (rows["signal"] == SIGNALS[Signal.SPO2].code) & (rows["value"] < spo2_below) & (rows["value"] != NO_VALUE)
    return bool(low.any())


def gather(messages: Sequence[Decoded]) -> Rows:
    """Lay the rows of several messages end to end, in order, as READING_DTYPE."""
    counts = np.array([message.row_count for message in messages], np.int64)
    rows = np.empty(int(counts.sum()), READING_DTYPE)
    rows["message"] = np.repeat(np.arange(len(messages)), counts)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows["row_no"] = np.repeat(_int64(m.header.first_row for m in messages), counts) + within
    wide = np.repeat(np.array([m.rows.dtype == WIDE_DTYPE for m in messages], bool), counts)
    device = np.empty(len(rows), np.int32)
    _spread(messages, rows, device, wide)
    rows["gateway_ms"] += np.repeat(_int64(_clipped(m.header.t0_ms) for m in messages), counts)
    table_sizes = _int64(len(m.header.devices) for m in messages)
    table_start = np.cumsum(table_sizes) - table_sizes
    known = device < np.repeat(table_sizes, counts)
    rows["slot"] = np.where(known, np.repeat(table_start, counts) + device, -1)
    return rows


def _spread(messages: Sequence[Decoded], rows: Rows, device: NDArray[np.int32], wide: NDArray[np.bool_]) -> None:
    """Fill in what stands in the rows themselves: one buffer for all packed messages, one for all JSON ones."""
    packed = np.frombuffer(b"".join(m.rows.data for m in messages if m.rows.dtype == PACKED_DTYPE), PACKED_DTYPE)
    columns = np.frombuffer(b"".join(m.rows.data for m in messages if m.rows.dtype == WIDE_DTYPE), WIDE_DTYPE)
    unit = np.array([m.header.offset_unit_ms for m in messages], np.int64)
    rows["gateway_ms"][~wide] = packed["offset"] * unit[rows["message"][~wide]]
    rows["gateway_ms"][wide] = columns["offset_ms"]
    for source, target in ((packed, ~wide), (columns, wide)):
        device[target] = source["device"]
        for name in ("signal", "value", "quality", "reason"):
            rows[name][target] = source[name]


def _columns(message: JsonMessage) -> Rows:
    rows = np.empty(len(message.offset_ms), WIDE_DTYPE)
    rows["offset_ms"] = message.offset_ms
    rows["device"] = message.device_index
    rows["signal"] = message.signal_code
    rows["value"] = message.value
    rows["quality"] = message.quality
    rows["reason"] = message.reason
    return rows


def _numbered(header: Header) -> Header:
    if not 0 <= header.first_row <= ROW_NUMBER_MAX:
        raise Refused(Rejection.BAD_ROW_NUMBER, f"first row {header.first_row} is not within 0 to {ROW_NUMBER_MAX}")
    return header


def _clipped(time_ms: int) -> int:
    """Keep an absurd time absurd, yet far from int64's edge, so that arithmetic with it can not wrap."""
    return max(-_TIME_MS_MAX, min(_TIME_MS_MAX, time_ms))


def _int64(numbers: object) -> NDArray[np.int64]:
    return np.fromiter(numbers, np.int64)  # type: ignore[call-overload,no-any-return]

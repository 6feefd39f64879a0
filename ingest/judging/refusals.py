"""What is put aside: one row of `rejected` per message, reason and device; its detail names the offending value."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from ingest.account import Range
from ingest.feed import Rows
from ingest.judging.rejection import ROW_REJECTIONS, Rejection
from ingest.judging.screening import Incoming

PAYLOAD_BYTES_MAX = 256 * 1024
"""More of an oversized payload is not kept; `detail` says how large it was."""

REFUSED_DTYPE = np.dtype(
    [
        ("row_no", "<i8"),
        ("measured_ms", "<i8"),
        ("value", "<i2"),
        ("signal", "u1"),
        ("quality", "u1"),
        ("reason", "u1"),
        ("acquisition", "u1"),
        ("flags", "<u2"),
    ]
)
"""A refused reading in `rejected.payload`: as it came, with its row number and the time it was mapped to."""

SYNCHRONISED, MOVED = 1, 2
"""Flags: a synchronised clock vouched for its time; it was ahead and moved back. (Rows of before have none.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One row of `rejected`."""

    received_ms: int
    source: str
    reason: Rejection
    detail: str
    readings: int
    payload: bytes
    device: str | None = None
    measured_ms: int | None = None
    outbox_id: UUID | None = None
    first_row: int | None = None
    last_row: int | None = None
    earliest_ms: int | None = None
    latest_ms: int | None = None
    own_rows: tuple[Range, ...] | None = None
    """Of a message refused whole: the rows that it stands for; the others were taken before."""


def refusals_of(messages: Sequence[Incoming], rows: Rows, owners: Mapping[UUID, str]) -> Iterator[Refusal]:
    """Group the refused rows of a screened batch; rows taken or repeated are passed over."""
    refused = rows[rows["rejection"] < len(ROW_REJECTIONS)]
    order = np.lexsort((refused["row_no"], refused["slot"], refused["rejection"], refused["message"]))
    refused = refused[order]
    starts = np.zeros(len(refused), bool)
    starts[:1] = True
    for name in ("message", "rejection", "slot"):
        starts[1:] |= refused[name][1:] != refused[name][:-1]
    devices = [entry.device for message in messages for entry in message.decoded.header.devices]
    edges = [*np.flatnonzero(starts).tolist(), len(refused)]
    for first, end in itertools.pairwise(edges):
        yield _refusal(messages, devices, owners, refused[first:end])


def detail_of(message: Incoming, owner: str | None, device: str | None, row: np.void) -> str:
    """Name the offending value of a refused row (SCREENED_DTYPE)."""
    measured = instant(int(row["measured_ms"])) or f"{int(row['measured_ms'])} ms"
    received = instant(message.received_ms)
    signal = int(row["signal"])
    return {
        Rejection.UNKNOWN_GATEWAY: f"gateway {message.gateway_id!r} is not in the registry",
        Rejection.FOREIGN_OUTBOX: (
            f"outbox {message.decoded.header.outbox_id} belongs to gateway {owner!r}, not to {message.gateway_id!r}"
        ),
        Rejection.BAD_DEVICE_INDEX: f"the table has {len(message.decoded.header.devices)} devices",
        Rejection.UNKNOWN_SIGNAL: f"signal code {signal}",
        Rejection.BAD_QUALITY: f"quality {int(row['quality'])}, reason {int(row['reason'])}",
        Rejection.SIMULATED: f"device {device!r} gives reason {int(row['reason'])}, gateway {message.gateway_id!r} is"
        " at no simulator site",
        Rejection.UNKNOWN_DEVICE: f"device {device!r} is not in the registry",
        Rejection.FUTURE: f"measured at {measured}, received at {received}",
        Rejection.TOO_OLD: f"measured at {measured}, received at {received}",
        Rejection.UNBOUND_DEVICE: f"device {device!r} had no patient at {measured}",
        Rejection.AMBIGUOUS: f"device {device!r} changed its patient between {measured} and {received}",
        Rejection.CONFLICT: f"signal code {signal}: {int(row['value'])} at {measured} differs from what is stored",
    }[ROW_REJECTIONS[int(row["rejection"])]]


def instant(unix_ms: int) -> datetime | None:
    """Give a time as UTC, None where no calendar holds it."""
    try:
        return datetime.fromtimestamp(unix_ms // 1000, UTC).replace(microsecond=unix_ms % 1000 * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def _refusal(messages: Sequence[Incoming], devices: Sequence[str], owners: Mapping[UUID, str], group: Rows) -> Refusal:
    first = group[0]
    message = messages[int(first["message"])]
    reason = ROW_REJECTIONS[int(first["rejection"])]
    device = devices[int(first["slot"])] if first["slot"] >= 0 else None
    payload = np.zeros(len(group), REFUSED_DTYPE)
    for name in REFUSED_DTYPE.names or ():
        if name != "flags":
            payload[name] = group[name]
    payload["flags"] = message.decoded.header.synchronised * SYNCHRONISED + group["moved"] * MOVED
    return Refusal(
        received_ms=message.received_ms,
        source=message.gateway_id,
        reason=reason,
        detail=detail_of(message, owners.get(message.decoded.header.outbox_id), device, first),
        readings=len(group),
        payload=payload.tobytes(),
        device=device,
        measured_ms=int(first["measured_ms"]),
        outbox_id=message.decoded.header.outbox_id,
        first_row=int(group["row_no"].min()),
        last_row=int(group["row_no"].max()),
        earliest_ms=int(group["measured_ms"].min()),
        latest_ms=int(group["measured_ms"].max()),
    )

"""Readings that lie in `rejected`, as messages that can be screened once more (core): what came, when, and from whom.

Their times were mapped when they came and stay so; all else is judged by the registry of now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from ingest.feed import Rows
from ingest.judging.bindings import Bindings
from ingest.judging.decode import PACKED_DTYPE, READING_DTYPE, Decoded
from ingest.judging.refusals import MOVED, REFUSED_DTYPE, SYNCHRONISED
from ingest.judging.rejection import Rejection
from ingest.judging.screening import DAY_MS, TAKEN, Incoming, rejection_code, screen
from vitals.quality import Reason
from vitals.wire import DeviceEntry, Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying:
    """One row of `rejected` that stands for single readings (rows of REFUSED_DTYPE, one device)."""

    rejected_id: int
    received_ms: int
    source: str
    reason: Rejection
    device: str | None
    outbox_id: UUID
    rows: Rows


def as_message(lying: Lying) -> Incoming:
    """Make the message that these rows were part of, as far as judging them needs it; its rows are apart."""
    acquisition = int(lying.rows["acquisition"][0])
    header = Header(
        outbox_id=lying.outbox_id,
        first_row=int(lying.rows["row_no"].min()),
        boot_id=0,
        t0_ms=lying.received_ms,
        sent_ms=lying.received_ms,  # no shift: the times are mapped
        synchronised=bool(lying.rows["flags"][0] & SYNCHRONISED),
        backlog=True,
        offset_unit_ms=1,
        devices=() if lying.device is None else (DeviceEntry(device=lying.device, acquisition=acquisition),),
    )
    decoded = Decoded(header=header, rows=np.zeros(0, PACKED_DTYPE))
    return Incoming(gateway_id=lying.source, received_ms=lying.received_ms, decoded=decoded)


def judge_again(
    lying: Sequence[Lying],
    bindings: Bindings,
    *,
    owners: Mapping[UUID, str],
    retention_days: int,
    now_ms: int,
) -> Rows:
    """Screen what lies there by the registry of now: SCREENED_DTYPE rows, those of each in their order.

    What has become too old to be kept meanwhile is too old.
    """
    rows = screen(
        [as_message(each) for each in lying], _readings(lying), bindings, owners=owners, retention_days=retention_days
    ).rows
    flags = np.concatenate([each.rows["flags"] for each in lying])
    rows["moved"] = (flags & MOVED) // MOVED
    refuse_too_old(rows, retention_days=retention_days, now_ms=now_ms)
    taken_and_moved = (rows["rejection"] == TAKEN) & (rows["moved"] == 1)
    rows["reason"][taken_and_moved & (rows["reason"] == Reason.NONE)] = Reason.CLOCK_AHEAD
    return rows


def refuse_too_old(rows: Rows, *, retention_days: int, now_ms: int) -> None:
    """Refuse what is too old by now, whenever it came: its day may be dropped already."""
    too_old = (rows["rejection"] == TAKEN) & (rows["measured_ms"] < now_ms - retention_days * DAY_MS)
    rows["rejection"][too_old] = rejection_code(Rejection.TOO_OLD)


def rows_of(payload: bytes) -> Rows:
    """Read `rejected.payload` of single readings."""
    return np.frombuffer(payload, REFUSED_DTYPE)


def _readings(lying: Sequence[Lying]) -> Rows:
    counts = [len(each.rows) for each in lying]
    readings = np.zeros(sum(counts), READING_DTYPE)
    came = np.concatenate([each.rows for each in lying])
    for name in ("row_no", "value", "signal", "quality", "reason"):
        readings[name] = came[name]
    readings["gateway_ms"] = came["measured_ms"]
    readings["message"] = np.repeat(np.arange(len(lying)), counts)
    has_device = np.array([each.device is not None for each in lying], bool)
    slots = np.where(has_device, np.cumsum(has_device) - 1, -1)
    readings["slot"] = np.repeat(slots, counts)
    return readings

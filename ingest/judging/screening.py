"""Is it plausible, when was it measured, whose is it: one pass over a batch, every refusal with a named reason.

Time. A record from a device's memory keeps the device's own time, whatever the gateway's clock. Otherwise a
synchronised gateway's stamp is taken as it is, and an unsynchronised one's is moved by received - sent, which keeps
the distances. Live readings (not from a device's memory) over `AHEAD_MS_MAX` ahead of receipt are moved the same way,
message by message, never past receipt, and say CLOCK_AHEAD. Stored records ahead, or older than the retention bound,
are refused. What can be parsed and attributed is kept, an implausible value without its number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ingest.feed import ABSENT, FEED_DTYPE, Rows, quality_word
from ingest.judging.bindings import NOBODY, Bindings
from ingest.judging.decode import Decoded
from ingest.judging.rejection import ROW_REJECTIONS, Rejection
from ingest.ordering import begins
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS

AHEAD_MS_MAX = 60_000
DAY_MS = 86_400_000

SCREENED_DTYPE = np.dtype(
    [(name, FEED_DTYPE[name]) for name in FEED_DTYPE.names or ()]
    + [
        ("row_no", np.dtype("<i8")),
        ("received_ms", np.dtype("<i8")),
        ("message", np.dtype("<i4")),
        ("slot", np.dtype("<i4")),
        ("rejection", np.dtype("u1")),
        ("moved", np.dtype("u1")),
    ]
)
"""A feed row, whence it came, its place in ROW_REJECTIONS (TAKEN where it was taken), whether it was ahead and moved.

A refused row keeps value, quality and reason as they came; patient is NOBODY where none was found."""

TAKEN = 255
REPEATED = 254
"""In the place of a rejection: the reading equals what is stored."""
QUARANTINED = 253
"""In the place of a rejection: its message was put aside whole, as store_error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message that could be read, who sent it and when it came (clinical time)."""

    gateway_id: str
    received_ms: int
    decoded: Decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """What became of each row, in order, and the counts that are no refusal."""

    rows: Rows
    implausible: int
    clock_ahead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slots:
    """The device tables of a batch's messages, laid end to end: one slot more at the end, for what is in none."""

    message: NDArray[np.int64]
    device: NDArray[np.int64]
    acquisition: NDArray[np.int64]


def screen(
    messages: Sequence[Incoming],
    readings: Rows,
    bindings: Bindings,
    *,
    owners: Mapping[UUID, str],
    retention_days: int,
) -> Screened:
    """Judge the readings gathered from these messages (ingest.judging.decode.gather, or part of its rows).

    `owners` says which gateway each outbox belongs to. A message with nothing to decide reading by reading, as nearly
    all are, is judged as a whole; the outcome is the same.
    """
    slots = _slots_of(messages, bindings)
    rows = _laid_out(messages, readings, slots)
    plain, wearer = _plain(messages, rows, slots, bindings, owners=owners, retention_days=retention_days)
    rows["rejection"] = TAKEN
    rows["patient"] = wearer[rows["slot"]]
    ahead = np.zeros(len(rows), bool)
    if not plain.all():
        apart = ~plain[rows["message"]]
        judged = rows.compress(apart)
        ahead[apart] = _judge_each(messages, judged, bindings, owners=owners, retention_days=retention_days)
        rows[apart] = judged
    taken = rows["rejection"] == TAKEN
    return Screened(
        rows=rows,
        implausible=_settle_quality(rows, taken, ahead),
        clock_ahead=int((ahead & taken).sum()),
    )


def rejection_code(reason: Rejection) -> int:
    """Give a reason's number in SCREENED_DTYPE."""
    return ROW_REJECTIONS.index(reason)


def _slots_of(messages: Sequence[Incoming], bindings: Bindings) -> _Slots:
    """Look each device table entry up once; -1: an unknown device."""
    entries = [entry for message in messages for entry in message.decoded.header.devices]
    sizes = [len(message.decoded.header.devices) for message in messages]
    return _Slots(
        message=np.repeat(np.arange(len(messages)), sizes),
        device=np.array([*(bindings.device_id.get(entry.device, -1) for entry in entries), -1], np.int64),
        acquisition=np.array([*(entry.acquisition for entry in entries), 0], np.int64),
    )


def _laid_out(messages: Sequence[Incoming], readings: Rows, slots: _Slots) -> Rows:
    """Give each reading with its device, by the gateway's clock, judged by nobody yet."""
    rows = np.empty(len(readings), SCREENED_DTYPE)
    for name in ("row_no", "message", "slot", "value", "signal", "quality", "reason"):
        rows[name] = readings[name]
    rows["measured_ms"] = readings["gateway_ms"]
    rows["received_ms"] = _per_message(messages, rows, [m.received_ms for m in messages])
    rows["device"] = slots.device[rows["slot"]]
    rows["acquisition"] = slots.acquisition[rows["slot"]]
    rows["moved"] = 0
    return rows


def _plain(
    messages: Sequence[Incoming],
    rows: Rows,
    slots: _Slots,
    bindings: Bindings,
    *,
    owners: Mapping[UUID, str],
    retention_days: int,
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Say of which messages every reading is taken as it stands; give who wears the device of each slot of theirs.

    Those are by a synchronised clock, within the bounds of time from the first reading to the last, and throughout of
    devices that one binding gives to somebody.
    """
    plain = np.array(
        [
            m.decoded.header.synchronised
            and m.gateway_id in bindings.gateways
            and owners.get(m.decoded.header.outbox_id) == m.gateway_id
            for m in messages
        ],
        bool,
    )
    odd = (rows["slot"] < 0) | ~_IS_SIGNAL[rows["signal"]]
    odd |= (rows["quality"] > max(Quality)) | (rows["reason"] > max(Reason)) | _IS_SIMULATED[rows["reason"]]
    plain[rows["message"][odd]] = False
    received = np.array([m.received_ms for m in messages], np.int64)
    starts = np.flatnonzero(begins(rows["message"]))
    there = rows["message"][starts]
    earliest, latest = received.copy(), received.copy()
    if len(starts):
        earliest[there] = np.minimum.reduceat(rows["measured_ms"], starts)
        latest[there] = np.maximum.reduceat(rows["measured_ms"], starts)
    plain &= (latest <= received + AHEAD_MS_MAX) & (earliest >= received - retention_days * DAY_MS)
    line = bindings.line(slots.device[:-1], earliest[slots.message])
    steady = (line >= 0) & (line == bindings.line(slots.device[:-1], latest[slots.message]))
    plain[slots.message[~steady | (slots.acquisition[:-1] == Acquisition.STORED)]] = False
    return plain, np.append(bindings.patients(line), NOBODY)


def _judge_each(
    messages: Sequence[Incoming],
    rows: Rows,
    bindings: Bindings,
    *,
    owners: Mapping[UUID, str],
    retention_days: int,
) -> NDArray[np.bool_]:
    """Judge reading by reading: time, wearer, rejection. Say which were ahead of time and so moved."""
    rows["measured_ms"], ahead = _measured(messages, rows)
    rows["moved"] = ahead
    at_receipt = bindings.wearer(rows["device"], rows["received_ms"])
    wearer = bindings.wearer(rows["device"], rows["measured_ms"])
    rows["patient"] = wearer
    verified = _per_message(messages, rows, [m.decoded.header.synchronised for m in messages]).astype(bool)
    verified &= rows["acquisition"] != Acquisition.STORED
    refusals = {
        Rejection.UNKNOWN_GATEWAY: ~_per_message(
            messages, rows, [m.gateway_id in bindings.gateways for m in messages]
        ).astype(bool),
        Rejection.FOREIGN_OUTBOX: _per_message(
            messages, rows, [owners.get(m.decoded.header.outbox_id) != m.gateway_id for m in messages]
        ).astype(bool),
        Rejection.BAD_DEVICE_INDEX: rows["slot"] < 0,
        Rejection.UNKNOWN_SIGNAL: ~_IS_SIGNAL[rows["signal"]],
        Rejection.BAD_QUALITY: (rows["quality"] > max(Quality)) | (rows["reason"] > max(Reason)),
        Rejection.SIMULATED: _IS_SIMULATED[rows["reason"]]
        & ~_per_message(messages, rows, [m.gateway_id in bindings.simulators for m in messages]).astype(bool),
        Rejection.UNKNOWN_DEVICE: rows["device"] < 0,
        Rejection.FUTURE: rows["measured_ms"] > rows["received_ms"] + AHEAD_MS_MAX,
        Rejection.TOO_OLD: rows["measured_ms"] < rows["received_ms"] - retention_days * DAY_MS,
        Rejection.UNBOUND_DEVICE: wearer == NOBODY,
        Rejection.AMBIGUOUS: ~verified & (at_receipt != NOBODY) & (at_receipt != wearer),
    }
    rows["rejection"] = np.select(list(refusals.values()), [rejection_code(reason) for reason in refusals], TAKEN)
    return ahead


def _measured(messages: Sequence[Incoming], rows: Rows) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Map the gateway's time to real time, the device's own stays; say also which rows were ahead and so moved."""
    stamped = rows["measured_ms"]
    received = rows["received_ms"]
    shift = _per_message(messages, rows, [_shift_ms(m) for m in messages])
    live = rows["acquisition"] != Acquisition.STORED
    unsynchronised = _per_message(messages, rows, [not m.decoded.header.synchronised for m in messages])
    measured = stamped + np.where(live & unsynchronised.astype(bool), shift, 0)
    message_ahead = np.zeros(len(messages), bool)
    np.logical_or.at(message_ahead, rows["message"], live & (measured > received + AHEAD_MS_MAX))
    ahead = live & message_ahead[rows["message"]]
    moved = np.minimum(stamped + shift, received)
    return np.where(ahead, moved, measured), ahead


def _shift_ms(message: Incoming) -> int:
    """How far the gateway's clock is behind receipt, kept where sums with it can not wrap."""
    return max(-(2**60), min(2**60, message.received_ms - message.decoded.header.sent_ms))


def _settle_quality(rows: Rows, taken: NDArray[np.bool_], ahead: NDArray[np.bool_]) -> int:
    """Take implausible numbers out, let no missing value pass as good, flag moved rows; count the implausible."""
    value, signal = rows["value"], rows["signal"]
    odd = (value < _LOW[signal]) | (value > _HIGH[signal]) | ((rows["quality"] | rows["reason"]) != 0) | ahead
    at = np.flatnonzero(odd & taken)  # all else is a plausible good number, and stays as it is; "none" is below all
    if not len(at):
        return 0
    some = rows.take(at)
    none = some["value"] == NO_VALUE
    out_of_range = ~none & ((some["value"] < _LOW[some["signal"]]) | (some["value"] > _HIGH[some["signal"]]))
    some["value"][out_of_range] = NO_VALUE
    some["quality"][out_of_range] = Quality.INVALID
    some["reason"][out_of_range] = Reason.IMPLAUSIBLE
    unexplained = none & (some["quality"] == Quality.GOOD)
    some["quality"][unexplained] = Quality.INVALID
    some["reason"][unexplained & (some["reason"] == Reason.NONE)] = Reason.UNAVAILABLE
    some["reason"][~_IS_REASON[some["reason"]]] = Reason.UNKNOWN
    # Packed as quality * 64 + reason, invalid + unknown would be 255, which means "not in this sample".
    some["reason"][quality_word(some) == ABSENT] = Reason.DEVICE_INVALID
    some["reason"][ahead[at] & (some["reason"] == Reason.NONE)] = Reason.CLOCK_AHEAD
    rows[at] = some
    return int(out_of_range.sum())


def _per_message(messages: Sequence[Incoming], readings: Rows, values: Sequence[int]) -> NDArray[np.int64]:
    assert len(values) == len(messages)
    return np.asarray(np.array(values, np.int64)[readings["message"]])


_IS_SIGNAL = np.zeros(256, bool)
_IS_REASON = np.zeros(256, bool)
_IS_REASON[[int(reason) for reason in Reason]] = True
_IS_SIMULATED = np.zeros(256, bool)
_IS_SIMULATED[[Reason.DEMO, Reason.TESTING]] = True
_LOW = np.zeros(256, np.int32)
_HIGH = np.zeros(256, np.int32)
for _spec in SIGNALS.values():
    _IS_SIGNAL[_spec.code] = True
    _LOW[_spec.code] = np.ceil(_spec.plausible[0] * _spec.scale)
    _HIGH[_spec.code] = np.floor(_spec.plausible[1] * _spec.scale)

"""The JSON twin of the packed message (vitals.wire), version 1: the same readings as columns, for people and phones.

    {"version": 1, "outbox_id": "0b4b…", "first_row": 0, "boot_id": 7, "t0_ms": 1700000000000,
     "sent_ms": 1700000000900, "synchronised": true, "backlog": false,
     "devices": [{"device": "C0:00:00:00:00:01", "acquisition": "continuous"}],
     "offset_ms": [0, 0], "device": [0, 0], "signal": ["spo2", "pulse"], "value": [97.0, null],
     "quality": ["good", "invalid"], "reason": ["none", "finger_out"]}

Values are in the signal's unit (vitals.signals), null for none. `quality` and `reason` may be left out: good, none.
It is read strictly: an unknown or missing field, another type, a number out of range, a column of another length are
errors that name the field. A value that does not fit the stored int16 is kept as no value, invalid, implausible.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NoReturn, TypeVar
from uuid import UUID

from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE, Acquisition, ScaleError, scaled, unscaled
from vitals.signals import SIGNAL_BY_CODE, SIGNALS, Signal
from vitals.wire import DEVICES_MAX, ROWS_MAX, DeviceEntry, Header, Row

VERSION = 1
PAYLOAD_BYTES_MAX = 2 * 1024 * 1024
ROW_NUMBER_MAX = 2**62
TIME_MS_MAX = 2**53
OFFSET_MS_MAX = 2**31 - 1


class JsonFault(StrEnum):
    """Why a JSON payload can not be read; each is a reason in `rejected`."""

    NOT_JSON = "not_json"
    OVERSIZED = "oversized"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_FIELD = "unknown_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_NAME = "unknown_name"
    UNEQUAL_COLUMNS = "unequal_columns"


class JsonWireError(ValueError):
    """A JSON payload can not be read: `fault` names why, `field` where, the message the offending value."""

    def __init__(self, fault: JsonFault, field: str, message: str) -> None:
        super().__init__(f"{fault}: {field}: {message}" if field else f"{fault}: {message}")
        self.fault = fault
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMessage:
    """A JSON message taken apart: the packed format's header and its rows as columns, values scaled."""

    header: Header
    offset_ms: list[int]
    device_index: list[int]
    signal_code: list[int]
    value: list[int]
    quality: list[int]
    reason: list[int]


def pack_json(header: Header, rows: Sequence[Row]) -> bytes:
    """Write a message as JSON; the counterpart of `vitals.wire.pack`, same header and rows."""
    document = {
        "version": VERSION,
        "outbox_id": str(header.outbox_id),
        "first_row": header.first_row,
        "boot_id": header.boot_id,
        "t0_ms": header.t0_ms,
        "sent_ms": header.sent_ms,
        "synchronised": header.synchronised,
        "backlog": header.backlog,
        "devices": [
            {"device": entry.device, "acquisition": Acquisition(entry.acquisition).name.lower()}
            for entry in header.devices
        ],
        "offset_ms": [row.offset * header.offset_unit_ms for row in rows],
        "device": [row.device_index for row in rows],
        "signal": [SIGNAL_BY_CODE[row.signal_code] for row in rows],
        "value": [
            None if row.value == NO_VALUE else unscaled(SIGNAL_BY_CODE[row.signal_code], row.value) for row in rows
        ],
        "quality": [Quality(row.quality).name.lower() for row in rows],
        "reason": [Reason(row.reason).name.lower() for row in rows],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def unpack_json(payload: bytes) -> JsonMessage:
    """Read a JSON message. Raises JsonWireError, and nothing else, on any bytes."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise JsonWireError(JsonFault.OVERSIZED, "", f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    document = _object(_parse(payload), "", _FIELDS, optional=frozenset({"quality", "reason"}))
    if _integer(document["version"], "version", 0, 2**31) != VERSION:
        raise JsonWireError(JsonFault.UNKNOWN_VERSION, "version", f"{document['version']}, known is {VERSION}")
    header = _header(document)
    offsets = _column(document, "offset_ms", lambda item, at: _integer(item, at, 0, OFFSET_MS_MAX))
    count = len(offsets)
    if not 0 < count <= ROWS_MAX:
        raise JsonWireError(JsonFault.OUT_OF_RANGE, "offset_ms", f"{count} rows, of 1 to {ROWS_MAX}")
    devices = _column(document, "device", lambda item, at: _integer(item, at, 0, len(header.devices) - 1), count)
    signals = _column(document, "signal", _signal, count)
    numbers = _column(document, "value", _number, count)
    quality = _names(document, "quality", Quality, count)
    reason = _names(document, "reason", Reason, count)
    value = _scale(signals, numbers, quality, reason)
    return JsonMessage(
        header=header,
        offset_ms=offsets,
        device_index=devices,
        signal_code=[SIGNALS[signal].code for signal in signals],
        value=value,
        quality=quality,
        reason=reason,
    )


_FIELDS = (
    "version", "outbox_id", "first_row", "boot_id", "t0_ms", "sent_ms", "synchronised", "backlog", "devices",
    "offset_ms", "device", "signal", "value", "quality", "reason",
)  # fmt: skip
_SIGNALS: dict[str, Signal] = {str(signal): signal for signal in Signal}
_Item = TypeVar("_Item")


def _parse(payload: bytes) -> object:
    try:
        return json.loads(payload.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as exc:
        raise JsonWireError(JsonFault.NOT_JSON, "", "nested too deeply") from exc
    except JsonWireError:
        raise
    except ValueError as exc:  # not UTF-8, not JSON, an integer of thousands of digits
        raise JsonWireError(JsonFault.NOT_JSON, "", str(exc)[:200]) from exc


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonWireError(JsonFault.NOT_JSON, _shown(twice), "stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise JsonWireError(JsonFault.NOT_JSON, "", f"{name} is no JSON number")


def _object(value: object, at: str, fields: Sequence[str], optional: frozenset[str] = frozenset()) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is no object")
    prefix = f"{at}." if at else ""
    for name in value:
        if name not in fields:
            raise JsonWireError(JsonFault.UNKNOWN_FIELD, f"{prefix}{_shown(name)}", f"known are {', '.join(fields)}")
    for name in fields:
        if name not in value and name not in optional:
            raise JsonWireError(JsonFault.MISSING_FIELD, f"{prefix}{name}", "is missing")
    return value


def _header(document: dict[str, Any]) -> Header:
    return Header(
        outbox_id=_uuid(document["outbox_id"], "outbox_id"),
        first_row=_integer(document["first_row"], "first_row", 0, ROW_NUMBER_MAX),
        boot_id=_integer(document["boot_id"], "boot_id", 0, 2**32 - 1),
        t0_ms=_integer(document["t0_ms"], "t0_ms", -TIME_MS_MAX, TIME_MS_MAX),
        sent_ms=_integer(document["sent_ms"], "sent_ms", -TIME_MS_MAX, TIME_MS_MAX),
        synchronised=_boolean(document["synchronised"], "synchronised"),
        backlog=_boolean(document["backlog"], "backlog"),
        offset_unit_ms=1,
        devices=_devices(document["devices"]),
    )


def _devices(value: object) -> tuple[DeviceEntry, ...]:
    entries = _list(value, "devices")
    if not 0 < len(entries) <= DEVICES_MAX:
        raise JsonWireError(JsonFault.OUT_OF_RANGE, "devices", f"{len(entries)} devices, of 1 to {DEVICES_MAX}")
    return tuple(_device(entry, f"devices[{index}]") for index, entry in enumerate(entries))


def _device(value: object, at: str) -> DeviceEntry:
    entry = _object(value, at, ("device", "acquisition"))
    name = _text(entry["device"], f"{at}.device")
    if not name.isprintable() or not 0 < len(name.encode()) <= 255:
        raise JsonWireError(JsonFault.OUT_OF_RANGE, f"{at}.device", f"{_shown(name)} is no printable id of 1-255 bytes")
    acquisition = _member(entry["acquisition"], f"{at}.acquisition", Acquisition)
    return DeviceEntry(device=name, acquisition=acquisition)


def _column(
    document: dict[str, Any], name: str, read: Callable[[object, str], _Item], count: int | None = None
) -> list[_Item]:
    items = _list(document[name], name)
    if count is not None and len(items) != count:
        raise JsonWireError(JsonFault.UNEQUAL_COLUMNS, name, f"{len(items)} entries, offset_ms has {count}")
    return [read(item, f"{name}[{index}]") for index, item in enumerate(items)]


def _names(document: dict[str, Any], name: str, kind: type[IntEnum], count: int) -> list[int]:
    if name not in document:
        return [0] * count
    return _column(document, name, lambda item, at: _member(item, at, kind), count)


def _scale(signals: list[Signal], numbers: list[float | None], quality: list[int], reason: list[int]) -> list[int]:
    values: list[int] = []
    for index, (signal, number) in enumerate(zip(signals, numbers, strict=True)):
        try:
            values.append(NO_VALUE if number is None else scaled(signal, number))
        except (ScaleError, OverflowError):
            values.append(NO_VALUE)
            quality[index], reason[index] = Quality.INVALID, Reason.IMPLAUSIBLE
    return values


def _integer(value: object, at: str, low: int, high: int) -> int:
    if type(value) is not int:
        raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is no integer")
    if not low <= value <= high:
        raise JsonWireError(JsonFault.OUT_OF_RANGE, at, f"{_shown(value)} is not within {low} to {high}")
    return value


def _number(value: object, at: str) -> float | None:
    if value is None or type(value) is int or (type(value) is float and math.isfinite(value)):
        return value
    raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is no number and not null")


def _boolean(value: object, at: str) -> bool:
    if type(value) is not bool:
        raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is neither true nor false")
    return value


def _text(value: object, at: str) -> str:
    if type(value) is not str:
        raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is no string")
    return value


def _list(value: object, at: str) -> list[object]:
    if type(value) is not list:
        raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is no array")
    return value


def _uuid(value: object, at: str) -> UUID:
    try:
        return UUID(_text(value, at))
    except ValueError as exc:
        raise JsonWireError(JsonFault.WRONG_TYPE, at, f"{_shown(value)} is no UUID") from exc


def _signal(value: object, at: str) -> Signal:
    name = _text(value, at)
    if name not in _SIGNALS:
        raise JsonWireError(JsonFault.UNKNOWN_NAME, at, f"{_shown(name)}, known are {', '.join(_SIGNALS)}")
    return _SIGNALS[name]


def _member(value: object, at: str, kind: type[IntEnum]) -> int:
    name = _text(value, at)
    member = kind.__members__.get(name.upper()) if name == name.lower() else None
    if member is None:
        known = ", ".join(name.lower() for name in kind.__members__)
        raise JsonWireError(JsonFault.UNKNOWN_NAME, at, f"{_shown(name)}, known are {known}")
    return int(member)


def _shown(value: object) -> str:
    """Quote an offending value, cut short and safe to print and to store."""
    return ascii(value)[:80] if not isinstance(value, str) else repr(value[:60].encode("utf-8", "replace").decode())

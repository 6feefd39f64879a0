"""Messages that are surely malformed, each by one named damage to a good one, with the reason it must be put aside for.

Every damage follows from docs/wire-format.md; the checksum is counted anew where another fault is meant to be found.
"""

import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

_CRC_AT, _BODY_AT = 4, 8
_FIRST_ROW_AT, _DEVICES_AT, _ROWS_AT, _TABLE_AT = 24, 52, 53, 55
_CRC = struct.Struct("<I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What was done to a message, and the reasons any of which is right."""

    name: str
    payload: bytes
    reasons: frozenset[str]
    is_json: bool


def damaged(packed: bytes, twin: bytes, rng: np.random.Generator) -> Damage:
    """Damage one of two good messages, packed and JSON, in one of the ways there are."""
    names = [*_PACKED, *_JSON]
    name = names[int(rng.integers(len(names)))]
    if name in _PACKED:
        harm, reasons = _PACKED[name]
        return Damage(name=name, payload=harm(packed, rng), reasons=frozenset(reasons), is_json=False)
    harm_document, reasons = _JSON[name]
    return Damage(name=name, payload=harm_document(twin, rng), reasons=frozenset(reasons), is_json=True)


def _counted(payload: bytes | bytearray) -> bytes:
    """Put the checksum right again."""
    crc = zlib.crc32(payload[_BODY_AT:], zlib.crc32(payload[:_CRC_AT]))
    return bytes(payload[:_CRC_AT]) + _CRC.pack(crc) + bytes(payload[_BODY_AT:])


def _with(payload: bytes, at: int, value: bytes) -> bytes:
    return payload[:at] + value + payload[at + len(value) :]


def _cut(payload: bytes, rng: np.random.Generator) -> bytes:
    return payload[: int(rng.integers(1, len(payload)))]


def _cut_and_counted(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(payload[: int(rng.integers(_TABLE_AT + 8, len(payload)))])


def _bit(payload: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(_CRC_AT, len(payload)))
    return _with(payload, at, bytes([payload[at] ^ 1 << int(rng.integers(8))]))


def _more(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(payload + rng.bytes(int(rng.integers(1, 40))))


def _magic(payload: bytes, rng: np.random.Generator) -> bytes:
    return bytes(rng.integers(128, 256, 2, dtype=np.uint8)) + payload[2:]


def _version(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(_with(payload, 2, bytes([int(rng.integers(2, 256))])))


def _flags(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(_with(payload, 3, bytes([payload[3] | 1 << int(rng.integers(3, 8))])))


def _row_count(payload: bytes, rng: np.random.Generator) -> bytes:
    (rows,) = struct.unpack_from("<H", payload, _ROWS_AT)
    other = int(rng.choice([n for n in (0, 1, rows - 1, rows + 1, 65535) if n != rows]))
    return _counted(_with(payload, _ROWS_AT, struct.pack("<H", other)))


def _row_number(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(_with(payload, _FIRST_ROW_AT, struct.pack("<q", -int(rng.integers(1, 2**62)))))


def _no_devices(payload: bytes, rng: np.random.Generator) -> bytes:
    del rng
    return _counted(_with(payload, _DEVICES_AT, b"\0"))


def _acquisition(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(_with(payload, _TABLE_AT, bytes([int(rng.integers(3, 256))])))


def _name(payload: bytes, rng: np.random.Generator) -> bytes:
    return _counted(_with(payload, _TABLE_AT + 2, bytes([int(rng.integers(0xF8, 0x100))])))


def _noise(payload: bytes, rng: np.random.Generator) -> bytes:
    del payload
    return b"\xf8" + rng.bytes(int(rng.integers(1, 2000)))


def _document(
    harm: Callable[[dict[str, Any], np.random.Generator], None],
) -> Callable[[bytes, np.random.Generator], bytes]:
    def apply(twin: bytes, rng: np.random.Generator) -> bytes:
        document = json.loads(twin)
        document["sent_ms"] += int(rng.integers(1, 2**40))  # no two are the same
        harm(document, rng)
        return json.dumps(document).encode()

    return apply


def _drop_field(document: dict[str, Any], rng: np.random.Generator) -> None:
    required = [name for name in document if name not in ("quality", "reason", "sent_ms")]
    del document[required[int(rng.integers(len(required)))]]


def _unknown_field(document: dict[str, Any], rng: np.random.Generator) -> None:
    document[f"name{int(rng.integers(10**9))}"] = "x"


def _wrong_type(document: dict[str, Any], rng: np.random.Generator) -> None:
    name = ("first_row", "boot_id", "t0_ms", "outbox_id", "offset_ms", "signal")[int(rng.integers(6))]
    document[name] = ({}, None, True, 1.5)[int(rng.integers(4))]


def _short_column(document: dict[str, Any], rng: np.random.Generator) -> None:
    name = ("device", "signal", "value")[int(rng.integers(3))]
    del document[name][int(rng.integers(len(document[name]))) :]


def _unknown_signal(document: dict[str, Any], rng: np.random.Generator) -> None:
    document["signal"][int(rng.integers(len(document["signal"])))] = f"mood{int(rng.integers(10**6))}"


def _device_beyond(document: dict[str, Any], rng: np.random.Generator) -> None:
    document["device"][0] = len(document["devices"]) + int(rng.integers(1000))


def _not_finite(twin: bytes, rng: np.random.Generator) -> bytes:
    document = json.loads(twin)
    document["sent_ms"] += int(rng.integers(1, 2**40))
    document["value"][0] = (float("nan"), float("inf"))[int(rng.integers(2))]
    return json.dumps(document).encode()


def _not_utf8(twin: bytes, rng: np.random.Generator) -> bytes:
    return _with(twin, int(rng.integers(1, len(twin))), b"\xff")


def _cut_json(twin: bytes, rng: np.random.Generator) -> bytes:
    return twin[: int(rng.integers(1, len(twin)))]


def _nested(twin: bytes, rng: np.random.Generator) -> bytes:
    del twin
    return b"[" * int(rng.integers(2_000, 100_000))


_TORN = ("truncated", "bad_crc", "wrong_magic")
_PACKED: dict[str, tuple[Callable[[bytes, np.random.Generator], bytes], tuple[str, ...]]] = {
    "cut": (_cut, _TORN),
    "cut, counted anew": (_cut_and_counted, ("truncated", "bad_device_table")),
    "a bit turned": (_bit, ("bad_crc",)),
    "bytes behind": (_more, ("trailing_bytes",)),
    "magic": (_magic, ("wrong_magic",)),
    "version": (_version, ("unknown_version",)),
    "flags": (_flags, ("unknown_flags",)),
    "row count": (_row_count, ("truncated", "trailing_bytes")),
    "row number": (_row_number, ("bad_row_number",)),
    "no devices": (_no_devices, ("bad_device_table",)),
    "acquisition": (_acquisition, ("bad_device_table",)),
    "device name": (_name, ("bad_device_table",)),
    "noise": (_noise, ("wrong_magic",)),
}
_JSON: dict[str, tuple[Callable[[bytes, np.random.Generator], bytes], tuple[str, ...]]] = {
    "field missing": (_document(_drop_field), ("missing_field",)),
    "field unknown": (_document(_unknown_field), ("unknown_field",)),
    "field of another type": (_document(_wrong_type), ("wrong_type",)),
    "column short": (_document(_short_column), ("unequal_columns",)),
    "signal unknown": (_document(_unknown_signal), ("unknown_name",)),
    "device beyond the table": (_document(_device_beyond), ("out_of_range",)),
    "number not finite": (_not_finite, ("not_json", "wrong_type")),
    "no UTF-8": (_not_utf8, ("not_json",)),
    "cut JSON": (_cut_json, ("not_json",)),
    "nested": (_nested, ("not_json",)),
}

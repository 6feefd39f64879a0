"""The packed message, version 1: a header, a device table and 8-byte rows (docs/wire-format.md).

All integers are little endian. Layout:

    magic     2s   b"HW"
    version   u8   1
    flags     u8   bit 0 the gateway's clock is synchronised; bit 1 backlog (else live);
                   bit 2 offsets are seconds (else milliseconds)
    crc32     u32  zlib's CRC-32 of everything but this field
    outbox_id 16s  UUID, big endian as in RFC 9562
    first_row i64  number of the first row; the others follow without a gap
    boot_id   u32  drawn anew at each boot of the gateway
    t0_ms     i64  Unix time in ms, by the gateway's clock, that offsets count from
    sent_ms   i64  Unix time in ms, by the gateway's clock, at which the message was made
    devices   u8   entries of the device table
    rows      u16
    device    u8 acquisition, u8 length, UTF-8 id        (x devices)
    row       u16 offset, u8 device, u8 signal, i16 value, u8 quality, u8 reason     (x rows)

The value is in the signal's own scale, -32768 for none. Identity of a reading is (outbox_id, row number).
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from uuid import UUID

MAGIC = b"HW"
VERSION = 1
PAYLOAD_BYTES_MAX = 256 * 1024
ROWS_MAX = 20_000
DEVICES_MAX = 255

FLAG_SYNCHRONISED = 1
FLAG_BACKLOG = 2
FLAG_SECONDS = 4

_HEAD = struct.Struct("<2sBB")
_CRC = struct.Struct("<I")
_PREFIX_BYTES = _HEAD.size + _CRC.size
_HEADER = struct.Struct("<16sqIqqBH")
_ROW = struct.Struct("<HBBhBB")
ROW_BYTES = _ROW.size
_TABLE_BYTES_REMEMBERED = 512

pack_row = _ROW.pack
"""Write one row: offset, device index, signal code, value, quality, reason; for `pack_block`."""


class Fault(StrEnum):
    """Why a payload can not be read; each is a reason in `rejected`."""

    WRONG_MAGIC = "wrong_magic"
    UNKNOWN_VERSION = "unknown_version"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    BAD_CRC = "bad_crc"
    OVERSIZED = "oversized"
    BAD_DEVICE_TABLE = "bad_device_table"
    UNKNOWN_FLAGS = "unknown_flags"


class WireError(ValueError):
    """A payload can not be read: `fault` names why, the message the offending byte or number."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(f"{fault}: {message}")
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceEntry:
    """One line of the device table: who measured and how (`vitals.reading.Acquisition`)."""

    device: str
    acquisition: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One reading as sent: offset from t0 in the message's unit, index into the device table, signal code."""

    offset: int
    device_index: int
    signal_code: int
    value: int
    quality: int
    reason: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything of a message but its rows."""

    outbox_id: UUID
    first_row: int
    boot_id: int
    t0_ms: int
    sent_ms: int
    synchronised: bool
    backlog: bool
    offset_unit_ms: int
    devices: tuple[DeviceEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A packed message taken apart; `rows` is the raw block of 8-byte rows (see `rows_of`)."""

    header: Header
    row_count: int
    rows: bytes


def pack(header: Header, rows: Sequence[Row]) -> bytes:
    """Write a message. Raises WireError(OVERSIZED | BAD_DEVICE_TABLE), struct.error on a number out of range."""
    return pack_block(
        header,
        b"".join(pack_row(r.offset, r.device_index, r.signal_code, r.value, r.quality, r.reason) for r in rows),
    )


def pack_block(header: Header, block: bytes) -> bytes:
    """Write a message of rows that lie packed already, one behind the other. Raises as `pack`."""
    row_count = len(block) // ROW_BYTES
    if not 0 < row_count <= ROWS_MAX:
        raise WireError(Fault.OVERSIZED, f"{row_count} rows, of 1 to {ROWS_MAX}")
    if not 0 < len(header.devices) <= DEVICES_MAX:
        raise WireError(Fault.BAD_DEVICE_TABLE, f"{len(header.devices)} devices, of 1 to {DEVICES_MAX}")
    body = b"".join(
        (
            _HEADER.pack(
                header.outbox_id.bytes,
                header.first_row,
                header.boot_id,
                header.t0_ms,
                header.sent_ms,
                len(header.devices),
                row_count,
            ),
            *(_pack_device(entry) for entry in header.devices),
            block,
        )
    )
    head = _HEAD.pack(MAGIC, VERSION, _flags(header))
    payload = head + _CRC.pack(zlib.crc32(body, zlib.crc32(head))) + body
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireError(Fault.OVERSIZED, f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    return payload


def unpack(payload: bytes) -> Message:
    """Read a message's header, device table and row block. Raises WireError, and nothing else, on any bytes."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise WireError(Fault.OVERSIZED, f"{len(payload)} bytes, at most {PAYLOAD_BYTES_MAX}")
    if payload[:2] != MAGIC[: len(payload)] or not payload:
        raise WireError(Fault.WRONG_MAGIC, f"starts with {payload[:2].hex() or 'nothing'}, not {MAGIC.hex()}")
    if len(payload) < _PREFIX_BYTES + _HEADER.size:
        raise WireError(Fault.TRUNCATED, f"{len(payload)} bytes hold no header of {_PREFIX_BYTES + _HEADER.size}")
    _, version, flags = _HEAD.unpack_from(payload)
    if version != VERSION:
        raise WireError(Fault.UNKNOWN_VERSION, f"version {version}, known is {VERSION}")
    body = payload[_PREFIX_BYTES:]
    (said,) = _CRC.unpack_from(payload, _HEAD.size)
    counted = zlib.crc32(body, zlib.crc32(payload[: _HEAD.size]))
    if counted != said:
        raise WireError(Fault.BAD_CRC, f"crc32 {counted:08x}, header says {said:08x}")
    if flags & ~(FLAG_SYNCHRONISED | FLAG_BACKLOG | FLAG_SECONDS):
        raise WireError(Fault.UNKNOWN_FLAGS, f"flags {flags:#04x}")
    outbox, first_row, boot_id, t0_ms, sent_ms, device_count, row_count = _HEADER.unpack_from(body)
    devices, at = _devices(body, device_count, row_count)
    rows = body[at:]
    if len(rows) < row_count * ROW_BYTES:
        raise WireError(Fault.TRUNCATED, f"{len(rows)} bytes of rows, {row_count} rows need {row_count * ROW_BYTES}")
    if len(rows) > row_count * ROW_BYTES:
        raise WireError(Fault.TRAILING_BYTES, f"{len(rows) - row_count * ROW_BYTES} bytes after the last row")
    if not row_count:
        raise WireError(Fault.TRUNCATED, "no rows")
    header = Header(
        outbox_id=UUID(bytes=outbox),
        first_row=first_row,
        boot_id=boot_id,
        t0_ms=t0_ms,
        sent_ms=sent_ms,
        synchronised=bool(flags & FLAG_SYNCHRONISED),
        backlog=bool(flags & FLAG_BACKLOG),
        offset_unit_ms=1000 if flags & FLAG_SECONDS else 1,
        devices=devices,
    )
    return Message(header=header, row_count=row_count, rows=rows)


def rows_of(message: Message) -> list[Row]:
    """Take the row block apart, one object a row (ingest reads it as a NumPy array instead)."""
    return [
        Row(offset=o, device_index=d, signal_code=s, value=v, quality=q, reason=r)
        for o, d, s, v, q, r in _ROW.iter_unpack(message.rows)
    ]


def _flags(header: Header) -> int:
    return (
        FLAG_SYNCHRONISED * header.synchronised
        | FLAG_BACKLOG * header.backlog
        | FLAG_SECONDS * (header.offset_unit_ms == 1000)
    )


def _pack_device(entry: DeviceEntry) -> bytes:
    name = entry.device.encode()
    if not 0 < len(name) <= 255:
        raise WireError(Fault.BAD_DEVICE_TABLE, f"device id of {len(name)} bytes, of 1 to 255")
    return bytes((entry.acquisition, len(name))) + name


def _devices(body: bytes, count: int, row_count: int) -> tuple[tuple[DeviceEntry, ...], int]:
    """Read the device table and say where it ends; a gateway's table is the same in all its messages."""
    end = len(body) - row_count * ROW_BYTES
    if _HEADER.size < end <= _HEADER.size + _TABLE_BYTES_REMEMBERED:
        whole = _whole_table(body[_HEADER.size : end], count)
        if whole:
            return whole, end
    return _unpack_devices(body, count)


@lru_cache(maxsize=16_384)
def _whole_table(table: bytes, count: int) -> tuple[DeviceEntry, ...]:
    """Read bytes that are one device table and nothing else; empty where they are not."""
    try:
        devices, at = _unpack_devices(bytes(_HEADER.size) + table, count)
    except WireError:
        return ()
    return devices if at == _HEADER.size + len(table) else ()


def _unpack_devices(body: bytes, count: int) -> tuple[tuple[DeviceEntry, ...], int]:
    devices: list[DeviceEntry] = []
    at = _HEADER.size
    for index in range(count):
        if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
            raise WireError(Fault.TRUNCATED, f"device table ends inside entry {index} of {count}")
        acquisition, length = body[at], body[at + 1]
        try:
            name = body[at + 2 : at + 2 + length].decode()
        except UnicodeDecodeError as exc:
            raise WireError(Fault.BAD_DEVICE_TABLE, f"entry {index} is not UTF-8: {exc.reason}") from exc
        if not name or acquisition > 2 or not name.isprintable():
            raise WireError(Fault.BAD_DEVICE_TABLE, f"entry {index}: acquisition {acquisition}, id {name!r}")
        devices.append(DeviceEntry(device=name, acquisition=acquisition))
        at += 2 + length
    if not devices:
        raise WireError(Fault.BAD_DEVICE_TABLE, "no devices")
    return tuple(devices), at

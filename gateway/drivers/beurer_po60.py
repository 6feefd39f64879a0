"""Beurer PO60, a spot-check oximeter with a memory: records of 24 bytes in batches of ten, asked for until the last.

     0 E9          1 bits 3-0 number in its batch, bit 6 (one source: 5) last on the device
     2 start, 8 end: year - 2000, month, day, hour, minute, second
    14 bit 5, 4, 3: bit 7 of the pulse's maximum, minimum, mean      15 how long
    17 SpO2 maximum, 18 minimum, 19 mean       20 pulse maximum, 21 minimum, 22 mean (lower seven bits)
    23 the 7-bit sum of all before

A record gives the means, at its end time; `status` tells the extremes. No value: SpO2 0 and 127, pulse 0 and 255.
We write: how much is stored, send, and after every tenth record "more". Records are never deleted, so the device may
send them again at each connection: same device, signal and time are one reading. Its clock is set by hand or by the
maker's app. The services are those of many modules: the name tells.

Sources: mmhlego/BleConnector Models/OximeterMeasurement.cs (the maker's example record); Shreyan1/
Beurer-PO60-PulseOximeter-Bluetooth-Integration code.py; shawn-gxp/sh3-pi medical_ble_toolkit (bit 6, "more").
"""

import re
from collections.abc import Sequence
from datetime import datetime

from gateway.drivers.checksums import sum7
from gateway.drivers.driver import Driver, Kind, Recognition, Write
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import checksum_error, known, length_error, saturation, type_error
from gateway.gatt.decoded import Decoded, DecodeError, Mode
from gateway.gatt.plx_status import STORED_WITHOUT_TIME

WRITE, NOTIFY = "ff01", "ff02"

_RECORD, _STORAGE, _CLOCK_SET = 0xE9, 0xE0, 0xF3
_LENGTHS = {_RECORD: 24, _STORAGE: 7, _CLOCK_SET: 3}
_NUMBER, _LAST = 0x0F, 0x60
_LAST_OF_BATCH = 9
_NO_PULSE, _NO_SPO2 = {0, 255}, {0, 127}
_END_AT = 8
_TIME_MASKS = (0x7F, 0x0F, 0x1F, 0x1F, 0x3F, 0x3F)
_MORE = Write(uuid=WRITE, payload=bytes((0x99, 0x01, 0x1A)), response=False)


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if not frame or frame[0] not in _LENGTHS:
        raise type_error(uuid, frame, 0)
    if len(frame) != _LENGTHS[frame[0]]:
        raise length_error(uuid, frame, str(_LENGTHS[frame[0]]))
    if not _is_whole(frame):
        raise checksum_error(uuid, frame, sum7(frame[:-1]))
    if frame[0] != _RECORD:
        return Decoded(mode=Mode.SPOT, measurements=(), status=(f"answer_{frame[0]:02x}",))
    end = _time(uuid, frame)
    pulse_max, pulse_min, pulse = (
        frame[at] & 0x7F | (frame[14] >> bit & 1) << 7 for at, bit in ((20, 5), (21, 4), (22, 3))
    )
    return Decoded(
        mode=Mode.SPOT,
        measurements=saturation(
            known(frame[19], none=_NO_SPO2),
            known(pulse, none=_NO_PULSE),
            () if end else (STORED_WITHOUT_TIME,),
        ),
        device_time=end,
        from_storage=True,
        status=(f"spo2_{frame[18]}_to_{frame[17]}", f"pulse_{pulse_min}_to_{pulse_max}"),
    )


def answer(uuid: str, frame: bytes) -> Sequence[Write]:
    """Ask for more after the last record of a batch that is not the device's last."""
    is_record = uuid == NOTIFY and len(frame) == _LENGTHS[_RECORD] and frame[0] == _RECORD and _is_whole(frame)
    if is_record and frame[1] & _NUMBER == _LAST_OF_BATCH and not frame[1] & _LAST:
        return (_MORE,)
    return ()


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(lambda octets: _LENGTHS.get(octets[0]), is_whole=_is_whole, longest_bytes=max(_LENGTHS.values()))


def _is_whole(frame: bytes) -> bool:
    return frame[-1] == sum7(frame[:-1])


def _time(uuid: str, frame: bytes) -> datetime | None:
    """Read the end of the measurement; None while the clock was never set (month or day 0)."""
    fields = zip(frame[_END_AT : _END_AT + 6], _TIME_MASKS, strict=True)
    year, month, day, hour, minute, second = (octet & mask for octet, mask in fields)
    if not (month and day):
        return None
    try:
        return datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - the device knows no zone
    except ValueError as exc:
        raise DecodeError(uuid, _END_AT, f"time {frame[_END_AT : _END_AT + 6].hex()}: {exc}") from exc


DRIVER = Driver(
    name="beurer_po60",
    product="Beurer PO60",
    kind=Kind.OXIMETER,
    recognition=Recognition(name=re.compile(r"^PO60")),
    decode=decode,
    subscribe=(NOTIFY,),
    framing=framing,
    begin=(Write(uuid=WRITE, payload=bytes((0x90, 0x05, 0x15))), Write(uuid=WRITE, payload=bytes((0x99, 0x00, 0x19)))),
    answer=answer,
)

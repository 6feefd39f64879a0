"""Yuwell BO-YX110 and its twins of Viatom and Wellue (FS20F): one stream of two frames, across notification borders.

    FE 0A 55  PR PR  SpO2  PI PI  count  sum            PR, PI big-endian, PI in thousandths of a percent; 1 a second
    FE 08 56  pleth  status  bar  count  sum            no measurement, status bit 1: sensor off; 50 a second

The second byte is the frame's length. The sum is that of all bytes after FE (some 2,000 recorded frames of an FS20F);
the one published frame of a YX110 counts FE too: either is taken. No value: PR 0, 255, 511, 65535; SpO2 0, 127, 255;
PI 0 and 65535. The frame does not say why. The service (FFE0) is that of any cheap UART module: the name tells.

Sources: roger-/FS20F parser.py, sample_raw_data.hex (sum, none values); FletcherD/WelluePulseOximeter Wellue.py;
KookKookKool/smarttelemed-v4 lib/core/device/add_device/Yuwell/yuwell_fpo_yx110.dart.
"""

import re

from gateway.drivers.checksums import sum8
from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import checksum_error, known, length_error, saturation_and_perfusion, type_error
from gateway.gatt.decoded import Decoded, DecodeError, Mode

NOTIFY = "ffe4"

_START, _VALUES, _PLETH = 0xFE, 0x55, 0x56
_LENGTHS = {_VALUES: 10, _PLETH: 8}
_NO_PULSE, _NO_SPO2, _NO_PERFUSION = {0, 255, 511, 65535}, {0, 127, 255}, {0, 65535}
_SENSOR_OFF = 0x02


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if not frame or frame[0] != _START:
        raise type_error(uuid, frame, 0)
    if len(frame) < 3 or frame[2] not in _LENGTHS:
        raise type_error(uuid, frame, 2)
    length = _LENGTHS[frame[2]]
    if frame[1] != length:
        raise DecodeError(uuid, 1, f"length {frame[1]} of a frame {frame[2]:#04x}, which has {length} bytes")
    if len(frame) != length:
        raise length_error(uuid, frame, str(length))
    if not _is_whole(frame):
        raise checksum_error(uuid, frame, sum8(frame[1:-1]))
    if frame[2] == _PLETH:
        status = ("sensor_off",) if frame[4] & _SENSOR_OFF else ()
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=status)
    pulse, perfusion = (int.from_bytes(frame[at : at + 2], "big") for at in (3, 6))
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=saturation_and_perfusion(
            known(frame[5], none=_NO_SPO2),
            known(pulse, none=_NO_PULSE),
            known(perfusion, none=_NO_PERFUSION, scale=0.001),
        ),
    )


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(_length_of, is_whole=_is_whole, longest_bytes=max(_LENGTHS.values()))


def _length_of(octets: bytes) -> int | None:
    if octets[0] != _START:
        return None
    if len(octets) < 3:
        return 0
    return octets[1] if _LENGTHS.get(octets[2]) == octets[1] else None


def _is_whole(frame: bytes) -> bool:
    return frame[-1] in (sum8(frame[1:-1]), sum8(frame[:-1]))


DRIVER = Driver(
    name="yuwell",
    product="Yuwell BO-YX110, Wellue FS20F",
    kind=Kind.OXIMETER,
    recognition=Recognition(name=re.compile(r"^(Yuwell BO-|BO-YX|VTM 20F)")),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    keep_every_ms=500,
    framing=framing,
)

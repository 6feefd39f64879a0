"""Masimo MightySat: one stream of frames closed by a CRC-8, across notification borders.

    77 length  payload ... crc            length counts payload and crc; CRC-8 (07) over the payload

    payload 05: exceptions (four bytes), then for each of SpO2, pulse, PVI, PI, RRp an exception byte and its value
                (one byte each, PI two in hundredths of a percent)                           about once a second
    01 names, 04 pleth, 06 trend, FE done, FF refused: no measurement. Numbers low byte first.

    exceptions: 21 sensor off, 22 searching, 23 interference, 24 low perfusion; a value's own: 0 low confidence,
                2 invalid, 4 starting

No value: 255 and 0, in PI 65535 and 0. We write: names, send (all values and the pleth). A consumer's MightySat without
PVI or RRp is said to send fewer values: no recording is public, so another length is refused.

Sources: shawn-gxp/sh3-pi medical_ble_toolkit/parsers/mightysat.py; public protocol tests with recorded frames.
"""

import re

from gateway.drivers.checksums import crc8
from gateway.drivers.driver import Driver, Kind, Recognition, Write
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import checksum_error, known, length_error, type_error, weakness
from gateway.gatt.decoded import Decoded, DecodeError, Finding, Mode, measure
from gateway.gatt.status_bits import StatusBit, findings_of, names_of, status_bit
from vitals.quality import Quality, Reason
from vitals.signals import Signal

WRITE = "54c21001-a720-4b4f-11e4-9fe20002a5d5"
NOTIFY = "54c21002-a720-4b4f-11e4-9fe20002a5d5"

_START, _LENGTH_MIN, _LENGTH_MAX = 0x77, 2, 64
_VALUES, _VALUES_LENGTH = 0x05, 0x11
_WITHOUT_VALUES = {0x01: "device", 0x04: "pleth", 0x06: "trend", 0xFE: "done", 0xFF: "refused"}
_NONE, _NO_PERFUSION = {0, 255}, {0, 65535}

_EXCEPTIONS: dict[int, StatusBit] = {
    21: status_bit("sensor_off", Quality.INVALID, Reason.FINGER_OUT),
    22: status_bit("searching", Quality.PROVISIONAL, Reason.ONGOING),
    23: status_bit("interference", Quality.QUESTIONABLE, Reason.INTERFERENCE),
    24: status_bit("low_perfusion", Quality.QUESTIONABLE, Reason.LOW_PERFUSION),
}
_OWN_EXCEPTIONS: dict[int, StatusBit] = {
    0: status_bit("low_confidence", Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE),
    2: status_bit("invalid", Quality.INVALID, Reason.DEVICE_INVALID),
    4: status_bit("starting", Quality.PROVISIONAL, Reason.EARLY_ESTIMATE),
}


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if not frame or frame[0] != _START:
        raise type_error(uuid, frame, 0)
    if len(frame) < 2 + _LENGTH_MIN or len(frame) != 2 + frame[1]:
        raise length_error(uuid, frame, "what its head says")
    if not _is_whole(frame):
        raise checksum_error(uuid, frame, crc8(frame[2:-1]))
    if frame[2] in _WITHOUT_VALUES:
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=(_WITHOUT_VALUES[frame[2]],))
    if frame[2] != _VALUES:
        raise type_error(uuid, frame, 2)
    if frame[1] != _VALUES_LENGTH:
        raise DecodeError(uuid, 1, f"values of length {frame[1]}, not {_VALUES_LENGTH}: not all five are there")
    return _values(frame)


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(_length_of, is_whole=_is_whole, longest_bytes=2 + _LENGTH_MAX)


def _values(frame: bytes) -> Decoded:
    word = int.from_bytes(frame[3:7], "little")
    general = findings_of(_EXCEPTIONS, word)
    perfusion = known(int.from_bytes(frame[14:16], "little"), none=_NO_PERFUSION, scale=0.01)
    pulsatile = (*general, *weakness(perfusion))
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=(
            measure(Signal.SPO2, known(frame[8], none=_NONE), (*pulsatile, *_own(frame[7]))),
            measure(Signal.PULSE, known(frame[10], none=_NONE), (*pulsatile, *_own(frame[9]))),
            measure(Signal.PERFUSION_INDEX, perfusion, (*general, *_own(frame[13]))),
            measure(Signal.RESPIRATORY_RATE, known(frame[17], none=_NONE), (*pulsatile, *_own(frame[16]))),
        ),
        status=names_of(_EXCEPTIONS, word),
    )


def _own(exceptions: int) -> tuple[Finding, ...]:
    return findings_of(_OWN_EXCEPTIONS, exceptions)


def _length_of(octets: bytes) -> int | None:
    if octets[0] != _START:
        return None
    if len(octets) < 2:
        return 0
    return 2 + octets[1] if octets[1] >= _LENGTH_MIN else None


def _is_whole(frame: bytes) -> bool:
    return frame[-1] == crc8(frame[2:-1])


DRIVER = Driver(
    name="masimo",
    product="Masimo MightySat",
    kind=Kind.OXIMETER,
    recognition=Recognition(
        services=frozenset({"54c21000-a720-4b4f-11e4-9fe20002a5d5"}), name_alone=re.compile(r"^(MightySat|MSat)")
    ),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    keep_every_ms=500,
    framing=framing,
    begin=(
        Write(uuid=WRITE, payload=bytes.fromhex("77020107"), response=False),
        Write(uuid=WRITE, payload=bytes.fromhex("7705031f0003d6"), response=False),
    ),
)

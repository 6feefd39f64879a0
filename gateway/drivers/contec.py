"""Contec CMS50D-BT and its kin, and the EMAY SleepO2: kept talking by us, one stream of frames closed by a 7-bit sum.

    EB 01 flags PR SpO2 PI PI2 sum      once a second; flags 0: no PI, 1: PR's bit 7, 2: PI's bit 7; PI in tenths
    EB 00 ...   pleth                   EB 7F sum   stopped

Only a frame's first byte has bit 7 set. No value: SpO2 127 with the finger out; SpO2 0, PR 0 and 255; PR 127 beside an
SpO2 without value (bit 7 may be left out of 255). PI is reported only where flag 0 is clear, byte 6 is 0 and it lies
in 1 to 220: old firmware packs it otherwise. A firmware that encrypts (frames 83 and 84) is refused by name.
We write: hello, state, start; a keep-alive every 1.5 s; stop. The services are those of many modules: the name tells.

Sources: chenders/AnxietyWatch AnxietyWatch/Services/EMAYRealtimeService.swift (commands, frame);
rico132/PulsoximeterGraphs esp32/test/test_ox_protocol_parser/test_main.cpp and icefest/pulseoxdl src/exchange.h
(flags); SemenKeyzer/oscar-sql oscar/SleepLib/loader_plugins/contec_ble_protocol.cpp (lengths, encryption).
"""

import re

from gateway.drivers.checksums import sum7
from gateway.drivers.driver import Driver, Kind, Poll, Recognition, Write
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import (
    FINGER_OUT,
    checksum_error,
    known,
    length_error,
    saturation,
    saturation_and_perfusion,
    type_error,
)
from gateway.gatt.decoded import Decoded, DecodeError, Measurement, Mode

WRITE, NOTIFY = "ff01", "ff02"

_REALTIME, _VALUES = 0xEB, 0x01
_REALTIME_LENGTHS = {0x00: 6, _VALUES: 8, 0x02: 8, 0x7F: 3}
_REALTIME_KNOWN = {0x00, _VALUES, 0x7F}
_ANSWERS_BY_LENGTH: dict[int, tuple[int, ...]] = {
    2: (0xF0,),
    3: (0xF3, 0xF4, 0xF5, 0xF6, 0xFA, 0xFB, 0xFF),
    4: (0xD1,),
    7: (0xE0,),
    8: (0xEF,),
    9: (0xE3,),
    10: (0xCF, 0xF1),
    11: (0xE1, 0xE2),
    13: (0xEA,),
    14: (0xD0,),
    17: (0xE4, 0xE6),
    18: (0xE5,),
    20: (0xD2, 0xD3, 0xD7),
    21: (0xEC,),
}
_ANSWER_LENGTHS = {first: length for length, firsts in _ANSWERS_BY_LENGTH.items() for first in firsts}
_ENCRYPTED_LENGTHS = {0x83: 22}
_ENCRYPTED = {0x83, 0x84}
_LONGEST_BYTES = 22
_NO_PERFUSION, _PULSE_BIT_7, _PERFUSION_BIT_7 = 1, 2, 4
_SPO2_FINGER_OUT, _PULSE_PERHAPS_NONE, _PERFUSION_TENTHS_MAX = 127, 127, 220


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if frame and frame[0] in _ENCRYPTED:
        raise DecodeError(uuid, 0, f"{frame[0]:#04x} is a frame of the encrypted protocol, which is not read")
    length = _length_of(frame) if frame else 0
    if length is None:
        raise type_error(uuid, frame, 0 if frame[0] != _REALTIME else 1)
    if not length or len(frame) != length:
        raise length_error(uuid, frame, str(length or "more"))
    if frame[-1] != sum7(frame[:-1]):
        raise checksum_error(uuid, frame, sum7(frame[:-1]))
    astray = next((at for at, octet in enumerate(frame[1:], start=1) if octet & 0x80), None)
    if astray is not None:
        raise DecodeError(
            uuid, astray, f"{frame[astray]:#04x} within a frame: bit 7 stands in a frame's first byte only"
        )
    if frame[0] != _REALTIME:
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=(f"answer_{frame[0]:02x}",))
    if frame[1] not in _REALTIME_KNOWN:
        raise type_error(uuid, frame, 1)
    return Decoded(mode=Mode.CONTINUOUS, measurements=_measurements(frame) if frame[1] == _VALUES else ())


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(_length_of, is_whole=_is_whole, longest_bytes=_LONGEST_BYTES)


def _measurements(frame: bytes) -> tuple[Measurement, ...]:
    flags = frame[2]
    spo2 = known(frame[4], none={0, _SPO2_FINGER_OUT})
    pulse_none = {0, 255} if spo2 else {0, _PULSE_PERHAPS_NONE, 255}
    pulse = known(frame[3] | (flags & _PULSE_BIT_7) << 6, none=pulse_none)
    perfusion = frame[5] | (flags & _PERFUSION_BIT_7) << 5
    findings = (FINGER_OUT,) if frame[4] == _SPO2_FINGER_OUT else ()
    if flags & _NO_PERFUSION or frame[6] or not 1 <= perfusion <= _PERFUSION_TENTHS_MAX:
        return saturation(spo2, pulse, findings)
    return saturation_and_perfusion(spo2, pulse, perfusion * 0.1, findings)


def _length_of(octets: bytes) -> int | None:
    if octets[0] != _REALTIME:
        return _ANSWER_LENGTHS.get(octets[0]) or _ENCRYPTED_LENGTHS.get(octets[0])
    return _REALTIME_LENGTHS.get(octets[1]) if len(octets) > 1 else 0


def _is_whole(frame: bytes) -> bool:
    return frame[-1] == sum7(frame[:-1]) and not any(octet & 0x80 for octet in frame[1:])


def _command(*octets: int) -> Write:
    return Write(uuid=WRITE, payload=bytes((*octets, sum7(octets))))


DRIVER = Driver(
    name="contec",
    product="Contec CMS50D-BT and kin, EMAY SleepO2",
    kind=Kind.OXIMETER,
    recognition=Recognition(name=re.compile(r"^(SpO2(01|02|06|08|11|12|13)|SleepO2)")),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    keep_every_ms=500,
    framing=framing,
    begin=(_command(0x89), _command(0x8E, 0x05), _command(0x9B, 0x01)),
    poll=Poll(every_s=1.5, writes=(_command(0x9A),)),
    end=(_command(0x9B, 0x7F),),
)

"""Viatom and Creative PC-60FW family (PC-60F, POD-1, OxySmart, PF-10 ...): one stream of tokened frames.

    AA 55  token  length  type ... crc        length counts type to crc; CRC-8/MAXIM over all before

    0F 01  SpO2  PR PR (low first)  PI in tenths  state  bits 7-6 battery 0-3         once a second
    0F 02  pleth        0F 21  mode, step, two numbers: step 3 is a spot check's result, SpO2 and pulse
    F0 01, F0 02  the device's names        F0 03  battery 0-3

No value: 0 in any; also 127 and 255 in SpO2, 255, 511 and 65535 in PR, 255 in PI, which its kin use. The service is
the Nordic UART, which anything may offer: the name tells. The battery's four steps are no percentage: see `status`.

Sources: sza2/viatom_pc60fw README.md, pc60fw.py; viatom-dev/iOSPC60F CRAP20SDK.h (state bits);
viatom-develop/LepuDemo README.md (steps); pedasmith/BluetoothDeviceController Viatom_PulseOximeter_PC60FW (recordings).
"""

import re

from gateway.drivers.checksums import crc8_maxim
from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import (
    checksum_error,
    known,
    length_error,
    saturation,
    saturation_and_perfusion,
    type_error,
)
from gateway.gatt.decoded import Decoded, Mode
from gateway.gatt.status_bits import StatusBit, findings_of, names_of, status_bit
from vitals.quality import Quality, Reason

NOTIFY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

_START = bytes((0xAA, 0x55))
_HEAD_BYTES, _LENGTH_MIN, _LENGTH_MAX = 4, 2, 64
_VALUES, _PLETH, _WORKING, _NAME, _NAMES, _BATTERY = (
    (0x0F, 0x01),
    (0x0F, 0x02),
    (0x0F, 0x21),
    (0xF0, 0x01),
    (0xF0, 0x02),
    (0xF0, 0x03),
)
_LENGTHS = {_VALUES: 8, _WORKING: 6, _BATTERY: 3}
_WITHOUT_VALUES = {_PLETH: "pleth", _NAME: "device", _NAMES: "device"}
_STEP_RESULT = 3
_NO_SPO2, _NO_PULSE, _NO_PERFUSION = {0, 127, 255}, {0, 255, 511, 65535}, {0, 255}

_STATE: dict[int, StatusBit] = {
    0: status_bit("probe_disconnected", Quality.INVALID, Reason.FINGER_OUT),
    1: status_bit("probe_off", Quality.INVALID, Reason.FINGER_OUT),
    2: status_bit("searching", Quality.PROVISIONAL, Reason.ONGOING),
    3: status_bit("check_probe", Quality.INVALID, Reason.SENSOR_FAULT),
    4: status_bit("motion", Quality.QUESTIONABLE, Reason.INTERFERENCE),
    5: status_bit("low_perfusion", Quality.QUESTIONABLE, Reason.LOW_PERFUSION),
}


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if frame[:2] != _START:
        raise type_error(uuid, frame, 1 if frame[:1] == _START[:1] else 0)
    if len(frame) < _HEAD_BYTES + _LENGTH_MIN or len(frame) != _HEAD_BYTES + frame[3]:
        raise length_error(uuid, frame, "what its head says")
    if not _is_whole(frame):
        raise checksum_error(uuid, frame, crc8_maxim(frame[:-1]))
    named = (frame[2], frame[4])
    if named in _WITHOUT_VALUES:
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=(_WITHOUT_VALUES[named],))
    if named not in _LENGTHS:
        raise type_error(uuid, frame, 4 if frame[2] in {token for token, _ in _LENGTHS} else 2)
    if frame[3] != _LENGTHS[named]:
        raise length_error(uuid, frame, str(_HEAD_BYTES + _LENGTHS[named]))
    return {_VALUES: _values, _WORKING: _working, _BATTERY: _battery}[named](frame)


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(_length_of, is_whole=_is_whole, longest_bytes=_HEAD_BYTES + _LENGTH_MAX)


def _values(frame: bytes) -> Decoded:
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=saturation_and_perfusion(
            known(frame[5], none=_NO_SPO2),
            known(int.from_bytes(frame[6:8], "little"), none=_NO_PULSE),
            known(frame[8], none=_NO_PERFUSION, scale=0.1),
            findings_of(_STATE, frame[9]),
        ),
        status=(*names_of(_STATE, frame[9]), f"battery_{frame[10] >> 6}_of_3"),
    )


def _working(frame: bytes) -> Decoded:
    mode, step, first, second = frame[5:9]
    is_result = step == _STEP_RESULT
    return Decoded(
        mode=Mode.SPOT,
        measurements=saturation(known(first, none=_NO_SPO2), known(second, none=_NO_PULSE)) if is_result else (),
        status=(f"mode_{mode}", f"step_{step}"),
    )


def _battery(frame: bytes) -> Decoded:
    return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=(f"battery_{frame[5]}_of_3",))


def _length_of(octets: bytes) -> int | None:
    if octets[:2] != _START[: len(octets)]:
        return None
    if len(octets) < _HEAD_BYTES:
        return 0
    return _HEAD_BYTES + octets[3] if octets[3] >= _LENGTH_MIN else None


def _is_whole(frame: bytes) -> bool:
    return frame[-1] == crc8_maxim(frame[:-1])


DRIVER = Driver(
    name="viatom_pc60fw",
    product="Viatom PC-60FW family",
    kind=Kind.OXIMETER,
    recognition=Recognition(
        name=re.compile(r"^(PC-60FW?|PC-60NW(-1)?|POD-1W?|POD-2B|OxySmart|PF-[12]0|S[56]W|S7B?W)(?![0-9A-Za-z-])")
    ),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    keep_every_ms=500,
    framing=framing,
)

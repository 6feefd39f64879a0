"""Viatom and Wellue legacy oximeters (O2Ring, Checkme O2, SleepO2, WearO2 ...): they speak only when asked.

    ask     AA cmd ~cmd  block block  length length  data  crc        cmd 17: the values now; crc-8 over all before
    answer  55 state ~state  block block  length length  13 bytes  crc       state 0: well; in pieces of 20 bytes

     0 SpO2   1 pulse   7 battery %   8 charging (1), charged (2)   9 motion   10 perfusion   11 worn

No value: 0 and 255 in either; not worn: finger out; worn and both 0: the ring still calibrates. Motion is a measure of
acceleration without a published threshold: `status` tells it, trust is not touched. The perfusion's scale is not
published either, so it is not reported. An answer does not say which question it belongs to: only 17 is ever asked.
An O2Ring S speaks another protocol.

Sources: MackeyStingray/o2r o2r/o2pkt.py, o2r/o2state.py; ecostech/viatom-ble viatom-ble.py (request, calibrating);
home-health-hub/viatom-o2ring-ble src/viatom_o2ring_ble/const.py.
"""

import re

from gateway.drivers.checksums import crc8
from gateway.drivers.driver import Driver, Kind, Poll, Recognition, Write
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import FINGER_OUT, checksum_error, known, length_error, saturation, type_error
from gateway.gatt.decoded import Decoded, DecodeError, Finding, Mode, measure
from vitals.quality import Quality, Reason
from vitals.signals import Signal

NOTIFY = "0734594a-a8e7-4b1a-a6b1-cd5243059a57"
WRITE = "8b00ace7-eb0b-49b0-bbe9-9aee0a26e1a3"

_ASKS, _ANSWERS, _READ_VALUES = 0xAA, 0x55, 0x17
_HEAD_BYTES, _VALUES_BYTES, _DATA_BYTES_MAX = 7, 13, 64
_NONE = {0, 255}
_CALIBRATING = Finding(quality=Quality.INVALID, reason=Reason.CALIBRATING)
_CHARGING = {1: ("charging",), 2: ("charged",)}


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one answer. Raises DecodeError."""
    if not frame or frame[0] != _ANSWERS:
        raise type_error(uuid, frame, 0)
    if len(frame) <= _HEAD_BYTES or len(frame) != _HEAD_BYTES + _data_bytes(frame) + 1:
        raise length_error(uuid, frame, "what its head says")
    if not _is_whole(frame):
        raise checksum_error(uuid, frame, crc8(frame[:-1]))
    if frame[1] or frame[2] != 0xFF:
        raise DecodeError(uuid, 1, f"the device refuses: state {frame[1]:#04x}, its complement {frame[2]:#04x}")
    values = frame[_HEAD_BYTES:-1]
    if not values:
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=("accepted",))
    if len(values) != _VALUES_BYTES:
        raise DecodeError(uuid, 5, f"{len(values)} bytes of values, not {_VALUES_BYTES}")
    spo2, pulse, battery, charging, motion, worn = (values[at] for at in (0, 1, 7, 8, 9, 11))
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=(
            *saturation(known(spo2, none=_NONE), known(pulse, none=_NONE), _findings(spo2, pulse, worn=bool(worn))),
            measure(Signal.BATTERY, float(battery)),
        ),
        status=("worn" if worn else "not_worn", f"motion_{motion}", *_CHARGING.get(charging, ())),
    )


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(_length_of, is_whole=_is_whole, longest_bytes=_HEAD_BYTES + _DATA_BYTES_MAX + 1)


def _findings(spo2: int, pulse: int, *, worn: bool) -> tuple[Finding, ...]:
    if not worn:
        return (FINGER_OUT,)
    return (_CALIBRATING,) if spo2 == pulse == 0 else ()


def _data_bytes(frame: bytes) -> int:
    return int.from_bytes(frame[5:7], "little")


def _length_of(octets: bytes) -> int | None:
    if octets[0] != _ANSWERS or (len(octets) > 2 and octets[1] ^ octets[2] != 0xFF):
        return None
    return _HEAD_BYTES + _data_bytes(octets) + 1 if len(octets) >= _HEAD_BYTES else 0


def _is_whole(frame: bytes) -> bool:
    return frame[-1] == crc8(frame[:-1])


def _request(command: int) -> Write:
    head = bytes((_ASKS, command, command ^ 0xFF, 0, 0, 0, 0))
    return Write(uuid=WRITE, payload=head + bytes((crc8(head),)), response=False)


DRIVER = Driver(
    name="viatom",
    product="Viatom/Wellue O2Ring, Checkme O2, SleepO2 (legacy)",
    kind=Kind.OXIMETER,
    recognition=Recognition(
        services=frozenset({"14839ac4-7d7e-415c-9a42-167340cf2339"}),
        name_alone=re.compile(r"^(O2Ring(?! ?S)|Checkme_O2|WearO2|KidsO2|BabyO2|Oxylink)"),
    ),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    framing=framing,
    poll=Poll(every_s=2.0, writes=(_request(_READ_VALUES),)),
    wellness=True,
)

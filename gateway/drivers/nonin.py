"""Nonin 3230, 3231 and 3150: a notification is a frame of 10 bytes, big-endian, once a second.

    0 length (10)   1 status   2 battery in tenths of a volt   3 pulse amplitude index in hundredths of a percent
    5 seconds since it was switched on   7 SpO2   8 pulse

    status: 0 shown on its display, 1 weak signal (modulation of 0.3 % or less), 2 passed SmartPoint, 3 searching,
            4 finger placed rightly (CorrectCheck), 5 battery low, 6 encrypted

No value: SpO2 127, pulse 511; and 0 and 255, 0 and 65535, index 0 and 65535, which the maker does not name. Without a
value and without bit 4: finger out. Bit 4 takes nothing from a value: one source alone says which way round it is.
An encrypted frame is refused by name. Some of these also offer the Bluetooth SIG's service; this one tells more.

Sources: andreasdri/nonin-3230-ble index.js (layout, name); the maker's sample for phones (status, none values).
"""

import re

from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.drivers.oximetry import FINGER_OUT, known, length_error, saturation_and_perfusion
from gateway.gatt.decoded import Decoded, DecodeError, Mode
from gateway.gatt.status_bits import StatusBit, findings_of, names_of, status_bit
from vitals.quality import Quality, Reason

NOTIFY = "0aad7ea0-0d60-11e2-8e3c-0002a5d5c51b"

_FRAME_BYTES = 10
_NO_SPO2, _NO_PULSE, _NO_PERFUSION = {0, 127, 255}, {0, 511, 65535}, {0, 65535}
_ENCRYPTED, _PLACED_RIGHTLY = 0x40, 0x10

_STATUS: dict[int, StatusBit] = {
    0: status_bit("displayed"),
    1: status_bit("weak_signal", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    2: status_bit("smart_point"),
    3: status_bit("searching", Quality.PROVISIONAL, Reason.ONGOING),
    4: status_bit("finger_placed_rightly"),
    5: status_bit("battery_low"),
}


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if len(frame) != _FRAME_BYTES:
        raise length_error(uuid, frame, str(_FRAME_BYTES))
    if frame[0] != _FRAME_BYTES:
        raise DecodeError(uuid, 0, f"the frame says that it has {frame[0]} bytes, it has {_FRAME_BYTES}")
    status = frame[1]
    if status & _ENCRYPTED:
        raise DecodeError(uuid, 1, f"status {status:#04x}: the frame is encrypted")
    perfusion, pulse = (int.from_bytes(frame[at : at + 2], "big") for at in (3, 8))
    spo2 = known(frame[7], none=_NO_SPO2)
    is_out = spo2 is None and not status & _PLACED_RIGHTLY
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=saturation_and_perfusion(
            spo2,
            known(pulse, none=_NO_PULSE),
            known(perfusion, none=_NO_PERFUSION, scale=0.01),
            (*findings_of(_STATUS, status), *((FINGER_OUT,) if is_out else ())),
        ),
        status=names_of(_STATUS, status),
    )


DRIVER = Driver(
    name="nonin",
    product="Nonin 3230, 3231, 3150",
    kind=Kind.OXIMETER,
    recognition=Recognition(
        services=frozenset({"46a970e0-0d5f-11e2-8b5e-0002a5d5c51b"}), name_alone=re.compile(r"^Nonin ?3(230|231|150)")
    ),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
)

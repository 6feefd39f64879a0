"""BerryMed BM1000 and its kin in the BCI protocol: frames of 5 bytes, 100 a second, across notification borders.

    0  bit 7 set (in no other byte), 6 beep, 5 probe unplugged, 4 no signal, 3-0 signal strength
    1  pleth                                2  bit 6 is PR's bit 7, 5 searching for the pulse, 4 no finger, 3-0 bar
    3  PR, lower seven bits                 4  SpO2

No value: PR 255, SpO2 127; and 0, which the protocol's text does not name. There is no checksum: bit 7 alone shows
where a frame begins. All hundred frames of a second say the same, so one a second is kept. The service is a UART that
many modules offer: the name tells. A newer firmware (FF AA ..., 20 bytes) is not read.

Sources: zh2x/BCI_Protocol "BCI Protocol V1.2.pdf"; adafruit/Adafruit_CircuitPython_BLE_BerryMed_Pulse_Oximeter;
atick-faisal/berry-oximeter src/berry_oximeter/parser.py.
"""

import re

from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.drivers.framing import Stream
from gateway.drivers.oximetry import known, length_error, saturation, type_error
from gateway.gatt.decoded import Decoded, Mode
from gateway.gatt.status_bits import StatusBit, findings_of, names_of, status_bit
from vitals.quality import Quality, Reason

NOTIFY = "49535343-1e4d-4bd9-ba61-23c647249616"

_FRAME_BYTES, _SYNC, _PULSE_BIT_7 = 5, 0x80, 0x40
_NO_PULSE, _NO_SPO2 = {0, 255}, {0, 127}

# Bits 4-5 of byte 0, and above them bits 4-5 of byte 2.
_STATUS: dict[int, StatusBit] = {
    4: status_bit("no_signal", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    5: status_bit("probe_unplugged", Quality.INVALID, Reason.FINGER_OUT),
    6: status_bit("no_finger", Quality.INVALID, Reason.FINGER_OUT),
    7: status_bit("searching", Quality.PROVISIONAL, Reason.ONGOING),
}


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if not frame or not frame[0] & _SYNC:
        raise type_error(uuid, frame, 0)
    if len(frame) != _FRAME_BYTES:
        raise length_error(uuid, frame, str(_FRAME_BYTES))
    astray = next((at for at, octet in enumerate(frame[1:], start=1) if octet & _SYNC), None)
    if astray is not None:
        raise type_error(uuid, frame, astray)
    word = frame[0] & 0x30 | (frame[2] & 0x30) << 2
    pulse = frame[3] | (frame[2] & _PULSE_BIT_7) << 1
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=saturation(
            known(frame[4], none=_NO_SPO2), known(pulse, none=_NO_PULSE), findings_of(_STATUS, word)
        ),
        status=names_of(_STATUS, word),
    )


def framing() -> Stream:
    """Give a new link's framing."""
    return Stream(_length_of, is_whole=_is_whole, longest_bytes=_FRAME_BYTES)


def _length_of(octets: bytes) -> int | None:
    return _FRAME_BYTES if octets[0] & _SYNC else None


def _is_whole(frame: bytes) -> bool:
    return not any(octet & _SYNC for octet in frame[1:])


DRIVER = Driver(
    name="berrymed",
    product="BerryMed BM1000",
    kind=Kind.OXIMETER,
    recognition=Recognition(name=re.compile(r"^(BerryMed|BM1000)")),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    framing=framing,
    keep_every_ms=1000,
)

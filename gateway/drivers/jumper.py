"""Jumper JPD-500F and JPD-500G, sold as "My Oximeter" and PLS-01BT too: a notification is a frame, once a second.

    81 PR SpO2 PI           PI in tenths of a percent
    80 + 10 pleth samples   no measurement
    2D 2D ...               no measurement (sent while nothing is measured)

No value: PR 255, SpO2 127; also 0 and 255 in either, 177 in SpO2 and 127 in PI, which one source or another takes for
none. The frame does not say why it has no value. It has no checksum either: an impossible length is all that shows.

Sources: obniz/obniz src/parts/Ble/PLS_01BT/index.ts; SensorsIot/Oximeters-BLE-Hack-ESP32
Oximeter_Jumper/Oximeter_Jumper.ino (PI / 10); KookKookKool/smarttelemed-v4
lib/core/device/add_device/Jumper/jumper_po_jpd_500f.dart (idle frames).
"""

import re

from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.drivers.oximetry import known, length_error, saturation_and_perfusion, type_error
from gateway.gatt.decoded import Decoded, Mode

NOTIFY = "cdeacb81-5235-4c07-8846-93a37ee6b86d"

_VALUES, _PLETH, _IDLE = 0x81, 0x80, 0x2D
_LENGTHS = {_VALUES: 4, _PLETH: 11}
_NO_PULSE, _NO_SPO2, _NO_PERFUSION = {0, 255}, {0, 127, 177, 255}, {0, 127, 255}


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one frame. Raises DecodeError."""
    if frame and set(frame) == {_IDLE}:
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=("idle",))
    if not frame or frame[0] not in _LENGTHS:
        raise type_error(uuid, frame, 0)
    if len(frame) != _LENGTHS[frame[0]]:
        raise length_error(uuid, frame, str(_LENGTHS[frame[0]]))
    if frame[0] == _PLETH:
        return Decoded(mode=Mode.CONTINUOUS, measurements=())
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=saturation_and_perfusion(
            known(frame[2], none=_NO_SPO2),
            known(frame[1], none=_NO_PULSE),
            known(frame[3], none=_NO_PERFUSION, scale=0.1),
        ),
    )


DRIVER = Driver(
    name="jumper",
    product="Jumper JPD-500F/G, PLS-01BT",
    kind=Kind.OXIMETER,
    recognition=Recognition(
        services=frozenset({"cdeacb80-5235-4c07-8846-93a37ee6b86d"}), name_alone=re.compile(r"^(My Oximeter|JPD-500)")
    ),
    decode=decode,
    subscribe=(NOTIFY,),
    streams=frozenset({NOTIFY}),
    keep_every_ms=500,
)

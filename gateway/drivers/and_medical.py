"""A&D thermometer UT-201BLE, cuffs UA-651BLE and kin, scale UC-352BLE: Bluetooth SIG payloads behind a bond.

The device wakes after a measurement, and hangs up unless, within five seconds of encryption, its measurement is
subscribed to and its clock is written (2A08, at every connection). It then sends what it stored, oldest first. Of its
own commands (length of what follows the length, kind, command; characteristic 233BF001) two are written: 02 00 E1, send
all that is stored, and 02 01 03, hang up. 02 01 12, which deletes, never is. A failed measurement is the SIG's NaN. A
name alone tells these from other devices of the same profiles, which need neither bond nor command.

Sources: obniz/obniz src/parts/Ble/UT201BLE/index.ts; Bluetooth SIG Health Thermometer, Blood Pressure, Weight Scale.
"""

import re

from gateway.drivers.driver import Driver, Kind, Recognition, Write
from gateway.gatt import blood_pressure, thermometer, weight
from gateway.gatt.decoders import decode

COMMAND = "233bf001-5a34-1b6d-975c-000d5690abe4"

_SEND_ALL = Write(uuid=COMMAND, payload=bytes((0x02, 0x00, 0xE1)))
_HANG_UP = Write(uuid=COMMAND, payload=bytes((0x02, 0x01, 0x03)))


def _driver(name: str, product: str, kind: Kind, *, models: str, measurement: str) -> Driver:
    return Driver(
        name=name,
        product=product,
        kind=kind,
        recognition=Recognition(name=re.compile(f"^A&D_{models}")),
        decode=decode,
        subscribe=(measurement,),
        begin=(_SEND_ALL,),
        end=(_HANG_UP,),
        bond=True,
        needs_clock=True,
    )


DRIVER = _driver(
    "and_thermometer",
    "A&D UT-201BLE",
    Kind.THERMOMETER,
    models="UT",
    measurement=thermometer.MEASUREMENT_UUID,
)
CUFF = _driver(
    "and_cuff",
    "A&D UA-651BLE and kin",
    Kind.CUFF,
    models="UA",
    measurement=blood_pressure.MEASUREMENT_UUID,
)
SCALE = _driver(
    "and_scale",
    "A&D UC-352BLE",
    Kind.SCALE,
    models="UC",
    measurement=weight.MEASUREMENT_UUID,
)

"""Xiaomi MiBeacon body thermometers (MMC-T201, MMC-W505), worn, advertisement only: service data FE95 in clear text.

    control (two bytes)  product (two)  count  [address (six)]  [capability, more where its bit 5 is set]  objects
    control: bit 3 encrypted, 4 address, 5 capability, 6 objects, 7 mesh, 12-15 version (2 or more)
    object:  id (two bytes)  length  value; all low byte first
        2000  skin side, outer side (signed, hundredths of a degree), battery %      MMC-T201
        000A  temperature (signed, hundredths of a degree; 0: none)                  MMC-W505

Of 2000 the body's temperature is reckoned by the published curve that was fitted to the maker's app between 36.5 and
37.9 °C: outside, the value is questionable; so is 000A, which is the skin's. A skin side under 30 °C lies on no body:
no value (the curve would say 36.4). A product unknown here (the MMC-T201-2 weighs its sensors otherwise) is
questionable throughout. Encrypted advertisements are refused by name. All of Xiaomi's devices use FE95: these announce
the thermometer service 1809 beside it.

Sources: Bluetooth-Devices/xiaomi-ble src/xiaomi_ble/parser.py (layout, curve), tests/test_parser.py.
"""

import math
from collections.abc import Iterator

from gateway.drivers.broadcast import said_once
from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.gatt.decoded import Decoded, Finding, Measurement, Mode, measure
from gateway.gatt.fields import Fields
from vitals.quality import Quality, Reason
from vitals.signals import Signal

SERVICE_DATA = "fe95"

_ENCRYPTED, _WITH_ADDRESS, _WITH_CAPABILITY, _WITH_OBJECTS, _MESH = (1 << bit for bit in range(3, 8))
_MORE_CAPABILITY = 0x20
_ADDRESS_BYTES, _VERSION_MIN = 6, 2
_PRODUCTS = {0x00DB: "MMC-T201-1", 0x0391: "MMC-W505"}
_BODY, _SKIN = 0x2000, 0x000A
_FITTED_C = (36.5, 37.9)
_LENGTHS = {_BODY: 5, _SKIN: 2}
_TAIL_BYTES_MAX = 2  # less than an object's head: a MMC-W505 sends one byte more
_SKIN_C_MIN = 30.0

_OUTSIDE_THE_CURVE = Finding(quality=Quality.QUESTIONABLE, reason=Reason.OUT_OF_DEVICE_RANGE)
_UNKNOWN_PRODUCT = Finding(quality=Quality.QUESTIONABLE, reason=Reason.DEVICE_QUESTIONABLE)


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one advertisement's service data. Raises DecodeError."""
    fields = Fields(uuid, frame)
    control, product = (fields.unsigned(name, size_bytes=2) for name in ("frame control", "product"))
    if control >> 12 < _VERSION_MIN:
        raise fields.error(1, f"MiBeacon version {control >> 12}, not {_VERSION_MIN} or more")
    if control & _MESH:
        raise fields.error(0, "a frame of a mesh")
    count = fields.unsigned("frame count", size_bytes=1)
    status = (_PRODUCTS.get(product, f"product_{product:04x}"), f"packet_{count}")
    if not control & _WITH_OBJECTS:
        return Decoded(mode=Mode.CONTINUOUS, measurements=(), status=status)
    if control & _ENCRYPTED:
        raise fields.error(0, "the advertisement is encrypted")
    if control & _WITH_ADDRESS:
        fields.taken("address", size_bytes=_ADDRESS_BYTES)
    if control & _WITH_CAPABILITY and fields.unsigned("capability", size_bytes=1) & _MORE_CAPABILITY:
        fields.taken("more capability", size_bytes=1)
    findings = () if product in _PRODUCTS else (_UNKNOWN_PRODUCT,)
    measurements, left_out = said_once(_measurements(fields, findings))
    return Decoded(mode=Mode.CONTINUOUS, measurements=measurements, status=(*status, *left_out))


def _measurements(fields: Fields, findings: tuple[Finding, ...]) -> Iterator[Measurement]:
    while fields.left_bytes > _TAIL_BYTES_MAX:
        number = fields.unsigned("object id", size_bytes=2)
        at = fields.offset
        length = fields.unsigned("object length", size_bytes=1)
        if length != _LENGTHS.get(number, length):
            raise fields.error(at, f"object {number:#06x} of {length} bytes, not {_LENGTHS[number]}")
        if number == _BODY:
            skin_c, outer_c = (fields.signed(side, size_bytes=2) / 100 for side in ("skin side", "outer side"))
            yield _temperature(_body_c(skin_c, outer_c), findings)
            yield measure(Signal.BATTERY, float(fields.unsigned("battery", size_bytes=1)))
        elif number == _SKIN:
            raw = fields.signed("temperature", size_bytes=2)
            yield _temperature(raw / 100 if raw else None, findings)
        else:
            fields.taken(f"object {number:#06x}", size_bytes=length)


def _body_c(skin_c: float, outer_c: float) -> float | None:
    if skin_c < _SKIN_C_MIN:
        return None
    return 3.71934e-11 * math.exp(0.69314 * skin_c) - 1.02801e-8 * math.exp(0.53871 * outer_c) + 36.413


def _temperature(number: float | None, findings: tuple[Finding, ...]) -> Measurement:
    low_c, high_c = _FITTED_C
    is_fitted = number is None or low_c <= number <= high_c
    return measure(Signal.TEMPERATURE, number, findings if is_fitted else (*findings, _OUTSIDE_THE_CURVE))


DRIVER = Driver(
    name="xiaomi_thermometer",
    product="Xiaomi MMC-T201, MMC-W505",
    kind=Kind.THERMOMETER,
    recognition=Recognition(service_data=frozenset({SERVICE_DATA}), services=frozenset({"1809"})),
    decode=decode,
    advertised=frozenset({SERVICE_DATA}),
)

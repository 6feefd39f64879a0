"""BTHome v2 in clear text: home-made sensors that only advertise, service data FCD2; thermometers are read.

    first byte: bit 0 encrypted, bit 1 six bytes of address follow, bits 5-7 version (2); then objects: id, value

Read are temperatures (02, 45, 57, 58), the battery (01) and the packet's number (00, as `packet_N`). Other objects are
passed over by their length; one of unknown length ends the reading, so it is an error that names its byte. An
encrypted advertisement is an error too. Of two temperatures the first is read: at one instant they would contradict
each other. A sensor in a room gives room temperature: no body has 20 °C, so the number is not kept.

Sources: the format's description at bthome.io; Bluetooth-Devices/bthome-ble src/bthome_ble/const.py (lengths).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.drivers.broadcast import said_once
from gateway.drivers.driver import Driver, Kind, Recognition
from gateway.gatt.decoded import Decoded, Measurement, Mode, measure
from gateway.gatt.fields import Fields
from vitals.signals import Signal

SERVICE_DATA = "fcd2"

_ENCRYPTED, _WITH_ADDRESS, _VERSION = 0x01, 0x02, 2
_ADDRESS_BYTES = 6
_PACKET, _BATTERY = 0x00, 0x01
_TEMPERATURE_SCALES = {0x02: 0.01, 0x45: 0.1, 0x57: 1.0, 0x58: 0.35}
_IDS_BY_LENGTH: dict[int, tuple[int, ...]] = {
    1: (0x00, 0x01, 0x09, 0x0F, 0x10, 0x11, *range(0x15, 0x30), 0x3A, 0x46, 0x57, 0x58, 0x59, 0x60, 0x64),
    2: (
        *(0x02, 0x03, 0x06, 0x07, 0x08, 0x0C, 0x0D, 0x0E, 0x12, 0x13, 0x14, 0x3C, 0x3D, 0x3F, 0x40, 0x41, 0x43, 0x44),
        *(0x45, 0x47, 0x48, 0x49, 0x4A, 0x51, 0x52, 0x56, 0x5A, 0x5D, 0x5E, 0x5F, 0x61, 0xF0),
    ),
    3: (0x04, 0x05, 0x0A, 0x0B, 0x42, 0x4B, 0xF2),
    4: (0x3E, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x55, 0x5B, 0x5C, 0x62, 0x63, 0xF1),
}
_LENGTHS = {number: length for length, numbers in _IDS_BY_LENGTH.items() for number in numbers}
_LENGTH_TOLD = {0x53, 0x54}  # a text, raw bytes: their first byte is their length


def decode(uuid: str, frame: bytes) -> Decoded:
    """Read one advertisement's service data. Raises DecodeError."""
    fields = Fields(uuid, frame)
    about = fields.unsigned("device information", size_bytes=1)
    if about >> 5 != _VERSION:
        raise fields.error(0, f"BTHome version {about >> 5}, not {_VERSION}")
    if about & _ENCRYPTED:
        raise fields.error(0, "the advertisement is encrypted")
    if about & _WITH_ADDRESS:
        fields.taken("address", size_bytes=_ADDRESS_BYTES)
    objects = tuple(_objects(fields))
    measurements, left_out = said_once(m for each in objects if (m := _measurement(each)) is not None)
    packets = (f"packet_{each.value[0]}" for each in objects if each.id == _PACKET)
    return Decoded(mode=Mode.CONTINUOUS, measurements=measurements, status=(*packets, *left_out))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    id: int
    value: bytes


def _objects(fields: Fields) -> Iterator[_Object]:
    while fields.left_bytes:
        at = fields.offset
        number = fields.unsigned("object id", size_bytes=1)
        length = _LENGTHS.get(number)
        if number in _LENGTH_TOLD:
            length = fields.unsigned(f"length of object {number:#04x}", size_bytes=1)
        if length is None:
            raise fields.error(at, f"object {number:#04x} has no length known here")
        yield _Object(id=number, value=fields.taken(f"object {number:#04x}", size_bytes=length))


def _measurement(each: _Object) -> Measurement | None:
    if each.id == _BATTERY:
        return measure(Signal.BATTERY, float(each.value[0]))
    if each.id in _TEMPERATURE_SCALES:
        raw = int.from_bytes(each.value, "little", signed=True)
        return measure(Signal.TEMPERATURE, raw * _TEMPERATURE_SCALES[each.id])
    return None


DRIVER = Driver(
    name="bthome",
    product="BTHome v2 thermometer",
    kind=Kind.THERMOMETER,
    recognition=Recognition(service_data=frozenset({SERVICE_DATA})),
    decode=decode,
    advertised=frozenset({SERVICE_DATA}),
    wellness=True,
)

"""Health Thermometer Service 0x1809: Temperature Measurement (2A1C), Intermediate Temperature (2A1E)."""

from gateway.gatt.decoded import Decoded, Finding, Mode, measure
from gateway.gatt.fields import Fields
from gateway.gatt.ieee11073 import Number
from vitals.quality import Quality, Reason
from vitals.signals import Signal

MEASUREMENT_UUID = "2a1c"
INTERMEDIATE_UUID = "2a1e"

_FAHRENHEIT, _TIME, _TYPE = 1, 2, 4
_RESERVED_FLAGS = 0xF8
_SFLOAT_BYTES, _TIME_BYTES, _TYPE_BYTES = 2, 7, 1
_SITES = ("armpit", "body", "ear", "finger", "gastrointestinal", "mouth", "rectum", "toe", "tympanum")
_STILL_MEASURING = Finding(quality=Quality.PROVISIONAL, reason=Reason.ONGOING)


def decode_measurement(payload: bytes) -> Decoded:
    """Read a finished temperature measurement."""
    return _decode(Fields(MEASUREMENT_UUID, payload), findings=())


def decode_intermediate(payload: bytes) -> Decoded:
    """Read a temperature while the thermometer is still rising: provisional."""
    return _decode(Fields(INTERMEDIATE_UUID, payload), findings=(_STILL_MEASURING,))


def _decode(fields: Fields, *, findings: tuple[Finding, ...]) -> Decoded:
    flags = fields.unsigned("flags", size_bytes=1)
    is_short = fields.left_bytes == _short_bytes(flags)
    number = fields.sfloat("temperature") if is_short else fields.float32("temperature")
    time = fields.civil_time("timestamp") if flags & _TIME else None
    site = fields.unsigned("temperature type", size_bytes=1) if flags & _TYPE else None
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    temperature_c = _celsius(number) if flags & _FAHRENHEIT else number
    return Decoded(
        mode=Mode.SPOT,
        measurements=(measure(Signal.TEMPERATURE, temperature_c, findings),),
        device_time=time,
        status=(*(() if site is None else (_site(site),)), *(("sent_as_sfloat",) if is_short else ())),
    )


def _short_bytes(flags: int) -> int:
    """Say how long the rest is of a thermometer that sends an SFLOAT for the FLOAT (some of Yuwell's do)."""
    return _SFLOAT_BYTES + (_TIME_BYTES if flags & _TIME else 0) + (_TYPE_BYTES if flags & _TYPE else 0)


def _celsius(number: Number) -> Number:
    return (number - 32) * 5 / 9 if isinstance(number, float) else number


def _site(code: int) -> str:
    return f"site_{_SITES[code - 1]}" if 1 <= code <= len(_SITES) else f"site_reserved_{code}"

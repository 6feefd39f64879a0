"""Weight Scale Service 0x181D: Weight Measurement (2A9D)."""

from gateway.gatt.decoded import Decoded, Mode, measure
from gateway.gatt.fields import Fields
from gateway.gatt.ieee11073 import Number, Special
from gateway.gatt.user_id import user_word
from vitals.signals import Signal

MEASUREMENT_UUID = "2a9d"

_IMPERIAL, _TIME, _USER, _BUILD = (1 << bit for bit in range(4))
_RESERVED_FLAGS = 0xF0
_UNSUCCESSFUL = 0xFFFF
_KG_PER_STEP = 0.005
_POUNDS_PER_STEP = 0.01
_KG_PER_POUND = 0.45359237  # exact since 1959


def decode_measurement(payload: bytes) -> Decoded:
    """Read a weight; body mass index and height are checked for presence, not reported."""
    fields = Fields(MEASUREMENT_UUID, payload)
    flags = fields.unsigned("flags", size_bytes=1)
    steps = fields.unsigned("weight", size_bytes=2)
    time = fields.civil_time("timestamp") if flags & _TIME else None
    user = fields.unsigned("user id", size_bytes=1) if flags & _USER else None
    if flags & _BUILD:
        fields.unsigned("body mass index", size_bytes=2)
        fields.unsigned("height", size_bytes=2)
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    return Decoded(
        mode=Mode.SPOT,
        measurements=(measure(Signal.WEIGHT, _kilograms(steps, imperial=bool(flags & _IMPERIAL))),),
        device_time=time,
        status=(
            *(("measurement_unsuccessful",) if steps == _UNSUCCESSFUL else ()),
            *(() if user is None else (user_word(user),)),
        ),
    )


def _kilograms(steps: int, *, imperial: bool) -> Number:
    if steps == _UNSUCCESSFUL:
        return Special.NAN
    return steps * _POUNDS_PER_STEP * _KG_PER_POUND if imperial else steps * _KG_PER_STEP

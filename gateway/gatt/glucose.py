"""Glucose Service 0x1808: Glucose Measurement (2A18), one record of the meter's memory."""

from datetime import datetime, timedelta

from gateway.gatt.decoded import Decoded, Finding, Measurement, Mode, measure
from gateway.gatt.fields import Fields
from gateway.gatt.ieee11073 import Number
from gateway.gatt.plx_status import STORED_WITHOUT_TIME
from gateway.gatt.status_bits import StatusBit, findings_of, names_of
from gateway.gatt.status_bits import status_bit as _bit
from vitals.quality import Quality, Reason
from vitals.signals import Signal

MEASUREMENT_UUID = "2a18"

_OFFSET, _CONCENTRATION, _MOLES, _STATUS, _CONTEXT = (1 << bit for bit in range(5))
_RESERVED_FLAGS = 0xE0
_GLUCOSE_G_PER_MOL = 180.156  # C6H12O6, IUPAC standard atomic weights: 6 x 12.011 + 12 x 1.008 + 6 x 15.999
_MMOL_PER_KG = 1_000_000 / _GLUCOSE_G_PER_MOL
_MMOL_PER_MOL = 1000
_OVERRUN, _UNDERRUN = 0x7FFF, -0x8000  # a Time Offset that is no number of minutes

_SAMPLES = (
    "capillary_whole_blood",
    "capillary_plasma",
    "venous_whole_blood",
    "venous_plasma",
    "arterial_whole_blood",
    "arterial_plasma",
    "undetermined_whole_blood",
    "undetermined_plasma",
    "interstitial_fluid",
    "control_solution",
)
_SITES = {1: "finger", 2: "alternate_site", 3: "earlobe", 4: "control_solution", 15: "not_available"}
_CONTROL_SAMPLE, _CONTROL_SITE = 10, 4
_CONTROL = Finding(quality=Quality.INVALID, reason=Reason.TESTING)

# Too high and too low keep their number doubted, not damned: "LO" on a meter is what must not get lost.
# Bits 12-15 are reserved and ignored.
ANNUNCIATION: dict[int, StatusBit] = {
    0: _bit("battery_low"),
    1: _bit("sensor_malfunction", Quality.INVALID, Reason.SENSOR_FAULT),
    2: _bit("sample_size_insufficient", Quality.INVALID, Reason.DEVICE_INVALID),
    3: _bit("strip_insertion_error", Quality.INVALID, Reason.SENSOR_FAULT),
    4: _bit("strip_type_incorrect", Quality.INVALID, Reason.SENSOR_FAULT),
    5: _bit("result_too_high", Quality.QUESTIONABLE, Reason.OUT_OF_DEVICE_RANGE),
    6: _bit("result_too_low", Quality.QUESTIONABLE, Reason.OUT_OF_DEVICE_RANGE),
    7: _bit("temperature_too_high", Quality.INVALID, Reason.DEVICE_INVALID),
    8: _bit("temperature_too_low", Quality.INVALID, Reason.DEVICE_INVALID),
    9: _bit("read_interrupted", Quality.INVALID, Reason.DEVICE_INVALID),
    10: _bit("device_fault", Quality.INVALID, Reason.SENSOR_FAULT),
    11: _bit("time_fault", Quality.QUESTIONABLE, Reason.UNKNOWN),
}


def decode_measurement(payload: bytes) -> Decoded:
    """Read a record; without a time that is known its value counts no more than any stored value without one."""
    fields = Fields(MEASUREMENT_UUID, payload)
    flags = fields.unsigned("flags", size_bytes=1)
    sequence = fields.unsigned("sequence number", size_bytes=2)
    time = _time(fields, offset_follows=bool(flags & _OFFSET))
    concentration = fields.sfloat("concentration") if flags & _CONCENTRATION else None
    origin = fields.unsigned("type and location", size_bytes=1) if flags & _CONCENTRATION else None
    annunciation = fields.unsigned("sensor status annunciation", size_bytes=2) if flags & _STATUS else 0
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    findings = (
        *findings_of(ANNUNCIATION, annunciation),
        *((_CONTROL,) if origin is not None and _is_control(origin) else ()),
        *((STORED_WITHOUT_TIME,) if time is None else ()),
    )
    return Decoded(
        mode=Mode.SPOT,
        measurements=_measurements(concentration, findings, in_moles=bool(flags & _MOLES)),
        device_time=time,
        from_storage=True,
        status=(
            f"sequence_{sequence}",
            *(("no_concentration",) if origin is None else _origin_words(origin)),
            *names_of(ANNUNCIATION, annunciation),
            *(("context_follows",) if flags & _CONTEXT else ()),
        ),
    )


def _time(fields: Fields, *, offset_follows: bool) -> datetime | None:
    """Take Base Time and Time Offset: their sum is the time the user saw."""
    base = fields.civil_time("base time")
    if not offset_follows:
        return base
    at = fields.offset
    minutes = fields.signed("time offset", size_bytes=2)
    if base is None or minutes in (_OVERRUN, _UNDERRUN):
        return None
    try:
        return base + timedelta(minutes=minutes)
    except OverflowError as exc:
        raise fields.error(at, f"time offset of {minutes} min leaves the calendar from {base}") from exc


def _measurements(
    concentration: Number | None, findings: tuple[Finding, ...], *, in_moles: bool
) -> tuple[Measurement, ...]:
    if concentration is None:
        return ()
    factor = _MMOL_PER_MOL if in_moles else _MMOL_PER_KG
    value = concentration * factor if isinstance(concentration, float) else concentration
    return (measure(Signal.GLUCOSE, value, findings),)


def _is_control(origin: int) -> bool:
    return origin & 0x0F == _CONTROL_SAMPLE or origin >> 4 == _CONTROL_SITE


def _origin_words(origin: int) -> tuple[str, str]:
    sample, site = origin & 0x0F, origin >> 4
    return (
        f"sample_{_SAMPLES[sample - 1]}" if 1 <= sample <= len(_SAMPLES) else f"sample_reserved_{sample}",
        f"site_{_SITES[site]}" if site in _SITES else f"site_reserved_{site}",
    )

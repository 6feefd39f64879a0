"""Blood Pressure Service 0x1810: Blood Pressure Measurement (2A35), Intermediate Cuff Pressure (2A36)."""

from dataclasses import dataclass
from datetime import datetime

from gateway.gatt.decoded import Decoded, Finding, Mode, measure
from gateway.gatt.fields import Fields
from gateway.gatt.ieee11073 import Number
from gateway.gatt.status_bits import StatusBit, findings_of, names_of
from gateway.gatt.status_bits import status_bit as _bit
from gateway.gatt.user_id import user_word
from vitals.quality import Quality, Reason
from vitals.signals import Signal

MEASUREMENT_UUID = "2a35"
CUFF_PRESSURE_UUID = "2a36"

_KILOPASCAL, _TIME, _PULSE, _USER, _STATUS = (1 << bit for bit in range(5))
_RESERVED_FLAGS = 0xE0
_KPA_PER_MMHG = 0.1333224  # NIST SP 811, appendix B.8: millimetre of mercury, conventional
_STILL_MEASURING = Finding(quality=Quality.PROVISIONAL, reason=Reason.ONGOING)

# An irregular pulse is the patient's, not the measurement's fault: named, and no trust is taken. Bits 6-15 reserved.
STATUS: dict[int, StatusBit] = {
    0: _bit("body_movement", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    1: _bit("cuff_too_loose", Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    2: _bit("irregular_pulse"),
    5: _bit("improper_position", Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE),
}
# Bits 3-4 are one number, which speaks of the pulse alone; 3 is reserved.
PULSE_RANGE: dict[int, StatusBit] = {
    1: _bit("pulse_over_range", Quality.QUESTIONABLE, Reason.OUT_OF_DEVICE_RANGE),
    2: _bit("pulse_under_range", Quality.QUESTIONABLE, Reason.OUT_OF_DEVICE_RANGE),
}


def decode_measurement(payload: bytes) -> Decoded:
    """Read a finished measurement; a cuff that failed sends 0x07FF for its pressures."""
    taken = _take(Fields(MEASUREMENT_UUID, payload))
    findings = findings_of(STATUS, taken.status)
    pressures = {
        Signal.SYSTOLIC: taken.systolic,
        Signal.DIASTOLIC: taken.diastolic,
        Signal.MEAN_ARTERIAL: taken.mean_arterial,
    }
    return _decoded(taken, pressures, findings)


def decode_cuff_pressure(payload: bytes) -> Decoded:
    """Read the pressure in the cuff while it measures: a provisional systolic, and nothing else, is known yet.

    No profile subscribes to it: a cuff on its way up is no blood pressure, and a chart of it would say that it is.
    """
    taken = _take(Fields(CUFF_PRESSURE_UUID, payload))
    findings = (_STILL_MEASURING, *findings_of(STATUS, taken.status))
    return _decoded(taken, {Signal.SYSTOLIC: taken.systolic}, findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    systolic: Number
    diastolic: Number
    mean_arterial: Number
    time: datetime | None
    pulse: Number | None
    user: int | None
    status: int


def _take(fields: Fields) -> _Taken:
    flags = fields.unsigned("flags", size_bytes=1)
    pressures = [fields.sfloat(name) for name in ("systolic", "diastolic", "mean arterial pressure")]
    systolic, diastolic, mean_arterial = map(_mmhg, pressures) if flags & _KILOPASCAL else pressures
    taken = _Taken(
        systolic=systolic,
        diastolic=diastolic,
        mean_arterial=mean_arterial,
        time=fields.civil_time("timestamp") if flags & _TIME else None,
        pulse=fields.sfloat("pulse rate") if flags & _PULSE else None,
        user=fields.unsigned("user id", size_bytes=1) if flags & _USER else None,
        status=fields.unsigned("measurement status", size_bytes=2) if flags & _STATUS else 0,
    )
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    return taken


def _decoded(taken: _Taken, pressures: dict[Signal, Number], findings: tuple[Finding, ...]) -> Decoded:
    pulse_range = PULSE_RANGE.get(taken.status >> 3 & 3)
    of_pulse = (*findings, pulse_range.finding) if pulse_range and pulse_range.finding else findings
    pulse = () if taken.pulse is None else (measure(Signal.PULSE, taken.pulse, of_pulse),)
    return Decoded(
        mode=Mode.SPOT,
        measurements=(*(measure(signal, number, findings) for signal, number in pressures.items()), *pulse),
        device_time=taken.time,
        status=(
            *names_of(STATUS, taken.status),
            *((pulse_range.name,) if pulse_range else ()),
            *(() if taken.user is None else (user_word(taken.user),)),
        ),
    )


def _mmhg(kilopascal: Number) -> Number:
    return kilopascal / _KPA_PER_MMHG if isinstance(kilopascal, float) else kilopascal

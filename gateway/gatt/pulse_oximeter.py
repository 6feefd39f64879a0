"""Pulse Oximeter Service 0x1822: PLX Continuous (2A5F), PLX Spot-Check (2A5E), PLX Features (2A60)."""

from dataclasses import dataclass

from gateway.gatt.decoded import Decoded, Finding, Measurement, Mode, measure
from gateway.gatt.fields import Fields
from gateway.gatt.ieee11073 import Number
from gateway.gatt.plx_status import (
    FROM_STORAGE_BIT,
    LOW_PERFUSION,
    LOW_PERFUSION_BELOW_PERCENT,
    MEASUREMENT_STATUS,
    SENSOR_STATUS,
    STORED_WITHOUT_TIME,
    settled,
)
from gateway.gatt.status_bits import findings_of, names_of
from vitals.signals import Signal

CONTINUOUS_UUID = "2a5f"
SPOT_CHECK_UUID = "2a5e"
FEATURES_UUID = "2a60"

_FAST, _SLOW, _MEASUREMENT_STATUS, _SENSOR_STATUS, _PULSE_AMPLITUDE = (1 << bit for bit in range(5))
_SPOT_TIME, _SPOT_MEASUREMENT_STATUS, _SPOT_SENSOR_STATUS, _SPOT_PULSE_AMPLITUDE, _SPOT_CLOCK_UNSET = (
    1 << bit for bit in range(5)
)
_RESERVED_FLAGS = 0xE0


def decode_continuous(payload: bytes) -> Decoded:
    """Read a PLX Continuous Measurement: the normal averaging is the reading.

    Fast and Slow are other averagings of the same signal: their bytes are checked for presence, not reported.
    """
    fields = Fields(CONTINUOUS_UUID, payload)
    flags = fields.unsigned("flags", size_bytes=1)
    spo2, pulse = fields.sfloat("SpO2"), fields.sfloat("pulse rate")
    for flag, name in ((_FAST, "Fast"), (_SLOW, "Slow")):
        if flags & flag:
            fields.sfloat(f"{name} SpO2")
            fields.sfloat(f"{name} pulse rate")
    measurement = fields.unsigned("Measurement Status", size_bytes=2) if flags & _MEASUREMENT_STATUS else 0
    sensor = fields.unsigned("Device and Sensor Status", size_bytes=3) if flags & _SENSOR_STATUS else 0
    amplitude = fields.sfloat("Pulse Amplitude Index") if flags & _PULSE_AMPLITUDE else None
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    stored = bool(measurement >> FROM_STORAGE_BIT & 1)
    return Decoded(
        mode=Mode.CONTINUOUS,
        measurements=_measurements(
            spo2, pulse, amplitude, findings=_findings(measurement, sensor, stored_without_time=stored)
        ),
        status=names_of(MEASUREMENT_STATUS, measurement) + names_of(SENSOR_STATUS, sensor),
    )


def decode_spot_check(payload: bytes) -> Decoded:
    """Read a PLX Spot-Check Measurement; its time counts only while the device says that its clock is set."""
    fields = Fields(SPOT_CHECK_UUID, payload)
    flags = fields.unsigned("flags", size_bytes=1)
    spo2, pulse = fields.sfloat("SpO2"), fields.sfloat("pulse rate")
    time = fields.civil_time("timestamp") if flags & _SPOT_TIME else None
    measurement = fields.unsigned("Measurement Status", size_bytes=2) if flags & _SPOT_MEASUREMENT_STATUS else 0
    sensor = fields.unsigned("Device and Sensor Status", size_bytes=3) if flags & _SPOT_SENSOR_STATUS else 0
    amplitude = fields.sfloat("Pulse Amplitude Index") if flags & _SPOT_PULSE_AMPLITUDE else None
    fields.end(more_announced=bool(flags & _RESERVED_FLAGS))
    clock_unset = bool(flags & _SPOT_CLOCK_UNSET)
    known_time = None if clock_unset else time
    stored = bool(measurement >> FROM_STORAGE_BIT & 1)
    return Decoded(
        mode=Mode.SPOT,
        measurements=_measurements(
            spo2,
            pulse,
            amplitude,
            findings=_findings(measurement, sensor, stored_without_time=stored and known_time is None),
        ),
        device_time=known_time,
        from_storage=stored,
        status=names_of(MEASUREMENT_STATUS, measurement)
        + names_of(SENSOR_STATUS, sensor)
        + (("device_clock_not_set",) if clock_unset else ()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an oximeter says it can do; the two tuples name the status bits it supports."""

    supported: tuple[str, ...]
    measurement_status: tuple[str, ...]
    sensor_status: tuple[str, ...]


_FEATURES = (
    "measurement_status",
    "sensor_status",
    "spot_check_storage",
    "timestamp",
    "fast",
    "slow",
    "pulse_amplitude_index",
    "multiple_bonds",
)


def read_features(payload: bytes) -> Features:
    """Read PLX Features: a word, then the supported bits of either status where the word says so."""
    fields = Fields(FEATURES_UUID, payload)
    word = fields.unsigned("features", size_bytes=2)
    measurement = fields.unsigned("Measurement Status support", size_bytes=2) if word & 1 else 0
    sensor = fields.unsigned("Device and Sensor Status support", size_bytes=3) if word & 2 else 0
    fields.end(more_announced=word >> len(_FEATURES) != 0)
    return Features(
        supported=tuple(name for bit, name in enumerate(_FEATURES) if word >> bit & 1),
        measurement_status=names_of(MEASUREMENT_STATUS, measurement),
        sensor_status=names_of(SENSOR_STATUS, sensor),
    )


def decode_features(payload: bytes) -> Decoded:
    """Read PLX Features as a payload without measurements: its words are the status."""
    features = read_features(payload)
    return Decoded(
        mode=Mode.SPOT,
        measurements=(),
        status=tuple(f"supports_{name}" for name in features.supported)
        + tuple(f"reports_{name}" for name in features.measurement_status + features.sensor_status),
    )


def _findings(measurement: int, sensor: int, *, stored_without_time: bool) -> tuple[Finding, ...]:
    return (
        *findings_of(MEASUREMENT_STATUS, settled(measurement)),
        *findings_of(SENSOR_STATUS, sensor),
        *((STORED_WITHOUT_TIME,) if stored_without_time else ()),
    )


def _measurements(
    spo2: Number, pulse: Number, amplitude: Number | None, *, findings: tuple[Finding, ...]
) -> tuple[Measurement, ...]:
    weak = isinstance(amplitude, float) and amplitude < LOW_PERFUSION_BELOW_PERCENT
    of_pulse = (*findings, LOW_PERFUSION) if weak else findings
    index = () if amplitude is None else (measure(Signal.PERFUSION_INDEX, amplitude, findings),)
    return (measure(Signal.SPO2, spo2, of_pulse), measure(Signal.PULSE, pulse, of_pulse), *index)

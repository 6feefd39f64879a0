"""Pulse oximeter measurements as bytes: PLX Continuous 2A5F, PLX Spot-check 2A5E, PLX Features 2A60."""

from __future__ import annotations

from datetime import datetime
from enum import IntFlag

from firmware_stubs.medfloat import date_time, sfloat


class MeasurementStatus(IntFlag):
    """PLX Measurement Status, 16 bits (PLXS 1.0, 3.2.1.6)."""

    ONGOING = 1 << 5
    EARLY_ESTIMATE = 1 << 6
    VALIDATED = 1 << 7
    FULLY_QUALIFIED = 1 << 8
    FROM_STORAGE = 1 << 9
    DEMONSTRATION = 1 << 10
    TESTING = 1 << 11
    CALIBRATION = 1 << 12
    UNAVAILABLE = 1 << 13
    QUESTIONABLE = 1 << 14
    INVALID = 1 << 15


class SensorStatus(IntFlag):
    """PLX Device and Sensor Status, 24 bits (PLXS 1.0, 3.2.1.7)."""

    EXTENDED_UPDATE = 1 << 0
    EQUIPMENT_MALFUNCTION = 1 << 1
    PROCESSING_IRREGULAR = 1 << 2
    INADEQUATE_SIGNAL = 1 << 3
    POOR_SIGNAL = 1 << 4
    LOW_PERFUSION = 1 << 5
    ERRATIC_SIGNAL = 1 << 6
    NON_PULSATILE = 1 << 7
    QUESTIONABLE_PULSE = 1 << 8
    SIGNAL_ANALYSIS = 1 << 9
    INTERFERENCE = 1 << 10
    UNCONNECTED_TO_USER = 1 << 11
    UNKNOWN_SENSOR = 1 << 12
    DISPLACED = 1 << 13
    MALFUNCTIONING = 1 << 14
    DISCONNECTED = 1 << 15


ALL_MEASUREMENT_STATUS = 0xFFE0
ALL_SENSOR_STATUS = 0x00FFFF


def plx_continuous(
    *,
    spo2_percent: float | None,
    pulse_per_min: float | None,
    measurement_status: int | None = None,
    sensor_status: int | None = None,
    perfusion_percent: float | None = None,
) -> bytes:
    """Encode 2A5F, "normal" SpO2 and pulse only; a field that is None is left out (PLXS 1.0, 3.2)."""
    tail, present = _optional(measurement_status, sensor_status, perfusion_percent)
    flags = present << 2
    return bytes((flags,)) + sfloat(spo2_percent) + sfloat(pulse_per_min) + tail


def plx_spot_check(
    *,
    spo2_percent: float | None,
    pulse_per_min: float | None,
    civil: datetime | None = None,
    measurement_status: int | None = None,
    sensor_status: int | None = None,
    perfusion_percent: float | None = None,
    is_clock_set: bool = True,
) -> bytes:
    """Encode 2A5E; a field that is None is left out (PLXS 1.0, 3.1)."""
    tail, present = _optional(measurement_status, sensor_status, perfusion_percent)
    flags = (civil is not None) | present << 1 | (not is_clock_set) << 4
    stamp = b"" if civil is None else date_time(civil)
    return bytes((flags,)) + sfloat(spo2_percent) + sfloat(pulse_per_min) + stamp + tail


def plx_features(*, measurement_status: int, sensor_status: int, has_clock: bool, has_memory: bool = False) -> bytes:
    """Encode 2A60 of a device with status masks and perfusion, without fast or slow (PLXS 1.0, 3.3)."""
    supported = 1 << 0 | 1 << 1 | has_memory << 2 | has_clock << 3 | 1 << 6
    return (
        supported.to_bytes(2, "little") + measurement_status.to_bytes(2, "little") + sensor_status.to_bytes(3, "little")
    )


def _optional(
    measurement_status: int | None, sensor_status: int | None, perfusion_percent: float | None
) -> tuple[bytes, int]:
    tail, present = b"", 0
    if measurement_status is not None:
        tail, present = tail + measurement_status.to_bytes(2, "little"), present | 1
    if sensor_status is not None:
        tail, present = tail + sensor_status.to_bytes(3, "little"), present | 2
    if perfusion_percent is not None:
        tail, present = tail + sfloat(perfusion_percent, decimals=1), present | 4
    return tail, present

"""What a sensor would see at one moment, and the courses that tell it for every moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from firmware_stubs.plx import MeasurementStatus, SensorStatus

MEASURED_WELL = MeasurementStatus.ONGOING | MeasurementStatus.FULLY_QUALIFIED
NO_COMPLAINT = SensorStatus(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A patient as the sensor sees them; None is "no value" (NaN on the wire), 0 is sent as 0."""

    spo2_percent: float | None = None
    pulse_per_min: float | None = None
    perfusion_percent: float | None = None
    temperature_c: float | None = None
    systolic_mmhg: float | None = None
    diastolic_mmhg: float | None = None
    glucose_mmol_l: float | None = None
    weight_kg: float | None = None
    is_finger_in: bool = True
    measurement_status: MeasurementStatus = MEASURED_WELL
    sensor_status: SensorStatus = NO_COMPLAINT


Course: TypeAlias = Callable[[float], State]
"""Seconds since the course began -> state: pure, the same seconds give the same state."""

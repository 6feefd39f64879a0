"""Blood pressure measurements as bytes: Blood Pressure Measurement 2A35 and Feature 2A49 (BLS 1.0)."""

from __future__ import annotations

from datetime import datetime
from enum import IntFlag

from firmware_stubs.medfloat import date_time, sfloat

IRREGULAR_PULSE_SUPPORTED = (1 << 2).to_bytes(2, "little")


class BloodPressureStatus(IntFlag):
    """Measurement Status, 16 bits (BLS 1.0, 3.1.1.8); the pulse range takes two bits."""

    BODY_MOVEMENT = 1 << 0
    CUFF_TOO_LOOSE = 1 << 1
    IRREGULAR_PULSE = 1 << 2
    PULSE_ABOVE_RANGE = 1 << 3
    PULSE_BELOW_RANGE = 1 << 4
    WRONG_POSITION = 1 << 5


def blood_pressure_measurement(
    *,
    systolic_mmhg: float | None,
    diastolic_mmhg: float | None,
    mean_mmhg: float | None,
    civil: datetime | None = None,
    pulse_per_min: float | None = None,
    user: int | None = None,
    status: int | None = None,
) -> bytes:
    """Encode 2A35 in mmHg; a pressure that is None is "not a number", another field that is None is left out."""
    flags = (civil is not None) << 1 | (pulse_per_min is not None) << 2 | (user is not None) << 3
    return b"".join(
        (
            bytes((flags | (status is not None) << 4,)),
            *(sfloat(pressure) for pressure in (systolic_mmhg, diastolic_mmhg, mean_mmhg)),
            b"" if civil is None else date_time(civil),
            b"" if pulse_per_min is None else sfloat(pulse_per_min),
            b"" if user is None else bytes((user,)),
            b"" if status is None else status.to_bytes(2, "little"),
        )
    )

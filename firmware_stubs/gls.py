"""Glucose measurements as bytes: Glucose Measurement 2A18 and Feature 2A51 (GLS 1.0)."""

from __future__ import annotations

from datetime import datetime, timedelta

from firmware_stubs.medfloat import date_time, sfloat

CAPILLARY_WHOLE_BLOOD = 0x1
FINGER = 0x1
NO_FEATURES = bytes(2)
DECIMALS_MMOL_L = 1


def glucose_measurement(
    *, number: int, civil: datetime, offset: timedelta | None = None, glucose_mmol_l: float | None, status: int = 0
) -> bytes:
    """Encode 2A18 in mol/L with the device's base time, and the minutes by which the user has corrected it.

    Without a concentration the record has none; a status of 0 is left out (GLS 1.0, 3.1).
    """
    is_measured = glucose_mmol_l is not None
    flags = (offset is not None) | is_measured << 1 | is_measured << 2 | bool(status) << 3
    minutes = b"" if offset is None else round(offset.total_seconds() / 60).to_bytes(2, "little", signed=True)
    concentration = b""
    if glucose_mmol_l is not None:
        # 6.1 mmol/L is the mantissa 61 with the exponent -4, in mol/L.
        concentration = sfloat(glucose_mmol_l / 1000, decimals=3 + DECIMALS_MMOL_L)
        concentration += bytes((CAPILLARY_WHOLE_BLOOD | FINGER << 4,))
    tail = status.to_bytes(2, "little") if status else b""
    return bytes((flags,)) + number.to_bytes(2, "little") + date_time(civil) + minutes + concentration + tail

"""Thermometer measurements as bytes: Temperature Measurement 2A1C and Temperature Type 2A1D."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from firmware_stubs.medfloat import date_time, float32


class Site(IntEnum):
    """Where the temperature was taken: Temperature Type (HTS 1.0, 3.2)."""

    ARMPIT = 1
    BODY = 2
    EAR = 3
    FINGER = 4
    GASTROINTESTINAL = 5
    MOUTH = 6
    RECTUM = 7
    TOE = 8
    TYMPANUM = 9


def temperature_measurement(
    temperature_c: float | None, *, civil: datetime | None = None, site: Site | None = None
) -> bytes:
    """Encode 2A1C (or 2A1E) in Celsius with one decimal; a field that is None is left out (HTS 1.0, 3.1)."""
    flags = (civil is not None) << 1 | (site is not None) << 2
    stamp = b"" if civil is None else date_time(civil)
    kind = b"" if site is None else bytes((site,))
    return bytes((flags,)) + float32(temperature_c, decimals=1) + stamp + kind

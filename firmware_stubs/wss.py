"""Weight measurements as bytes: Weight Measurement 2A9D and Weight Scale Feature 2A9E (WSS 1.0)."""

from __future__ import annotations

from datetime import datetime

from firmware_stubs.medfloat import date_time

UNITS_PER_KG = 200
TIME_AND_USERS = (0b11).to_bytes(4, "little")


def as_weighed(kg: float) -> float:
    """Round a weight to the steps of the wire, 5 g."""
    return round(kg * UNITS_PER_KG) / UNITS_PER_KG


def weight_measurement(kg: float | None, *, civil: datetime | None = None, user: int | None = None) -> bytes:
    """Encode 2A9D in kilograms; None is "measurement unsuccessful" (WSS 1.0, 3.2)."""
    flags = (civil is not None) << 1 | (user is not None) << 2
    weight = 0xFFFF if kg is None else round(kg * UNITS_PER_KG)
    stamp = b"" if civil is None else date_time(civil)
    who = b"" if user is None else bytes((user,))
    return bytes((flags,)) + weight.to_bytes(2, "little") + stamp + who

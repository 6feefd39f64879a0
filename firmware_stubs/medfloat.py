"""Medical numbers and dates as bytes: SFLOAT, FLOAT (IEEE 11073-20601 F.8) and Date Time (GATT 0x2A08)."""

from __future__ import annotations

import math
from datetime import datetime

SFLOAT_NAN = 0x07FF
SFLOAT_MANTISSA_MAX = 0x07FD
FLOAT_NAN = 0x007FFFFF
FLOAT_MANTISSA_MAX = 0x007FFFFD


def sfloat(value: float | None, *, decimals: int = 0) -> bytes:
    """Encode a 16-bit SFLOAT with a fixed number of decimals; None or NaN is "not a number"."""
    if value is None or math.isnan(value):
        return SFLOAT_NAN.to_bytes(2, "little")
    mantissa = _mantissa(value, decimals, limit=SFLOAT_MANTISSA_MAX, decimals_max=8)
    return ((-decimals & 0xF) << 12 | mantissa & 0xFFF).to_bytes(2, "little")


def float32(value: float | None, *, decimals: int = 0) -> bytes:
    """Encode a 32-bit FLOAT with a fixed number of decimals; None or NaN is "not a number"."""
    if value is None or math.isnan(value):
        return FLOAT_NAN.to_bytes(4, "little")
    mantissa = _mantissa(value, decimals, limit=FLOAT_MANTISSA_MAX, decimals_max=128)
    return ((-decimals & 0xFF) << 24 | mantissa & 0xFFFFFF).to_bytes(4, "little")


def date_time(civil: datetime) -> bytes:
    """Encode the civil time that a device's own clock shows, seven bytes, without zone or fraction."""
    return civil.year.to_bytes(2, "little") + bytes((civil.month, civil.day, civil.hour, civil.minute, civil.second))


def as_sent(value: float, *, decimals: int = 0) -> float:
    """Round a value to what its bytes will say."""
    scale: float = 10**decimals
    return round(value * scale) / scale


def _mantissa(value: float, decimals: int, *, limit: int, decimals_max: int) -> int:
    if not 0 <= decimals <= decimals_max:
        raise ValueError(f"{decimals} decimals cannot be encoded, only 0 to {decimals_max}")
    mantissa = round(value * 10**decimals) if math.isfinite(value) else limit + 1
    if abs(mantissa) > limit:
        raise ValueError(f"{value} with {decimals} decimals needs a mantissa beyond {limit}")
    return mantissa

"""Heart rate measurements as bytes: Heart Rate Measurement 2A37 (HRS 1.0)."""

from __future__ import annotations

from collections.abc import Sequence

RR_UNITS_PER_S = 1024
RR_PER_MEASUREMENT_MAX = 9
WRIST = bytes((2,))


def rr_units(seconds: float) -> int:
    """Round an interval between two beats to the units of the wire, 1/1024 s."""
    return round(seconds * RR_UNITS_PER_S)


def heart_rate_measurement(*, pulse_per_min: int, is_skin_touched: bool | None = None, rr: Sequence[int] = ()) -> bytes:
    """Encode 2A37; `rr` in 1/1024 s, oldest first; contact is left out if it is None (HRS 1.0, 3.1)."""
    is_wide = pulse_per_min > 0xFF
    contact = 0 if is_skin_touched is None else 0b100 | is_skin_touched << 1
    flags = is_wide | contact | bool(rr) << 4
    beats = b"".join(interval.to_bytes(2, "little") for interval in rr)
    return bytes((flags,)) + pulse_per_min.to_bytes(2 if is_wide else 1, "little") + beats

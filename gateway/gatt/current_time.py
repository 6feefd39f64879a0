"""A device's clock, read and written: Current Time (2A2B), Date Time (2A08); civil time without a zone."""

from datetime import datetime

from gateway.gatt.decoded import Decoded, Mode
from gateway.gatt.fields import Fields

CURRENT_TIME_UUID = "2a2b"
DATE_TIME_UUID = "2a08"

_REASONS = ("manual_update", "external_reference", "time_zone_change", "daylight_saving_change")
_EXTERNAL_REFERENCE = 1 << 1
_FRACTIONS_PER_S = 256
_YEARS = range(1582, 10_000)  # what a Date Time can say


class UnwritableTime(ValueError):
    """A device's clock can not be set to this: the year is beyond what a Date Time can say."""


def decode_current_time(payload: bytes) -> Decoded:
    """Read a Current Time; the day of the week adds nothing to the date and is passed over."""
    fields = Fields(CURRENT_TIME_UUID, payload)
    time = fields.civil_time("exact time")
    fields.unsigned("day of week", size_bytes=1)
    fractions = fields.unsigned("fractions of a second", size_bytes=1)
    reasons = fields.unsigned("adjust reason", size_bytes=1)
    fields.end(more_announced=False)
    if time is not None:
        time = time.replace(microsecond=fractions * 1_000_000 // _FRACTIONS_PER_S)
    words = tuple(f"adjusted_{name}" for bit, name in enumerate(_REASONS) if reasons >> bit & 1)
    return _decoded(time, words)


def decode_date_time(payload: bytes) -> Decoded:
    """Read a Date Time: seven bytes."""
    fields = Fields(DATE_TIME_UUID, payload)
    time = fields.civil_time("date time")
    fields.end(more_announced=False)
    return _decoded(time)


def encode_current_time(local: datetime) -> bytes:
    """Write the time of the patient's zone as a Current Time, adjusted by an external reference."""
    fractions = local.microsecond * _FRACTIONS_PER_S // 1_000_000
    return encode_date_time(local) + bytes((local.isoweekday(), fractions, _EXTERNAL_REFERENCE))


def encode_date_time(local: datetime) -> bytes:
    """Write the time of the patient's zone as a Date Time. Raises UnwritableTime."""
    if local.year not in _YEARS:
        raise UnwritableTime(f"{local.isoformat()}: a device's clock knows the years {_YEARS[0]} to {_YEARS[-1]}")
    parts = (local.month, local.day, local.hour, local.minute, local.second)
    return local.year.to_bytes(2, "little") + bytes(parts)


def _decoded(time: datetime | None, words: tuple[str, ...] = ()) -> Decoded:
    unset = ("device_clock_not_set",) if time is None else ()
    return Decoded(mode=Mode.SPOT, measurements=(), device_time=time, status=(*words, *unset))

"""A device's clock: what it says, and what is written to it."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gatt.current_time import (
    UnwritableTime,
    decode_current_time,
    decode_date_time,
    encode_current_time,
    encode_date_time,
)
from gateway.gatt.decoded import DecodeError

LEAP_EVENING = datetime(2024, 2, 29, 23, 59, 58)  # noqa: DTZ001 - a Thursday


def test_a_date_time() -> None:
    # NordicSemiconductor/Android-BLE-Common-Library DateTimeDataCallbackTest.java
    decoded = decode_date_time(bytes.fromhex("e20704110f3300"))
    assert decoded.device_time == datetime(2018, 4, 17, 15, 51, 0)  # noqa: DTZ001
    assert (decoded.measurements, decoded.status) == ((), ())


@pytest.mark.parametrize("payload", ["00000000121a20", "e2070011121a20", "e2070400121a20"])
def test_a_clock_without_a_date_is_not_set(payload: str) -> None:
    assert decode_date_time(bytes.fromhex(payload)).device_time is None
    decoded = decode_current_time(bytes.fromhex(payload + "000000"))
    assert (decoded.device_time, decoded.status) == (None, ("device_clock_not_set",))


def test_a_current_time_has_parts_of_a_second() -> None:
    decoded = decode_current_time(bytes.fromhex("e807021d173b3a" + "04" + "80" + "0f"))
    assert decoded.device_time == LEAP_EVENING.replace(microsecond=500_000)
    assert decoded.status == (
        "adjusted_manual_update",
        "adjusted_external_reference",
        "adjusted_time_zone_change",
        "adjusted_daylight_saving_change",
    )


def test_the_bytes_that_are_written() -> None:
    # 2024 = 0x07e8; Thursday = 4; 0.75 s = 192/256; adjusted by an external reference = bit 1
    late = LEAP_EVENING.replace(microsecond=750_000)
    assert encode_date_time(late).hex() == "e807021d173b3a"
    assert encode_current_time(late).hex() == "e807021d173b3a" + "04" + "c0" + "02"


def test_the_time_of_the_patients_zone_is_written_as_it_stands() -> None:
    shanghai = datetime(2026, 1, 1, 0, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert encode_date_time(shanghai).hex() == "ea070101001e00"


@given(st.datetimes(min_value=datetime(1582, 1, 1)))  # noqa: DTZ001
def test_what_is_written_is_read_back(local: datetime) -> None:
    assert decode_date_time(encode_date_time(local)).device_time == local.replace(microsecond=0)
    read = decode_current_time(encode_current_time(local)).device_time
    assert read is not None
    assert 0 <= (local - read).total_seconds() < 1 / 256


def test_a_year_that_no_clock_knows_is_refused_by_name() -> None:
    with pytest.raises(UnwritableTime, match="1581-12-31T00:00:00"):
        encode_current_time(datetime(1581, 12, 31))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("payload", "offset"), [("", 0), ("e207041a0f33", 6), ("e20704110f330000", 7), ("e20704200f3300", 0)]
)
def test_a_malformed_date_time_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_date_time(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a08", offset)


@pytest.mark.parametrize(("payload", "offset"), [("e20704110f3300", 7), ("e20704110f33000200", 9)])
def test_a_short_current_time_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_current_time(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a2b", offset)

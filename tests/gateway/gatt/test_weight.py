"""Weight Scale bytes in, exact kilograms out (Weight Scale Service 1.0 layout; arithmetic beside each vector)."""

from datetime import datetime

import pytest

from gateway.gatt.decoded import DecodeError, Mode
from gateway.gatt.weight import decode_measurement
from vitals.quality import Quality, Reason


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        ("00b036", 7000),  # 0x36b0 = 14000 x 0.005 kg
        ("00b136", 7000),  # 14001 x 0.005 = 70.005 kg, half to even
        ("00b236", 7001),
        ("01483c", 7000),  # 0x3c48 = 15432 x 0.01 lb = 154.32 lb x 0.45359237 = 69.99838 kg
        ("011e56", 10000),  # 0x561e = 22046 -> 99.99897 kg
        ("006400", 50),  # 0.5 kg: the least that is believed
        ("0060ea", 30000),  # 0xea60 = 60000 -> 300 kg: the most
        ("01feff", 29726),  # 655.34 lb: the most that can be said in pounds
    ],
)
def test_a_weight_in_kilograms(payload: str, value: int) -> None:
    decoded = decode_measurement(bytes.fromhex(payload))
    (measurement,) = decoded.measurements
    assert (decoded.mode, measurement.value, measurement.quality) == (Mode.SPOT, value, Quality.GOOD)


@pytest.mark.parametrize("payload", ["000000", "006200", "0062ea", "00feff"])  # 0, 0.49, 300.01 and 327.67 kg
def test_what_can_be_no_weight_is_kept_without_its_number(payload: str) -> None:
    (measurement,) = decode_measurement(bytes.fromhex(payload)).measurements
    assert (measurement.value, measurement.quality, measurement.reason) == (None, Quality.INVALID, Reason.IMPLAUSIBLE)


@pytest.mark.parametrize("flags", ["00", "01"])
def test_an_unsuccessful_weighing_is_kept_without_a_number(flags: str) -> None:
    decoded = decode_measurement(bytes.fromhex(flags + "ffff"))
    (measurement,) = decoded.measurements
    assert (measurement.value, measurement.quality, measurement.reason) == (None, Quality.INVALID, Reason.NOT_A_NUMBER)
    assert decoded.status == ("measurement_unsuccessful",)


def test_everything_is_read_in_order() -> None:
    # 65 kg (0x32c8 = 13000), 2025-12-31 23:59:58, user 2, index 21.2, height 1.755 m
    decoded = decode_measurement(bytes.fromhex("0e" + "c832" + "e9070c1f173b3a" + "02" + "d400" + "db06"))
    (measurement,) = decoded.measurements
    assert measurement.value == 6500
    assert decoded.device_time == datetime(2025, 12, 31, 23, 59, 58)  # noqa: DTZ001
    assert decoded.status == ("user_2",)


@pytest.mark.parametrize(("user", "word"), [("00", "user_0"), ("fe", "user_254"), ("ff", "user_unknown")])
def test_the_user_is_named(user: str, word: str) -> None:
    assert decode_measurement(bytes.fromhex("04b036" + user)).status == (word,)


@pytest.mark.parametrize(
    ("payload", "offset"),
    [("", 0), ("00b0", 2), ("02b036ea07", 5), ("04b036", 3), ("08b036d400db", 6), ("00b03600", 3)],
)
def test_a_malformed_weight_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a9d", offset)

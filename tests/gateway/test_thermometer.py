"""Health Thermometer bytes in, exact readings out."""

from datetime import datetime

import pytest

from gateway.gatt.decoded import DecodeError, Mode
from gateway.gatt.thermometer import decode_intermediate, decode_measurement
from vitals.quality import Quality, Reason


def test_a_temperature_in_celsius() -> None:
    decoded = decode_measurement(bytes.fromhex("00" + "700100ff"))
    (measurement,) = decoded.measurements
    assert (decoded.mode, measurement.value, measurement.quality) == (Mode.SPOT, 3680, Quality.GOOD)


@pytest.mark.parametrize(
    ("float_le", "value"),
    [("da0300ff", 3700), ("ed0300ff", 3806), ("f40300ff", 3844), ("6b2700fe", 3828)],  # 98.6, 100.5, 101.2, 100.91 °F
)
def test_fahrenheit_is_converted_once(float_le: str, value: int) -> None:
    (measurement,) = decode_measurement(bytes.fromhex("01" + float_le)).measurements
    assert measurement.value == value


def test_time_and_site_are_read() -> None:
    decoded = decode_measurement(bytes.fromhex("06" + "700100ff" + "ea070b15160f1e" + "09"))
    assert decoded.device_time == datetime(2026, 11, 21, 22, 15, 30)  # noqa: DTZ001
    assert decoded.status == ("site_tympanum",)


@pytest.mark.parametrize(("code", "name"), [(0, "site_reserved_0"), (1, "site_armpit"), (10, "site_reserved_10")])
def test_an_unknown_site_is_no_error(code: int, name: str) -> None:
    assert decode_measurement(bytes.fromhex("04" + "700100ff") + bytes([code])).status == (name,)


@pytest.mark.parametrize(
    ("float_le", "reason"),
    [
        ("ffff7f00", Reason.NOT_A_NUMBER),
        ("00008000", Reason.NOT_A_NUMBER),
        ("feff7f00", Reason.OUT_OF_DEVICE_RANGE),
        ("02008000", Reason.OUT_OF_DEVICE_RANGE),
        ("01008000", Reason.UNKNOWN),
        ("00000000", Reason.IMPLAUSIBLE),
        ("c30100ff", Reason.IMPLAUSIBLE),  # 45.1 °C
        ("2b0100ff", Reason.IMPLAUSIBLE),  # 29.9 °C
        ("0100007f", Reason.IMPLAUSIBLE),  # 1e127 °C
    ],
)
@pytest.mark.parametrize("flags", ["00", "01"])
def test_what_can_be_no_temperature_is_kept_without_its_number(flags: str, float_le: str, reason: Reason) -> None:
    (measurement,) = decode_measurement(bytes.fromhex(flags + float_le)).measurements
    if flags == "01" and reason is Reason.IMPLAUSIBLE:
        assert measurement.value is None
    else:
        assert (measurement.value, measurement.quality, measurement.reason) == (None, Quality.INVALID, reason)


def test_an_intermediate_temperature_is_provisional() -> None:
    (measurement,) = decode_intermediate(bytes.fromhex("00" + "700100ff")).measurements
    assert (measurement.value, measurement.quality, measurement.reason) == (3680, Quality.PROVISIONAL, Reason.ONGOING)


@pytest.mark.parametrize(("payload", "offset"), [("", 0), ("00700100", 4), ("06700100ffea07", 7), ("00700100ff01", 5)])
def test_a_malformed_payload_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex(payload))
    assert caught.value.offset == offset

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


def test_nordics_temperature() -> None:
    # NordicSemiconductor/Android-BLE-Common-Library TemperatureMeasurementDataCallbackTest.java
    decoded = decode_measurement(bytes.fromhex("06b00e00fedc070c050b321b04"))
    (measurement,) = decoded.measurements
    assert measurement.value == 3760
    assert decoded.device_time == datetime(2012, 12, 5, 11, 50, 27)  # noqa: DTZ001
    assert decoded.status == ("site_finger",)


# Some of Yuwell's thermometers send an SFLOAT (0xf170 = 36.8) where the profile says FLOAT.


@pytest.mark.parametrize(
    ("payload", "value", "status"),
    [
        ("00" + "70f1", 3680, ("sent_as_sfloat",)),
        ("01" + "daf3", 3700, ("sent_as_sfloat",)),  # 0xf3da = 98.6 °F
        ("02" + "70f1" + "ea070b15160f1e", 3680, ("sent_as_sfloat",)),
        ("04" + "70f1" + "06", 3680, ("site_mouth", "sent_as_sfloat")),
        ("06" + "60ee" + "ea070b15160f1e" + "01", None, ("site_armpit", "sent_as_sfloat")),  # 0xee60 = -4.16
    ],
)
def test_a_payload_that_only_an_sfloat_fits_is_read_as_one(
    payload: str, value: int | None, status: tuple[str, ...]
) -> None:
    for decode in (decode_measurement, decode_intermediate):
        decoded = decode(bytes.fromhex(payload))
        assert decoded.measurements[0].value == value
        assert decoded.status == status
        assert (decoded.device_time is not None) == (payload[:2] in ("02", "06"))


@pytest.mark.parametrize(
    ("sfloat_le", "reason"),
    [
        ("ff07", Reason.NOT_A_NUMBER),
        ("0008", Reason.NOT_A_NUMBER),
        ("fe07", Reason.OUT_OF_DEVICE_RANGE),
        ("0208", Reason.OUT_OF_DEVICE_RANGE),
        ("0108", Reason.UNKNOWN),
        ("7001", Reason.IMPLAUSIBLE),  # what a FLOAT of 36.8 leaves when it is cut: 368
        ("600e", Reason.IMPLAUSIBLE),  # and one of 36.80: -416
    ],
)
def test_an_sfloat_that_is_no_temperature_is_kept_without_its_number(sfloat_le: str, reason: Reason) -> None:
    (measurement,) = decode_measurement(bytes.fromhex("00" + sfloat_le)).measurements
    assert (measurement.value, measurement.quality, measurement.reason) == (None, Quality.INVALID, reason)


@pytest.mark.parametrize("payload", ["0070f1ea", "0270f1ea070b15160f", "0670f1ea070b15160f1e"])
def test_a_length_that_fits_neither_is_malformed(payload: str) -> None:
    with pytest.raises(DecodeError):
        decode_measurement(bytes.fromhex(payload))


@pytest.mark.parametrize(("payload", "offset"), [("", 0), ("00700100", 4), ("06700100ffea07", 7), ("00700100ff01", 5)])
def test_a_malformed_payload_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex(payload))
    assert caught.value.offset == offset

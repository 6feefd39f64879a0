"""PLX and HTS layouts, written out by hand from the service specifications."""

from datetime import datetime

from firmware_stubs.hts import Site, temperature_measurement
from firmware_stubs.plx import (
    ALL_MEASUREMENT_STATUS,
    ALL_SENSOR_STATUS,
    MeasurementStatus,
    SensorStatus,
    plx_continuous,
    plx_features,
    plx_spot_check,
)

EVENING = datetime(2026, 11, 21, 22, 8, 9)  # noqa: DTZ001 a device's civil time


def test_the_shortest_continuous_measurement_is_five_bytes() -> None:
    assert plx_continuous(spo2_percent=97, pulse_per_min=72) == bytes.fromhex("00 6100 4800")


def test_a_full_continuous_measurement_keeps_the_order_of_its_fields() -> None:
    sent = plx_continuous(
        spo2_percent=97,
        pulse_per_min=72,
        measurement_status=MeasurementStatus.ONGOING | MeasurementStatus.FULLY_QUALIFIED,
        sensor_status=SensorStatus.POOR_SIGNAL,
        perfusion_percent=3.2,
    )
    assert sent == bytes.fromhex("1c 6100 4800 2001 100000 20f0")


def test_a_finger_that_is_out_is_not_a_number_and_says_why() -> None:
    sent = plx_continuous(
        spo2_percent=None,
        pulse_per_min=None,
        measurement_status=MeasurementStatus.UNAVAILABLE,
        sensor_status=SensorStatus.UNCONNECTED_TO_USER | SensorStatus.DISCONNECTED,
    )
    assert sent == bytes.fromhex("0c ff07 ff07 0020 008800")


def test_a_spot_check_carries_its_time_before_its_status() -> None:
    sent = plx_spot_check(
        spo2_percent=93,
        pulse_per_min=101,
        civil=EVENING,
        measurement_status=0x0100,
        sensor_status=0,
        perfusion_percent=0.4,
    )
    assert sent == bytes.fromhex("0f 5d00 6500 ea070b15160809 0001 000000 04f0")


def test_a_spot_check_without_a_clock_says_so() -> None:
    assert plx_spot_check(spo2_percent=93, pulse_per_min=101, is_clock_set=False) == bytes.fromhex("10 5d00 6500")


def test_features_name_both_masks() -> None:
    sent = plx_features(measurement_status=ALL_MEASUREMENT_STATUS, sensor_status=ALL_SENSOR_STATUS, has_clock=True)
    assert sent == bytes.fromhex("4b00 e0ff ffff00")


def test_a_temperature_in_celsius_with_time_and_site() -> None:
    sent = temperature_measurement(36.8, civil=EVENING, site=Site.ARMPIT)
    assert sent == bytes.fromhex("06 700100ff ea070b15160809 01")


def test_a_bare_temperature_is_five_bytes() -> None:
    assert temperature_measurement(39.1) == bytes.fromhex("00 870100ff")
    assert temperature_measurement(None) == bytes.fromhex("00 ffff7f00")

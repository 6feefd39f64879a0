"""The layouts of measurements, written out by hand from the service specifications."""

from datetime import datetime, timedelta

from firmware_stubs.bls import BloodPressureStatus, blood_pressure_measurement
from firmware_stubs.gls import glucose_measurement
from firmware_stubs.hrs import heart_rate_measurement, rr_units
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
from firmware_stubs.wss import weight_measurement

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


def test_a_blood_pressure_in_mmhg_with_time_pulse_and_status() -> None:
    sent = blood_pressure_measurement(
        systolic_mmhg=131,
        diastolic_mmhg=78,
        mean_mmhg=96,
        civil=EVENING,
        pulse_per_min=72,
        status=BloodPressureStatus.IRREGULAR_PULSE,
    )
    assert sent == bytes.fromhex("16 8300 4e00 6000 ea070b15160809 4800 0400")


def test_a_blood_pressure_that_could_not_be_measured_is_not_a_number() -> None:
    sent = blood_pressure_measurement(systolic_mmhg=None, diastolic_mmhg=None, mean_mmhg=None, user=2)
    assert sent == bytes.fromhex("08 ff07 ff07 ff07 02")


def test_a_heart_rate_with_the_beats_in_it_oldest_first() -> None:
    sent = heart_rate_measurement(pulse_per_min=72, is_skin_touched=True, rr=(rr_units(0.833), rr_units(0.85)))
    assert sent == bytes.fromhex("16 48 5503 6603")


def test_a_heart_rate_above_255_takes_two_bytes() -> None:
    assert heart_rate_measurement(pulse_per_min=260) == bytes.fromhex("01 0401")


def test_glucose_in_mol_per_litre_with_time_place_and_corrected_minutes() -> None:
    sent = glucose_measurement(number=7, civil=EVENING, offset=timedelta(minutes=-30), glucose_mmol_l=6.1)
    assert sent == bytes.fromhex("07 0700 ea070b15160809 e2ff 3dc0 11")


def test_a_glucose_record_without_a_value_says_why() -> None:
    sent = glucose_measurement(number=0x0102, civil=EVENING, glucose_mmol_l=None, status=1 << 2)
    assert sent == bytes.fromhex("08 0201 ea070b15160809 0400")


def test_a_weight_in_steps_of_five_grams() -> None:
    assert weight_measurement(71.4, civil=EVENING, user=1) == bytes.fromhex("06 c837 ea070b15160809 01")
    assert weight_measurement(None) == bytes.fromhex("00 ffff")

"""PLX bytes in, exact readings out (Pulse Oximeter Service 1.0 layouts).

Where no source stands beside a vector it is built by the layouts and bit tables on which two public decoders agree:
StanfordSpezi/SpeziBluetooth PLX*.swift c52a637 and weliem/blessed-android PulseOximeterSpotMeasurement.java.
"""

from datetime import datetime

import pytest

from gateway.gatt.decoded import Decoded, DecodeError, Mode
from gateway.gatt.plx_status import MEASUREMENT_STATUS, SENSOR_STATUS
from gateway.gatt.pulse_oximeter import decode_continuous, decode_features, decode_spot_check, read_features
from vitals.quality import Quality, Reason
from vitals.signals import Signal

SPO2_97_PULSE_72 = "61004800"


def values(decoded: Decoded) -> dict[Signal, int | None]:
    return {m.signal: m.value for m in decoded.measurements}


def trust(decoded: Decoded, signal: Signal = Signal.SPO2) -> tuple[Quality, Reason]:
    measurement = next(m for m in decoded.measurements if m.signal is signal)
    return measurement.quality, measurement.reason


def test_the_shortest_continuous_measurement() -> None:
    decoded = decode_continuous(bytes.fromhex("00" + SPO2_97_PULSE_72))
    assert decoded.mode is Mode.CONTINUOUS
    assert values(decoded) == {Signal.SPO2: 9700, Signal.PULSE: 7200}
    assert trust(decoded) == (Quality.GOOD, Reason.NONE)


def test_the_longest_continuous_measurement() -> None:
    # flags 1f: Fast 96/71, Slow 98/73, status validated (0080), sensor 000000, PAI 1.2 % (f00c)
    decoded = decode_continuous(
        bytes.fromhex("1f" + SPO2_97_PULSE_72 + "60004700" + "62004900" + "8000" + "000000" + "0cf0")
    )
    assert values(decoded) == {Signal.SPO2: 9700, Signal.PULSE: 7200, Signal.PERFUSION_INDEX: 120}
    assert decoded.status == ("validated",)


# The five vectors of StanfordSpezi/SpeziBluetooth Tests/SpeziBluetoothServicesTests/PLXTests.swift c52a637.


def test_spezis_shortest_with_a_decimal() -> None:
    decoded = decode_continuous(bytes.fromhex("00" + "e8f3" + "84f3"))
    assert values(decoded) == {Signal.SPO2: 10000, Signal.PULSE: 9000}


def test_spezis_stream_that_is_ongoing() -> None:
    decoded = decode_continuous(bytes.fromhex("1c" + "5f005a00" + "2000" + "000000" + "57f0"))
    assert values(decoded) == {Signal.SPO2: 9500, Signal.PULSE: 9000, Signal.PERFUSION_INDEX: 870}
    assert trust(decoded) == (Quality.PROVISIONAL, Reason.ONGOING)
    assert decoded.status == ("measurement_ongoing",)


def test_spezis_stream_with_all_averages() -> None:
    decoded = decode_continuous(bytes.fromhex("1fdef3caf3caf35af5d4f3b2f220010000007ae3"))
    assert values(decoded) == {Signal.SPO2: 9900, Signal.PULSE: 9700, Signal.PERFUSION_INDEX: 890}
    assert trust(decoded) == (Quality.GOOD, Reason.NONE)
    assert decoded.status == ("measurement_ongoing", "fully_qualified")


def test_spezis_spot_check_on_a_faulty_device() -> None:
    decoded = decode_spot_check(bytes.fromhex("0facf3bef5e8070b1d170839204022000066e3"))
    assert values(decoded) == {Signal.SPO2: 9400, Signal.PULSE: 14700, Signal.PERFUSION_INDEX: 870}
    assert decoded.device_time == datetime(2024, 11, 29, 23, 8, 57)  # noqa: DTZ001
    assert trust(decoded) == (Quality.INVALID, Reason.SENSOR_FAULT)
    assert decoded.status == (
        "measurement_ongoing",
        "questionable_measurement",
        "equipment_malfunction",
        "low_perfusion",
    )


def test_spezis_features() -> None:
    features = read_features(bytes.fromhex("a3004010800100"))
    assert features.supported == ("measurement_status", "sensor_status", "slow", "multiple_bonds")
    assert features.measurement_status == ("early_estimate", "calibration_ongoing")
    assert features.sensor_status == ("non_pulsatile_signal", "questionable_pulse")


def test_spo2_is_floored_and_never_rounded_over_a_limit() -> None:
    assert values(decode_continuous(bytes.fromhex("00" + "9ef3" + "4800")))[Signal.SPO2] == 9260


def test_a_spot_check_with_everything() -> None:
    # flags 0f: 2024-02-29 23:59:58, fully qualified (0100), sensor 000000, PAI 2
    decoded = decode_spot_check(bytes.fromhex("0f" + SPO2_97_PULSE_72 + "e807021d173b3a" + "0001" + "000000" + "0200"))
    assert decoded.mode is Mode.SPOT
    assert decoded.device_time == datetime(2024, 2, 29, 23, 59, 58)  # noqa: DTZ001
    assert values(decoded) == {Signal.SPO2: 9700, Signal.PULSE: 7200, Signal.PERFUSION_INDEX: 200}
    assert decoded.status == ("fully_qualified",)


@pytest.mark.parametrize("time", ["0000021d173b3a", "e807001d173b3a", "e8070200173b3a"])
def test_an_unknown_year_month_or_day_is_no_time(time: str) -> None:
    assert decode_spot_check(bytes.fromhex("01" + SPO2_97_PULSE_72 + time)).device_time is None


@pytest.mark.parametrize("time", ["e707021d173b3a", "e8070d01000000", "e8070101180000", "e80701013c3c3c"])
def test_an_impossible_time_is_an_error_that_names_its_byte(time: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_spot_check(bytes.fromhex("01" + SPO2_97_PULSE_72 + time))
    assert (caught.value.characteristic, caught.value.offset) == ("2a5e", 5)


def test_a_device_whose_clock_is_not_set_gives_no_time() -> None:
    decoded = decode_spot_check(bytes.fromhex("11" + SPO2_97_PULSE_72 + "e807021d173b3a"))
    assert decoded.device_time is None
    assert decoded.status == ("device_clock_not_set",)


def test_a_stored_value_counts_only_with_its_time() -> None:
    with_time = decode_spot_check(bytes.fromhex("03" + SPO2_97_PULSE_72 + "e807021d173b3a" + "0002"))
    without = decode_spot_check(bytes.fromhex("02" + SPO2_97_PULSE_72 + "0002"))
    assert with_time.from_storage
    assert trust(with_time) == (Quality.GOOD, Reason.NONE)
    assert without.from_storage  # so that it is known again at the next link
    assert trust(without) == (Quality.INVALID, Reason.UNKNOWN)
    assert values(without)[Signal.SPO2] == 9700


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ff07", Reason.NOT_A_NUMBER),
        ("0008", Reason.NOT_A_NUMBER),
        ("fe07", Reason.OUT_OF_DEVICE_RANGE),
        ("0208", Reason.OUT_OF_DEVICE_RANGE),
        ("0108", Reason.UNKNOWN),
        ("0000", Reason.IMPLAUSIBLE),
        ("6500", Reason.IMPLAUSIBLE),  # 101 %
        ("e9f3", Reason.IMPLAUSIBLE),  # 100.1 %
        ("ffff", Reason.IMPLAUSIBLE),  # -0.1 %
    ],
)
def test_what_can_be_no_saturation_is_kept_without_its_number(word: str, reason: Reason) -> None:
    decoded = decode_continuous(bytes.fromhex("00" + word + "4800"))
    assert values(decoded) == {Signal.SPO2: None, Signal.PULSE: 7200}
    assert trust(decoded) == (Quality.INVALID, reason)
    assert trust(decoded, Signal.PULSE) == (Quality.GOOD, Reason.NONE)


@pytest.mark.parametrize(("word", "value"), [("6400", 10000), ("0100", 100), ("f6f3", None)])
def test_the_bounds_of_a_plausible_saturation(word: str, value: int | None) -> None:
    assert values(decode_continuous(bytes.fromhex("00" + word + "4800")))[Signal.SPO2] == value


def test_zero_with_the_finger_out_says_finger_out() -> None:
    decoded = decode_continuous(bytes.fromhex("08" + "00000000" + "000800"))
    assert values(decoded) == {Signal.SPO2: None, Signal.PULSE: None}
    assert trust(decoded) == (Quality.INVALID, Reason.FINGER_OUT)
    assert decoded.measurements[0].reasons == (Reason.FINGER_OUT, Reason.IMPLAUSIBLE)


EXPECTED_MEASUREMENT_STATUS = {
    5: (Quality.PROVISIONAL, Reason.ONGOING),
    6: (Quality.PROVISIONAL, Reason.EARLY_ESTIMATE),
    9: (Quality.INVALID, Reason.UNKNOWN),  # a stored value without a time
    10: (Quality.INVALID, Reason.DEMO),
    11: (Quality.INVALID, Reason.TESTING),
    12: (Quality.INVALID, Reason.CALIBRATING),
    13: (Quality.INVALID, Reason.UNAVAILABLE),
    14: (Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE),
    15: (Quality.INVALID, Reason.DEVICE_INVALID),
}
EXPECTED_SENSOR_STATUS = {
    0: (Quality.PROVISIONAL, Reason.ONGOING),
    1: (Quality.INVALID, Reason.SENSOR_FAULT),
    2: (Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE),
    3: (Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    4: (Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    5: (Quality.QUESTIONABLE, Reason.LOW_PERFUSION),
    6: (Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    7: (Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    8: (Quality.QUESTIONABLE, Reason.POOR_SIGNAL),
    9: (Quality.PROVISIONAL, Reason.ONGOING),
    10: (Quality.QUESTIONABLE, Reason.INTERFERENCE),
    11: (Quality.INVALID, Reason.FINGER_OUT),
    12: (Quality.QUESTIONABLE, Reason.SENSOR_FAULT),
    13: (Quality.INVALID, Reason.FINGER_OUT),
    14: (Quality.INVALID, Reason.SENSOR_FAULT),
    15: (Quality.INVALID, Reason.FINGER_OUT),
}


@pytest.mark.parametrize("bit", range(16))
def test_each_measurement_status_bit_and_a_low_value_never_vanishes(bit: int) -> None:
    decoded = decode_continuous(bytes.fromhex("04" + "50004800") + (1 << bit).to_bytes(2, "little"))
    assert trust(decoded) == EXPECTED_MEASUREMENT_STATUS.get(bit, (Quality.GOOD, Reason.NONE))
    assert values(decoded)[Signal.SPO2] == 8000
    assert decoded.status == ((MEASUREMENT_STATUS[bit].name,) if bit >= 5 else ())


@pytest.mark.parametrize("bit", range(24))
def test_each_sensor_status_bit_and_a_low_value_never_vanishes(bit: int) -> None:
    decoded = decode_continuous(bytes.fromhex("08" + "50004800") + (1 << bit).to_bytes(3, "little"))
    assert trust(decoded) == EXPECTED_SENSOR_STATUS.get(bit, (Quality.GOOD, Reason.NONE))
    assert values(decoded)[Signal.SPO2] == 8000
    assert decoded.status == ((SENSOR_STATUS[bit].name,) if bit < 16 else ())


def test_the_most_serious_of_several_reasons_stands_first() -> None:
    # early estimate (PROVISIONAL), poor signal (QUESTIONABLE), sensor displaced (INVALID)
    decoded = decode_continuous(bytes.fromhex("0c" + "50004800" + "4000" + "102000"))
    assert decoded.measurements[0].reasons == (Reason.FINGER_OUT, Reason.POOR_SIGNAL, Reason.EARLY_ESTIMATE)
    assert decoded.measurements[0].quality is Quality.INVALID


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        (1 << 5, Quality.PROVISIONAL),
        (1 << 5 | 1 << 7, Quality.GOOD),
        (1 << 5 | 1 << 8, Quality.GOOD),
        (1 << 6 | 1 << 8, Quality.GOOD),
        (1 << 5 | 1 << 8 | 1 << 14, Quality.QUESTIONABLE),
        (1 << 8 | 1 << 15, Quality.INVALID),
    ],
)
def test_a_stream_is_always_ongoing_and_counts_where_the_device_vouches_for_it(status: int, quality: Quality) -> None:
    decoded = decode_continuous(bytes.fromhex("04" + SPO2_97_PULSE_72) + status.to_bytes(2, "little"))
    assert trust(decoded)[0] is quality


def test_demonstration_data_says_so_before_anything_else() -> None:
    decoded = decode_continuous(bytes.fromhex("0c" + "50004800" + "0004" + "002000"))
    assert trust(decoded) == (Quality.INVALID, Reason.DEMO)


@pytest.mark.parametrize(
    ("index", "reason"), [("1df0", Reason.NONE), ("1ee0", Reason.NONE), ("1de0", Reason.LOW_PERFUSION)]
)
def test_a_perfusion_index_below_0_3_makes_the_value_questionable(index: str, reason: Reason) -> None:
    decoded = decode_continuous(bytes.fromhex("10" + "50004800" + index))
    assert trust(decoded)[1] is reason
    assert trust(decoded, Signal.PULSE)[1] is reason
    assert trust(decoded, Signal.PERFUSION_INDEX) == (Quality.GOOD, Reason.NONE)
    assert values(decoded)[Signal.SPO2] == 8000


@pytest.mark.parametrize(
    ("payload", "offset"),
    [("", 0), ("00", 1), ("0061", 2), ("006100", 3), ("00610048", 4), ("01" + SPO2_97_PULSE_72 + "60", 6)],
)
def test_a_truncated_payload_names_the_byte_where_it_ends(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_continuous(bytes.fromhex(payload))
    assert caught.value.offset == offset


def test_bytes_that_no_flag_announced_are_an_error() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_continuous(bytes.fromhex("00" + SPO2_97_PULSE_72 + "aa"))
    assert caught.value.offset == 5


def test_bytes_behind_a_reserved_flag_are_passed_over() -> None:
    decoded = decode_continuous(bytes.fromhex("20" + SPO2_97_PULSE_72 + "aa"))
    assert values(decoded) == {Signal.SPO2: 9700, Signal.PULSE: 7200}


def test_features_in_all_four_lengths() -> None:
    assert read_features(bytes.fromhex("0000")).supported == ()
    status = read_features(bytes.fromhex("0100" + "8001"))
    assert status.measurement_status == ("validated", "fully_qualified")
    assert read_features(bytes.fromhex("0200" + "008000")).sensor_status == ("sensor_disconnected",)
    both = read_features(bytes.fromhex("ff00" + "2000" + "010000"))
    assert len(both.supported) == 8
    assert both.sensor_status == ("extended_display_update_ongoing",)
    assert decode_features(bytes.fromhex("0c00")).status == ("supports_spot_check_storage", "supports_timestamp")

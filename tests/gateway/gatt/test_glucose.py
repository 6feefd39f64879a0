"""Glucose records in, exact mmol/L out (Glucose Service 1.0 layout)."""

from datetime import datetime

import pytest

from gateway.gatt.decoded import Decoded, DecodeError, Mode
from gateway.gatt.glucose import ANNUNCIATION, decode_measurement
from gateway.gatt.glucose_context import decode_context
from vitals.quality import Quality, Reason

SEQUENCE_4 = "0400"
BASE_TIME = "e407050e0c311d"  # 2020-05-14 12:49:29
MG_DL_104 = "68b0"  # 104e-5 kg/L


def glucose(decoded: Decoded) -> tuple[int | None, Quality, tuple[Reason, ...]]:
    (measurement,) = decoded.measurements
    return measurement.value, measurement.quality, measurement.reasons


def test_a_record_of_a_real_meter() -> None:
    # "How to get the correct glucose measurement value from HEX", Stack Overflow (2020): the meter showed 104 mg/dL.
    # 104e-5 kg/L x 1e6 / 180.156 = 5.7728 mmol/L; 12:49:29 + 0x014e = 334 min = 18:23:29
    decoded = decode_measurement(bytes.fromhex("0B0400E407050E0C311D4E0168B0F80000"))
    assert glucose(decoded) == (577, Quality.GOOD, ())
    assert decoded.mode is Mode.SPOT
    assert decoded.device_time == datetime(2020, 5, 14, 18, 23, 29)  # noqa: DTZ001
    assert decoded.from_storage
    assert decoded.status == ("sequence_4", "sample_undetermined_plasma", "site_not_available")


def test_nordics_record() -> None:
    # NordicSemiconductor/Android-BLE-Common-Library GlucoseMeasurementDataCallbackTest.java; 30 kg/L is no blood
    decoded = decode_measurement(bytes.fromhex("1b0100e307021b0b0a1efbff1e00120501"))
    value, quality, reasons = glucose(decoded)
    assert (value, quality) == (None, Quality.INVALID)
    assert set(reasons) == {Reason.IMPLAUSIBLE, Reason.DEVICE_INVALID}
    assert decoded.device_time == datetime(2019, 2, 27, 11, 5, 30)  # noqa: DTZ001
    assert decoded.status == (
        "sequence_1",
        "sample_capillary_plasma",
        "site_finger",
        "battery_low",
        "sample_size_insufficient",
        "temperature_too_low",
        "context_follows",
    )


@pytest.mark.parametrize(
    ("flags", "word", "value"),
    [
        ("02", "64b0", 555),  # 100 mg/dL / 18.0156 = 5.5507
        ("02", "6eb0", 611),  # 110 mg/dL = 6.1058
        ("02", "46b0", 389),  # 70 mg/dL = 3.8855: the limit of hypoglycaemia
        ("06", "37c0", 550),  # 55e-4 mol/L
        ("06", "27d0", 3900),  # 39e-3 mol/L
        ("06", "0590", None),  # 5e-7 mol/L = 0.0005 mmol/L
        ("06", "05c0", 50),  # 5e-4 mol/L = 0.5 mmol/L: the least that is believed
        ("06", "3dd0", None),  # 61 mmol/L
    ],
)
def test_a_concentration_in_either_unit(flags: str, word: str, value: int | None) -> None:
    decoded = decode_measurement(bytes.fromhex(flags + SEQUENCE_4 + BASE_TIME + word + "11"))
    assert glucose(decoded)[0] == value


@pytest.mark.parametrize("flags", ["02", "06"])
@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ff07", Reason.NOT_A_NUMBER),
        ("0008", Reason.NOT_A_NUMBER),
        ("fe07", Reason.OUT_OF_DEVICE_RANGE),
        ("0208", Reason.OUT_OF_DEVICE_RANGE),
        ("0108", Reason.UNKNOWN),
        ("0000", Reason.IMPLAUSIBLE),
        ("ff77", Reason.IMPLAUSIBLE),
        ("01f8", Reason.IMPLAUSIBLE),  # negative
    ],
)
def test_what_can_be_no_glucose_is_kept_without_its_number(flags: str, word: str, reason: Reason) -> None:
    decoded = decode_measurement(bytes.fromhex(flags + SEQUENCE_4 + BASE_TIME + word + "11"))
    assert glucose(decoded) == (None, Quality.INVALID, (reason,))


@pytest.mark.parametrize("origin", ["1a", "41", "4a"])  # sample 10; site 4; both
def test_control_solution_is_no_patient(origin: str) -> None:
    decoded = decode_measurement(bytes.fromhex("02" + SEQUENCE_4 + BASE_TIME + MG_DL_104 + origin))
    assert glucose(decoded) == (577, Quality.INVALID, (Reason.TESTING,))
    assert any("control_solution" in word for word in decoded.status)


@pytest.mark.parametrize("sample", range(16))
def test_every_sample_and_site_has_a_word(sample: int) -> None:
    payload = bytes.fromhex("02" + SEQUENCE_4 + BASE_TIME + MG_DL_104) + bytes((sample << 4 | sample,))
    _, sample_word, site_word = decode_measurement(payload).status
    assert ("reserved" in sample_word) == (sample == 0 or sample > 10)
    assert ("reserved" in site_word) == (sample not in (1, 2, 3, 4, 15))


def test_a_record_without_a_concentration_measures_nothing() -> None:
    decoded = decode_measurement(bytes.fromhex("08" + SEQUENCE_4 + BASE_TIME + "0204"))
    assert decoded.measurements == ()
    assert decoded.status == ("sequence_4", "no_concentration", "sensor_malfunction", "device_fault")


@pytest.mark.parametrize(
    ("base", "offset", "time"),
    [
        (BASE_TIME, None, datetime(2020, 5, 14, 12, 49, 29)),  # noqa: DTZ001
        (BASE_TIME, "fbff", datetime(2020, 5, 14, 12, 44, 29)),  # noqa: DTZ001 -5 min
        (BASE_TIME, "fe7f", datetime(2020, 6, 6, 6, 55, 29)),  # noqa: DTZ001 +32766 min
        (BASE_TIME, "0180", datetime(2020, 4, 21, 18, 42, 29)),  # noqa: DTZ001 -32767 min
        (BASE_TIME, "ff7f", None),  # overrun: the offset is more than can be said
        (BASE_TIME, "0080", None),  # underrun
        ("0000050e0c311d", None, None),
        ("e407000e0c311d", "0000", None),
    ],
)
def test_the_time_is_base_time_and_offset(base: str, offset: str | None, time: datetime | None) -> None:
    flags = "02" if offset is None else "03"
    decoded = decode_measurement(bytes.fromhex(flags + SEQUENCE_4 + base + (offset or "") + MG_DL_104 + "11"))
    assert (decoded.device_time, decoded.from_storage) == (time, True)
    # a stored value counts only with its time, and keeps its number without
    assert glucose(decoded) == ((577, Quality.GOOD, ()) if time else (577, Quality.INVALID, (Reason.UNKNOWN,)))


@pytest.mark.parametrize(("base", "offset"), [("0f270c1f173b3b", "0100"), ("01000101000000", "ffff")])
def test_an_offset_out_of_the_calendar_is_the_typed_error(base: str, offset: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex("03" + SEQUENCE_4 + base + offset + MG_DL_104 + "11"))
    assert caught.value.offset == 10


EXPECTED = {
    0: ("battery_low", Quality.GOOD, ()),
    1: ("sensor_malfunction", Quality.INVALID, (Reason.SENSOR_FAULT,)),
    2: ("sample_size_insufficient", Quality.INVALID, (Reason.DEVICE_INVALID,)),
    3: ("strip_insertion_error", Quality.INVALID, (Reason.SENSOR_FAULT,)),
    4: ("strip_type_incorrect", Quality.INVALID, (Reason.SENSOR_FAULT,)),
    5: ("result_too_high", Quality.QUESTIONABLE, (Reason.OUT_OF_DEVICE_RANGE,)),
    6: ("result_too_low", Quality.QUESTIONABLE, (Reason.OUT_OF_DEVICE_RANGE,)),
    7: ("temperature_too_high", Quality.INVALID, (Reason.DEVICE_INVALID,)),
    8: ("temperature_too_low", Quality.INVALID, (Reason.DEVICE_INVALID,)),
    9: ("read_interrupted", Quality.INVALID, (Reason.DEVICE_INVALID,)),
    10: ("device_fault", Quality.INVALID, (Reason.SENSOR_FAULT,)),
    11: ("time_fault", Quality.QUESTIONABLE, (Reason.UNKNOWN,)),
}


@pytest.mark.parametrize("bit", range(16))
def test_every_annunciation_bit_alone_keeps_the_number(bit: int) -> None:
    word = (1 << bit).to_bytes(2, "little")
    decoded = decode_measurement(bytes.fromhex("0a" + SEQUENCE_4 + BASE_TIME + MG_DL_104 + "11") + word)
    name, quality, reasons = EXPECTED.get(bit, (None, Quality.GOOD, ()))
    assert glucose(decoded) == (577, quality, reasons)
    assert decoded.status[3:] == ((name,) if name else ())
    assert set(EXPECTED) == set(ANNUNCIATION)


@pytest.mark.parametrize(
    ("payload", "offset"),
    [
        ("", 0),
        ("0204", 2),
        ("020400e40705", 6),
        ("020400e407050e0c311d68b0", 12),
        # Nordic's onInvalidDataReceived: the announced offset is missing, so all that follows is shifted
        ("1b0000e207041a0b091e1e0012 0501".replace(" ", ""), 15),
        ("000400e407050e0c311d00", 10),
        ("000400e4070d0e0c311d", 3),
    ],
)
def test_a_malformed_record_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a18", offset)


def test_a_context_is_words_alone() -> None:
    # The fields of Nordic's GlucoseMeasurementContextDataCallbackTest.java: dinner 100 kg, casual, professional and
    # minor issues, 60 s at 50 %, long-acting insulin, HbA1c 34.5 %
    decoded = decode_context(bytes.fromhex("ff0000b3" + "036400" + "04" + "12" + "3c0032" + "04cdb0" + "59f1"))
    assert decoded.measurements == ()
    assert decoded.status == (
        "sequence_0",
        "carbohydrate_dinner",
        "meal_casual",
        "tester_professional",
        "health_minor_issues",
        "exercised",
        "medication_long_insulin",
    )


def test_a_context_of_nothing_and_one_of_reserved_codes() -> None:
    assert decode_context(bytes.fromhex("000100")).status == ("sequence_1",)
    assert decode_context(bytes.fromhex("060100" + "00" + "66")).status == (
        "sequence_1",
        "meal_reserved_0",
        "tester_reserved_6",
        "health_reserved_6",
    )


@pytest.mark.parametrize(
    ("payload", "offset"), [("", 0), ("0001", 2), ("010100036400ff", 6), ("020100", 3), ("00010000", 3)]
)
def test_a_malformed_context_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_context(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a34", offset)

"""Blood Pressure bytes in, exact mmHg out (Blood Pressure Service 1.1 layout)."""

from datetime import datetime

import pytest

from gateway.gatt.blood_pressure import PULSE_RANGE, STATUS, decode_cuff_pressure, decode_measurement
from gateway.gatt.decoded import Decoded, DecodeError, Mode
from vitals.quality import Quality, Reason
from vitals.signals import Signal

SYS_120_DIA_80_MAP_93 = "78005000" + "5d00"


def values(decoded: Decoded) -> dict[Signal, int | None]:
    return {m.signal: m.value for m in decoded.measurements}


def trust(decoded: Decoded) -> dict[Signal, tuple[Quality, tuple[Reason, ...]]]:
    return {m.signal: (m.quality, m.reasons) for m in decoded.measurements}


def test_the_shortest_measurement() -> None:
    decoded = decode_measurement(bytes.fromhex("00" + SYS_120_DIA_80_MAP_93))
    assert decoded.mode is Mode.SPOT
    assert values(decoded) == {Signal.SYSTOLIC: 12000, Signal.DIASTOLIC: 8000, Signal.MEAN_ARTERIAL: 9300}
    assert set(trust(decoded).values()) == {(Quality.GOOD, ())}
    assert (decoded.device_time, decoded.status) == (None, ())


# NordicSemiconductor/Android-BLE-Common-Library BloodPressureMeasurementDataCallbackTest.java, its three vectors.


def test_nordics_full_measurement() -> None:
    decoded = decode_measurement(bytes.fromhex("1e8a00580078000000041114293b3c00012700"))
    assert values(decoded) == {
        Signal.SYSTOLIC: 13800,
        Signal.DIASTOLIC: 8800,
        Signal.MEAN_ARTERIAL: 12000,
        Signal.PULSE: 6000,
    }
    assert decoded.device_time is None  # its year is 0
    assert decoded.status == ("body_movement", "cuff_too_loose", "irregular_pulse", "improper_position", "user_1")


def test_nordics_measurement_in_kilopascal() -> None:
    # 18.9, 11.0 and 15.9 kPa / 0.1333224 = 141.7617, 82.5068 and 119.2598 mmHg
    decoded = decode_measurement(bytes.fromhex("15bdf00b009ff03c001200"))
    assert values(decoded) == {
        Signal.SYSTOLIC: 14176,
        Signal.DIASTOLIC: 8251,
        Signal.MEAN_ARTERIAL: 11926,
        Signal.PULSE: 6000,
    }
    assert decoded.status == ("cuff_too_loose", "pulse_under_range")


def test_nordics_shortest_measurement() -> None:
    # 18.9 and 11 mmHg are no pressures of a living patient, 15.9 neither
    decoded = decode_measurement(bytes.fromhex("00bdf00b009ff0"))
    assert set(values(decoded).values()) == {None}
    assert set(trust(decoded).values()) == {(Quality.INVALID, (Reason.IMPLAUSIBLE,))}


@pytest.mark.parametrize(
    ("kilopascal", "mmhg"),
    [("a0f0", 12001), ("6bf0", 8026), ("10e6", 11641)],  # 16.0, 10.7 and 15.52 kPa
)
def test_kilopascal_is_converted_once(kilopascal: str, mmhg: int) -> None:
    assert values(decode_measurement(bytes.fromhex("01" + kilopascal * 3)))[Signal.SYSTOLIC] == mmhg


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_failed_measurement_of_an_a_and_d_cuff(flags: str) -> None:
    # A&D sends 0x07FF (not a number) for all three
    decoded = decode_measurement(bytes.fromhex(flags + "ff07" * 3))
    assert set(trust(decoded).values()) == {(Quality.INVALID, (Reason.NOT_A_NUMBER,))}
    assert set(values(decoded).values()) == {None}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ff07", Reason.NOT_A_NUMBER),
        ("0008", Reason.NOT_A_NUMBER),
        ("fe07", Reason.OUT_OF_DEVICE_RANGE),
        ("0208", Reason.OUT_OF_DEVICE_RANGE),
        ("0108", Reason.UNKNOWN),
        ("0000", Reason.IMPLAUSIBLE),
        ("ff7f", Reason.IMPLAUSIBLE),  # -1e7
        ("ff77", Reason.IMPLAUSIBLE),  # 2047e7
    ],
)
def test_what_can_be_no_pressure_is_kept_without_its_number(word: str, reason: Reason) -> None:
    for flags in ("00", "01"):
        decoded = decode_measurement(bytes.fromhex(flags + word + "5000" + word))
        assert values(decoded)[Signal.SYSTOLIC] is None
        assert trust(decoded)[Signal.SYSTOLIC] == (Quality.INVALID, (reason,))


def test_a_cuff_without_a_mean_still_tells_the_other_two() -> None:
    decoded = decode_measurement(bytes.fromhex("00" + "78005000" + "ff07"))
    assert values(decoded) == {Signal.SYSTOLIC: 12000, Signal.DIASTOLIC: 8000, Signal.MEAN_ARTERIAL: None}
    assert trust(decoded)[Signal.SYSTOLIC] == (Quality.GOOD, ())


def test_time_and_user_are_read() -> None:
    decoded = decode_measurement(bytes.fromhex("0a" + SYS_120_DIA_80_MAP_93 + "ea070b15160f1e" + "ff"))
    assert decoded.device_time == datetime(2026, 11, 21, 22, 15, 30)  # noqa: DTZ001
    assert decoded.status == ("user_unknown",)


@pytest.mark.parametrize(("bit", "row"), STATUS.items())
def test_every_status_bit_alone(bit: int, row: object) -> None:
    decoded = decode_measurement(bytes.fromhex("10" + SYS_120_DIA_80_MAP_93) + (1 << bit).to_bytes(2, "little"))
    expected = {
        0: ("body_movement", Quality.QUESTIONABLE, (Reason.POOR_SIGNAL,)),
        1: ("cuff_too_loose", Quality.QUESTIONABLE, (Reason.POOR_SIGNAL,)),
        2: ("irregular_pulse", Quality.GOOD, ()),
        5: ("improper_position", Quality.QUESTIONABLE, (Reason.DEVICE_QUESTIONABLE,)),
    }[bit]
    assert decoded.status == expected[:1], row
    assert trust(decoded)[Signal.SYSTOLIC] == expected[1:]
    assert values(decoded)[Signal.SYSTOLIC] == 12000


@pytest.mark.parametrize("number", range(4))
def test_the_pulse_range_speaks_of_the_pulse_alone(number: int) -> None:
    payload = bytes.fromhex("14" + SYS_120_DIA_80_MAP_93 + "4800") + (number << 3).to_bytes(2, "little")
    decoded = decode_measurement(payload)
    doubted = (Quality.QUESTIONABLE, (Reason.OUT_OF_DEVICE_RANGE,))
    assert trust(decoded)[Signal.PULSE] == (doubted if number in (1, 2) else (Quality.GOOD, ()))
    assert trust(decoded)[Signal.SYSTOLIC] == (Quality.GOOD, ())
    assert decoded.status == ((PULSE_RANGE[number].name,) if number in (1, 2) else ())


def test_reserved_status_bits_mean_nothing() -> None:
    decoded = decode_measurement(bytes.fromhex("10" + SYS_120_DIA_80_MAP_93 + "c0ff"))
    assert (decoded.status, trust(decoded)[Signal.SYSTOLIC]) == ((), (Quality.GOOD, ()))


def test_a_pressure_on_its_way_is_provisional_and_only_that() -> None:
    # Nordic's IntermediateCuffPressureDataCallbackTest.java: 11.1 kPa / 0.1333224 = 83.257 mmHg, pulse 60
    decoded = decode_cuff_pressure(bytes.fromhex("056ff0000000003c00"))
    assert values(decoded) == {Signal.SYSTOLIC: 8326, Signal.PULSE: 6000}
    assert set(trust(decoded).values()) == {(Quality.PROVISIONAL, (Reason.ONGOING,))}


def test_a_pressure_on_its_way_has_no_numbers_for_the_others() -> None:
    decoded = decode_cuff_pressure(bytes.fromhex("00" + "d7f0" + "ff07ff07"))
    assert values(decoded) == {Signal.SYSTOLIC: None}  # 21.5 mmHg: Nordic's shortest


@pytest.mark.parametrize(
    ("payload", "offset"),
    [
        ("", 0),
        ("010203040506", 6),  # Nordic's onInvalidDataReceived_toShort
        ("03020304050607", 7),  # and onInvalidDataReceived_noTimestamp
        ("00780050005d0000", 7),
        ("02780050005d00ea070d15160f1e", 7),  # month 13
    ],
)
def test_a_malformed_payload_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a35", offset)

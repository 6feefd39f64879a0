"""Heart Rate bytes in, exact rate and beats out (Heart Rate Service 1.0 layout)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gatt.decoded import Decoded, DecodeError, Mode
from gateway.gatt.heart_rate import decode_measurement
from vitals.quality import Quality, Reason
from vitals.signals import Signal


def rate(decoded: Decoded) -> tuple[int | None, Quality, Reason]:
    (pulse,) = (m for m in decoded.measurements if m.signal is Signal.PULSE)
    return pulse.value, pulse.quality, pulse.reason


def beats(decoded: Decoded) -> list[tuple[int | None, int]]:
    return [(m.value, m.before_ms) for m in decoded.measurements if m.signal is Signal.RR_INTERVAL]


@pytest.mark.parametrize(
    ("payload", "pulse", "intervals"),
    [
        # A Polar H7 on a chest: cal-id/Polar-H7-Pi README.md.
        ("063c", 6000, []),
        ("163c1104", 6000, [(1017, 0)]),  # 0x0411 = 1041 / 1024 s = 1016.6 ms
        ("163cf503", 6000, [(989, 0)]),  # 0x03f5 = 1013 / 1024 s = 989.3 ms
        # NordicSemiconductor/Android-BLE-Common-Library HeartRateMeasurementDataCallbackTest.java
        ("0055", 8500, []),
        ("1e5532002100", 8500, [(None, 0)]),  # energy 50 kJ; 33 / 1024 s = 32 ms is no beat
        ("1f0101320101000201ffff", 25700, [(None, 64251), (252, 63999), (None, 0)]),
    ],
)
def test_a_heart_rate(payload: str, pulse: int, intervals: list[tuple[int | None, int]]) -> None:
    decoded = decode_measurement(bytes.fromhex(payload))
    assert decoded.mode is Mode.CONTINUOUS
    assert rate(decoded) == (pulse, Quality.GOOD, Reason.NONE)
    assert beats(decoded) == intervals


def test_the_last_beat_ends_at_the_payloads_instant_and_each_other_before_those_after_it() -> None:
    # 1024, 512 and 256 ticks: 1000, 500 and 250 ms; the first ended 500 + 250 ms before the last
    decoded = decode_measurement(bytes.fromhex("10480004" + "0002" + "0001"))
    assert beats(decoded) == [(1000, 750), (500, 250), (250, 0)]


def test_the_sum_is_rounded_not_the_parts() -> None:
    # 821 ticks = 801.76 ms: ten of them end 9 x 801.76 = 7215.8 ms before the last, not 9 x 802 = 7218
    decoded = decode_measurement(bytes.fromhex("1048" + "3503" * 10))
    assert beats(decoded)[0] == (802, 7216)


@given(st.lists(st.integers(min_value=0, max_value=0xFFFF), min_size=1, max_size=250))
def test_no_two_beats_share_a_millisecond(ticks: list[int]) -> None:
    payload = b"\x10\x48" + b"".join(each.to_bytes(2, "little") for each in ticks)
    before = [before_ms for _, before_ms in beats(decode_measurement(payload))]
    assert before[-1] == 0
    assert before == sorted(set(before), reverse=True)
    assert before[0] <= sum(ticks[1:]) * 1000 / 1024 + len(ticks)


@pytest.mark.parametrize(("flags", "value"), [("00", 72), ("01", 72)])
def test_narrow_and_wide_rates_are_the_same_number(flags: str, value: int) -> None:
    payload = bytes.fromhex(flags) + value.to_bytes(2 if flags == "01" else 1, "little")
    assert rate(decode_measurement(payload))[0] == value * 100


@pytest.mark.parametrize(
    ("flags", "trust", "status"),
    [
        (0b000, (Quality.GOOD, Reason.NONE), ()),  # contact can not be told
        (0b010, (Quality.GOOD, Reason.NONE), ()),
        (0b100, (Quality.INVALID, Reason.FINGER_OUT), ("contact_lost",)),
        (0b110, (Quality.GOOD, Reason.NONE), ("contact_detected",)),
    ],
)
def test_a_strap_that_lost_the_skin_keeps_its_number_and_loses_trust(
    flags: int, trust: tuple[Quality, Reason], status: tuple[str, ...]
) -> None:
    decoded = decode_measurement(bytes((flags | 0x10, 72)) + bytes.fromhex("4003"))
    assert decoded.status == status
    assert {(m.quality, m.reason) for m in decoded.measurements} == {trust}
    assert [m.value for m in decoded.measurements] == [7200, 812]  # 0x0340 = 832 ticks = 812.5 ms, half to even


def test_a_rate_of_zero_without_contact_is_contact_lost_first() -> None:
    (pulse,) = decode_measurement(bytes.fromhex("0400")).measurements
    assert (pulse.value, pulse.reasons) == (None, (Reason.FINGER_OUT, Reason.IMPLAUSIBLE))


@pytest.mark.parametrize(
    ("payload", "value"), [("0013", None), ("0014", 2000), ("012c01", 30000), ("012d01", None), ("00ff", 25500)]
)
def test_a_rate_beyond_20_to_300_is_none(payload: str, value: int | None) -> None:
    assert rate(decode_measurement(bytes.fromhex(payload)))[0] == value


def test_an_energy_at_its_limit_is_read_past() -> None:
    assert rate(decode_measurement(bytes.fromhex("0848ffff")))[0] == 7200


@pytest.mark.parametrize(
    ("payload", "offset"),
    [
        ("", 0),
        ("00", 1),
        ("0148", 2),
        ("084801", 3),
        ("170101", 3),  # Nordic's onInvalidDataReceived: intervals are announced, none comes
        ("10480004ff", 5),
        ("004848", 2),
    ],
)
def test_a_malformed_heart_rate_names_its_byte(payload: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_measurement(bytes.fromhex(payload))
    assert (caught.value.characteristic, caught.value.offset) == ("2a37", offset)


def test_a_newer_revision_may_append_fields() -> None:
    assert rate(decode_measurement(bytes.fromhex("20480102")))[0] == 7200

"""One measurement is one row, however often the device says it."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.gatt.decoded import Decoded
from gateway.gatt.decoders import decode
from gateway.intake.repeats import KNOWN_MAX, Repeats

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
FEVER, WELL = "00860100ff", "00700100ff"
TIMED_FEVER = "02860100ff" + "ea0701010b3b00"
AN_OXIMETER_S_WORD = "0061004800"


def is_repeat(
    repeats: Repeats, payload: str, *, at_s: float = 0.0, characteristic: str = "2a1c", device: str = "AA"
) -> bool:
    raw = bytes.fromhex(payload)
    return repeats.is_repeat(
        decoded(characteristic, raw),
        device=device,
        characteristic=characteristic,
        payload=raw,
        now=NOW + timedelta(seconds=at_s),
    )


def decoded(characteristic: str, payload: bytes) -> Decoded:
    return decode(characteristic, payload)


@pytest.mark.parametrize(("after_s", "again"), [(0, True), (119, True), (120, False), (3600, False)])
def test_an_untimed_payload_again_within_two_minutes_is_a_repeat(after_s: float, again: bool) -> None:
    repeats = Repeats()
    assert not is_repeat(repeats, FEVER)
    assert is_repeat(repeats, FEVER, at_s=after_s) is again


def test_a_worn_thermometer_whose_number_stays_the_same_counts_each_two_minutes() -> None:
    repeats = Repeats()
    counted_s = [at_s for at_s in range(0, 3600, 30) if not is_repeat(repeats, FEVER, at_s=at_s)]
    assert counted_s == list(range(0, 3600, 120))


def test_a_timed_measurement_repeated_without_end_counts_once() -> None:
    repeats = Repeats()
    assert [is_repeat(repeats, TIMED_FEVER, at_s=at_s) for at_s in range(0, 1200, 60)] == [False] + [True] * 19


@pytest.mark.parametrize("after_s", [1, 3600, 40 * 86400])
def test_a_timed_measurement_is_the_same_whenever_it_comes_again(after_s: float) -> None:
    repeats = Repeats()
    assert not is_repeat(repeats, TIMED_FEVER)
    assert is_repeat(repeats, TIMED_FEVER, at_s=after_s)


def test_a_measurement_that_comes_again_out_of_the_memory_is_the_same() -> None:
    live, stored = "01" + "61004800" + "ea0701010b3b00", "03" + "61004800" + "ea0701010b3b00" + "0002"
    repeats = Repeats()
    assert not is_repeat(repeats, live, characteristic="2a5e")
    assert is_repeat(repeats, stored, characteristic="2a5e", at_s=600)


def test_another_value_another_time_another_device_is_another_measurement() -> None:
    repeats = Repeats()
    assert not is_repeat(repeats, FEVER)
    assert not is_repeat(repeats, WELL)
    assert not is_repeat(repeats, FEVER, device="BB")
    assert not is_repeat(repeats, TIMED_FEVER)
    assert not is_repeat(repeats, TIMED_FEVER[:-2] + "01")
    assert not is_repeat(repeats, TIMED_FEVER.replace("86", "87", 1))


def test_a_clock_that_was_never_set_makes_no_identity() -> None:
    unset = "02860100ff" + "d0070101000000"  # 2000-01-01: each measurement of a device without a battery
    repeats = Repeats()
    assert not is_repeat(repeats, unset)
    assert is_repeat(repeats, unset, at_s=60)
    assert not is_repeat(repeats, unset, at_s=60 + 3600)


def test_a_stream_never_repeats_itself() -> None:
    repeats = Repeats()
    assert not any(is_repeat(repeats, AN_OXIMETER_S_WORD, characteristic="2a5f", at_s=n) for n in range(5))


def test_a_rising_temperature_is_not_finished() -> None:
    repeats = Repeats()
    assert not any(is_repeat(repeats, FEVER, characteristic="2a1e", at_s=n) for n in range(5))


def test_at_the_bound_the_one_unseen_for_longest_is_forgotten() -> None:
    repeats = Repeats()
    assert not is_repeat(repeats, FEVER)
    for number in range(KNOWN_MAX - 1):
        assert not is_repeat(repeats, FEVER, device=str(number))
    assert is_repeat(repeats, FEVER)
    assert not is_repeat(repeats, FEVER, device="new")
    assert is_repeat(repeats, FEVER)
    assert not is_repeat(repeats, FEVER, device="0")

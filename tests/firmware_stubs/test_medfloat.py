"""Vectors from ISO/IEEE 11073-20601 and HL7 PHD, not from our own encoder."""

from datetime import datetime

import pytest

from firmware_stubs.medfloat import as_sent, date_time, float32, sfloat


@pytest.mark.parametrize(
    ("value", "decimals", "raw"),
    [
        (97, 0, 0x0061),
        (2.0, 1, 0xF014),
        (2.00, 2, 0xE0C8),
        (-1234, 0, 0x0B2E),
        (2045, 0, 0x07FD),
        (-2045, 0, 0x0803),
        (0, 0, 0x0000),
        (96.9, 1, 0xF3C9),
        (204.5, 1, 0xF7FD),
        (None, 0, 0x07FF),
        (float("nan"), 1, 0x07FF),
    ],
)
def test_sfloat_matches_the_standard(value: float | None, decimals: int, raw: int) -> None:
    assert sfloat(value, decimals=decimals) == raw.to_bytes(2, "little")


@pytest.mark.parametrize(
    ("value", "decimals", "raw"),
    [
        (36.8, 1, 0xFF000170),
        (2.0, 1, 0xFF000014),
        (2.00, 2, 0xFE0000C8),
        (-1234, 0, 0x00FFFB2E),
        (None, 1, 0x007FFFFF),
    ],
)
def test_float_matches_the_standard(value: float | None, decimals: int, raw: int) -> None:
    assert float32(value, decimals=decimals) == raw.to_bytes(4, "little")


@pytest.mark.parametrize("value", [2046, -2046, float("inf"), float("-inf")])
def test_a_number_that_would_read_as_a_special_value_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="mantissa"):
        sfloat(value)


def test_too_many_decimals_are_refused() -> None:
    with pytest.raises(ValueError, match="9 decimals"):
        sfloat(1.0, decimals=9)


def test_date_time_is_seven_bytes_year_first() -> None:
    assert date_time(datetime(2026, 11, 21, 22, 8, 9)) == bytes.fromhex("ea 07 0b 15 16 08 09")  # noqa: DTZ001


@pytest.mark.parametrize(("value", "decimals", "sent"), [(36.84, 1, 36.8), (1.15, 1, 1.2), (96.5, 0, 96.0)])
def test_a_value_is_remembered_as_its_bytes_say(value: float, decimals: int, sent: float) -> None:
    assert as_sent(value, decimals=decimals) == sent

"""SFLOAT and FLOAT against the vectors of HL7 PHD (MderFLOATsandSFLOATs) and ISO/IEEE 11073-20601."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gatt.ieee11073 import FLOAT_SPECIALS, SFLOAT_SPECIALS, Special, float32, sfloat


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (0xF014, 2.0),
        (0xE0C8, 2.0),
        (0x1002, 20.0),
        (0x0B2E, -1234.0),
        (0x0061, 97.0),
        (0xF39E, 92.6),
        (0xF3C9, 96.9),
        (0xF7FF, 204.7),  # not a special: the whole word counts
        (0xF800, -204.8),
        (0x07FD, 2045.0),
        (0x0803, -2045.0),
        (0x8001, 1e-8),
        (0x7001, 1e7),
        (0x0000, 0.0),
    ],
)
def test_an_sfloat_is_decimal_with_a_twos_complement_exponent(word: int, value: float) -> None:
    assert sfloat(word) == value


@pytest.mark.parametrize(
    ("word", "value"),
    [
        (0xFF000014, 2.0),
        (0xFE0000C8, 2.0),
        (0x00FFFB2E, -1234.0),
        (0xFF000170, 36.8),
        (0xFE000E60, 36.8),
        (0xFF7FFFFF, 838860.7),  # not a special
        (0x007FFFFD, 8388605.0),
        (0x80000001, 1e-128),
        (0x7F000001, 1e127),
        (0x7F7FFFFF, 8388607e127),  # the greatest: far from what a Python float holds
        (0x7F800000, -8388608e127),
        (0x80800000, -8388608e-128),
    ],
)
def test_a_float_is_decimal_with_a_twos_complement_exponent(word: int, value: float) -> None:
    assert float32(word) == value


@pytest.mark.parametrize(
    ("word", "special"),
    [
        (0x07FF, Special.NAN),
        (0x0800, Special.NRES),
        (0x07FE, Special.PLUS_INFINITY),
        (0x0802, Special.MINUS_INFINITY),
        (0x0801, Special.RESERVED),
    ],
)
def test_the_five_special_sfloats_are_no_numbers(word: int, special: Special) -> None:
    assert sfloat(word) is special


@pytest.mark.parametrize(
    ("word", "special"),
    [
        (0x007FFFFF, Special.NAN),
        (0x00800000, Special.NRES),
        (0x007FFFFE, Special.PLUS_INFINITY),
        (0x00800002, Special.MINUS_INFINITY),
        (0x00800001, Special.RESERVED),
    ],
)
def test_the_five_special_floats_are_no_numbers(word: int, special: Special) -> None:
    assert float32(word) is special


def test_every_sfloat_is_a_number_or_a_special() -> None:
    specials = [word for word in range(0x10000) if not isinstance(sfloat(word), float)]
    assert sorted(specials) == sorted(SFLOAT_SPECIALS)


@given(st.integers(min_value=0, max_value=0xFFFFFFFF))
def test_any_float_is_a_finite_number_or_a_special(word: int) -> None:
    assert isinstance(float32(word), float) == (word not in FLOAT_SPECIALS)

"""Scaling at its boundaries: a digit lost here is a referral missed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitals.reading import NO_VALUE, ScaleError, is_plausible, scaled, unscaled
from vitals.signals import SIGNAL_BY_CODE, SIGNALS, Signal


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (92.6, 9260),
        (math.nextafter(92.6, 100), 9260),
        (math.nextafter(92.6, 0), 9260),
        (92.999, 9299),
        (92.9999, 9299),
        (math.nextafter(93, 0), 9300),  # a hair below 93 is binary error, not a clinical digit
        (93.0, 9300),
        (88.0, 8800),
        (88.009, 8800),
        (100.0, 10000),
        (0.009, 0),
        (-0.001, -1),
    ],
)
def test_spo2_is_floored_to_hundredths(value: float, number: int) -> None:
    assert scaled(Signal.SPO2, value) == number


@pytest.mark.parametrize(
    ("value", "number"),
    [(38.5, 3850), (38.504, 3850), (38.506, 3851), (38.505, 3850), (38.515, 3852), (39.1, 3910), (36.8, 3680)],
)
def test_a_temperature_is_rounded_to_nearest_half_to_even(value: float, number: int) -> None:
    assert scaled(Signal.TEMPERATURE, value) == number


@pytest.mark.parametrize(("value", "number"), [(32767, 32767), (-32767, -32767)])
def test_the_last_values_that_fit(value: float, number: int) -> None:
    assert scaled(Signal.STEPS, value) == number


@pytest.mark.parametrize("value", [32768, -32768, 1e300, math.nan, math.inf, -math.inf])
def test_what_does_not_fit_is_the_typed_error(value: float) -> None:
    with pytest.raises(ScaleError) as caught:
        scaled(Signal.STEPS, value)
    assert caught.value.signal is Signal.STEPS


@given(st.sampled_from(Signal), st.integers(NO_VALUE + 1, 32767))
def test_a_stored_value_survives_the_way_through_its_unit(signal: Signal, number: int) -> None:
    assert scaled(signal, unscaled(signal, number)) == number


@given(st.floats(0, 327))
def test_spo2_is_never_raised(value: float) -> None:
    assert unscaled(Signal.SPO2, scaled(Signal.SPO2, value)) <= value + 1e-6


@pytest.mark.parametrize("signal", Signal)
def test_the_plausible_range_is_closed(signal: Signal) -> None:
    low, high = SIGNALS[signal].plausible
    scale = SIGNALS[signal].scale
    first, last = round(low * scale), round(high * scale)
    assert is_plausible(signal, first)
    assert is_plausible(signal, last)
    assert not is_plausible(signal, first - 1)
    assert not is_plausible(signal, last + 1)


def test_codes_are_one_to_one() -> None:
    assert {SIGNAL_BY_CODE[spec.code] for spec in SIGNALS.values()} == set(Signal)

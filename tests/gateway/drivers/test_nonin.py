"""Nonin frames in, exact readings out; built by the layout of andreasdri/nonin-3230-ble and the maker's sample."""

import pytest

from gateway.drivers.nonin import DRIVER
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal

PLACED = ("displayed", "smart_point", "finger_placed_rightly")


def test_a_frame() -> None:
    # SpO2 97, pulse 72, index 5.23 %, 1.5 V twice, 258 s
    outcome = decoded(DRIVER, "0a151e020b0102610048")
    assert values(outcome) == {Signal.SPO2: 9700, Signal.PULSE: 7200, Signal.PERFUSION_INDEX: 523}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD
    assert outcome.status == PLACED


def test_a_pulse_beyond_a_byte() -> None:
    assert values(decoded(DRIVER, "0a151e020b0102610104"))[Signal.PULSE] == 26000


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        ("12", "weak_signal", (Quality.QUESTIONABLE, Reason.POOR_SIGNAL)),
        ("18", "searching", (Quality.PROVISIONAL, Reason.ONGOING)),
        ("30", "battery_low", GOOD),
    ],
)
def test_a_status_bit_takes_trust_and_never_the_number(
    status: str, name: str, expected: tuple[Quality, Reason]
) -> None:
    outcome = decoded(DRIVER, f"0a{status}1e020b0102550048")
    assert values(outcome)[Signal.SPO2] == 8500
    assert trust(outcome) == trust(outcome, Signal.PULSE) == expected
    assert name in outcome.status


@pytest.mark.parametrize(
    ("index", "expected"), [("001d", (Quality.QUESTIONABLE, Reason.LOW_PERFUSION)), ("001e", GOOD)]
)
def test_a_weak_pulse_is_said_of_what_is_measured_by_it(index: str, expected: tuple[Quality, Reason]) -> None:
    outcome = decoded(DRIVER, f"0a151e{index}0102610048")
    assert trust(outcome) == trust(outcome, Signal.PULSE) == expected
    assert trust(outcome, Signal.PERFUSION_INDEX) == GOOD


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("0a001e000001027f01ff", (Reason.FINGER_OUT, Reason.UNAVAILABLE)),
        ("0a101e000001027f01ff", (Reason.UNAVAILABLE,)),
        ("0a101effff0102ffffff", (Reason.UNAVAILABLE,)),
        ("0a011e00000102000000", (Reason.FINGER_OUT, Reason.UNAVAILABLE)),
    ],
)
def test_no_value_of_any_kind_is_no_number(frame: str, expected: tuple[Reason, ...]) -> None:
    outcome = decoded(DRIVER, frame)
    assert set(values(outcome).values()) == {None}
    assert whys(outcome) == {expected}


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("0a151e020b01026100", 9),
        ("0b151e020b0102610048", 0),
        ("0a151e020b010261004800", 11),
        ("0a551e020b0102610048", 1),
    ],
)
def test_a_malformed_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_an_encrypted_frame_is_named() -> None:
    assert "encrypted" in str(error_of(DRIVER, "0a551e020b0102610048"))

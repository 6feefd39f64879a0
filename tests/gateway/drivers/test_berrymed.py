"""BCI frames in, exact readings out; bit by bit as in zh2x/BCI_Protocol "BCI Protocol V1.2.pdf"."""

import pytest

from gateway.drivers.berrymed import DRIVER
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, in_pieces, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal

STREAM = bytes.fromhex("84320548618430044861c42e034961842b024961")


def test_a_frame() -> None:
    outcome = decoded(DRIVER, "8432054861")
    assert values(outcome) == {Signal.SPO2: 9700, Signal.PULSE: 7200}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD
    assert outcome.status == ()


def test_a_fast_pulse_has_its_highest_bit_in_another_byte() -> None:
    assert values(decoded(DRIVER, "8432451661"))[Signal.PULSE] == 15000


@pytest.mark.parametrize(
    ("frame", "status", "expected"),
    [
        ("9432054861", ("no_signal",), (Quality.QUESTIONABLE, Reason.POOR_SIGNAL)),
        ("a432054861", ("probe_unplugged",), (Quality.INVALID, Reason.FINGER_OUT)),
        ("8432154861", ("no_finger",), (Quality.INVALID, Reason.FINGER_OUT)),
        ("8432254861", ("searching",), (Quality.PROVISIONAL, Reason.ONGOING)),
    ],
)
def test_a_status_bit_takes_trust_and_never_the_number(
    frame: str, status: tuple[str, ...], expected: tuple[Quality, Reason]
) -> None:
    outcome = decoded(DRIVER, frame)
    assert values(outcome) == {Signal.SPO2: 9700, Signal.PULSE: 7200}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == expected
    assert outcome.status == status


def test_no_finger_and_no_values() -> None:
    outcome = decoded(DRIVER, "8000507f7f")  # PR 255, SpO2 127
    assert values(outcome) == {Signal.SPO2: None, Signal.PULSE: None}
    assert whys(outcome) == {(Reason.FINGER_OUT, Reason.UNAVAILABLE)}


def test_no_value_without_a_word_why() -> None:
    assert whys(decoded(DRIVER, "8032050000")) == {(Reason.UNAVAILABLE,)}


@pytest.mark.parametrize(
    ("frame", "offset"),
    [("", 0), ("0432054861", 0), ("84320548", 4), ("843205486100", 6), ("8432854861", 2), ("84320548e1", 4)],
)
def test_a_malformed_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_a_link_taken_up_in_the_middle_of_a_frame_finds_the_next() -> None:
    assert frames(DRIVER, [STREAM[3:]]) == in_pieces(STREAM[5:], 5)


def test_a_stray_first_byte_before_a_frame_is_no_frame() -> None:
    assert frames(DRIVER, [STREAM[:5] + STREAM[:1] + STREAM[5:]])[-3:] == in_pieces(STREAM[5:], 5)


def test_a_lost_byte_costs_one_frame_and_is_told() -> None:
    broken = STREAM[:7] + STREAM[8:]
    first, torn, *rest = frames(DRIVER, [broken])
    assert first == STREAM[:5]
    assert (torn, rest) == (STREAM[5:7] + STREAM[8:10], [STREAM[10:15], STREAM[15:]])
    assert error_of(DRIVER, torn.hex()).offset == 4


def test_a_second_is_a_hundred_frames_of_which_one_is_kept() -> None:
    assert DRIVER.keep_every_ms == 1000

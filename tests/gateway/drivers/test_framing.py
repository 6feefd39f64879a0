"""Frames out of a stream: length at byte 1 behind an A5, the last byte their sum."""

import pytest

from gateway.drivers.checksums import sum8
from gateway.drivers.framing import Stream

ONE, TWO = bytes.fromhex("a50401aa"), bytes.fromhex("a505a50251")
LONGEST_BYTES = 6


def stream() -> Stream:
    return Stream(_length_of, is_whole=lambda frame: frame[-1] == sum8(frame[:-1]), longest_bytes=LONGEST_BYTES)


def _length_of(octets: bytes) -> int | None:
    if octets[0] != 0xA5:
        return None
    return octets[1] if len(octets) > 1 else 0


@pytest.fixture
def framing() -> Stream:
    return stream()


def test_frames_come_whole_however_they_are_cut(framing: Stream) -> None:
    assert framing.feed("", ONE[:1]) == ()
    assert framing.feed("", ONE[1:] + TWO[:2]) == (ONE,)
    assert framing.feed("", TWO[2:]) == (TWO,)
    assert framing.kept_bytes == 0


def test_several_frames_in_one_notification(framing: Stream) -> None:
    assert framing.feed("", ONE + TWO + ONE) == (ONE, TWO, ONE)


def test_what_lies_between_frames_is_given_as_one_piece(framing: Stream) -> None:
    assert framing.feed("", ONE + b"\x01\x02\x03" + TWO + b"\x04") == (ONE, b"\x01\x02\x03", TWO, b"\x04")


def test_a_frame_with_a_wrong_sum_is_given_whole_and_the_next_is_found(framing: Stream) -> None:
    torn = ONE[:-1] + b"\x00"
    assert framing.feed("", ONE + torn + TWO) == (ONE, torn, TWO)


def test_a_link_begins_in_the_middle_of_a_frame(framing: Stream) -> None:
    assert framing.feed("", ONE[1:] + TWO) == (TWO,)


def test_only_less_than_a_frame_is_passed_over(framing: Stream) -> None:
    assert framing.feed("", bytes(LONGEST_BYTES - 1)) == ()
    assert framing.feed("", b"\x07") == (b"\x07",)


def test_a_links_first_frame_with_a_wrong_sum_is_not_passed_over(framing: Stream) -> None:
    assert framing.feed("", ONE[:-1] + b"\x00") == (ONE[:-1] + b"\x00",)


def test_nothing_is_passed_over_once_a_frame_was_whole(framing: Stream) -> None:
    assert framing.feed("", ONE + b"\x07") == (ONE, b"\x07")


def test_an_impossible_length_is_junk_at_once(framing: Stream) -> None:
    assert framing.feed("", ONE + b"\xa5\xff") == (ONE, b"\xa5\xff")
    assert framing.kept_bytes == 0


def test_less_than_a_longest_frame_is_kept(framing: Stream) -> None:
    framing.feed("", ONE + b"\xa5\x06" + bytes(3))
    assert framing.kept_bytes == LONGEST_BYTES - 1


def test_what_was_fed_and_not_given_is_told(framing: Stream) -> None:
    assert framing.rest == ""
    framing.feed("", b"\x07\x08")
    framing.feed("", ONE[:1])
    assert framing.rest == (
        "0708 is passed over, as no frame begins there; a5 is kept, 1 bytes of a frame too short to tell its length"
    )
    framing.feed("", ONE[1:2])
    assert framing.rest.endswith("; a504 is kept, 2 bytes of a frame of 4 bytes")

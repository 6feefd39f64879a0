"""Contec and EMAY frames in, exact readings out, and the words that keep the device talking."""

import pytest

from gateway.drivers.checksums import sum7
from gateway.drivers.contec import DRIVER, NOTIFY, WRITE
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal


def closed(hexadecimal: str) -> str:
    body = bytes.fromhex(hexadecimal)
    return (body + bytes((sum7(body),))).hex()


def test_a_frame_of_an_emay_has_no_perfusion_index() -> None:
    # chenders/AnxietyWatch: EB 01 05 PR SpO2 7F 00 sum
    outcome = decoded(DRIVER, closed("eb01053e627f00"))
    assert values(outcome) == {Signal.SPO2: 9800, Signal.PULSE: 6200}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD


def test_a_fast_pulse_has_its_highest_bit_in_the_flags() -> None:
    # rico132/PulsoximeterGraphs test_ox_protocol_parser: 20 and 128
    assert values(decoded(DRIVER, closed("eb010714627f00")))[Signal.PULSE] == 14800


@pytest.mark.parametrize(
    ("tail", "perfusion"),
    [
        ("003c602e00", 460),
        ("043c600500", 1330),  # flag 2: 128 more
        ("003c600000", None),
        ("003c607f01", None),  # byte 6 in use: an old firmware's packing
        ("043c607f00", None),  # 255
        ("043c605c00", 2200),
        ("043c605d00", None),
        ("013c602e00", None),
    ],
)
def test_a_perfusion_index_is_reported_only_where_it_is_beyond_doubt(tail: str, perfusion: int | None) -> None:
    outcome = decoded(DRIVER, closed("eb01" + tail))
    assert values(outcome).get(Signal.PERFUSION_INDEX) == perfusion
    assert values(outcome)[Signal.SPO2] == 9600
    assert trust(outcome) == GOOD


@pytest.mark.parametrize("pulse", ["00", "7f"])
def test_the_finger_is_out(pulse: str) -> None:
    # rico132/PulsoximeterGraphs: SpO2 7F
    outcome = decoded(DRIVER, closed(f"eb0105{pulse}7f7f00"))
    assert values(outcome) == {Signal.SPO2: None, Signal.PULSE: None}
    assert whys(outcome) == {(Reason.FINGER_OUT, Reason.UNAVAILABLE)}


def test_no_value_without_a_word_why() -> None:
    for frame in ("eb010500007f00", "eb01077f007f00", "eb01057f007f00"):
        assert whys(decoded(DRIVER, closed(frame))) == {(Reason.UNAVAILABLE,)}
    for frame in ("eb01077f627f00", "eb010500627f00"):
        outcome = decoded(DRIVER, closed(frame))
        assert values(outcome) == {Signal.SPO2: 9800, Signal.PULSE: None}
        assert trust(outcome, Signal.PULSE) == (Quality.INVALID, Reason.UNAVAILABLE)


def test_a_pulse_of_127_beside_a_good_saturation_is_a_pulse() -> None:
    assert values(decoded(DRIVER, closed("eb01057f627f00")))[Signal.PULSE] == 12700


@pytest.mark.parametrize(
    ("body", "status"),
    [("eb00100410", ()), ("eb7f", ()), ("f0", ("answer_f0",)), ("f300", ("answer_f3",))],
)
def test_what_measures_nothing(body: str, status: tuple[str, ...]) -> None:
    outcome = decoded(DRIVER, closed(body))
    assert (outcome.measurements, outcome.status) == ((), status)


# SemenKeyzer/oscar-sql contec_ble_protocol.cpp
ANSWERS = """f0:2 f3:3 f4:3 f5:3 f6:3 fa:3 fb:3 ff:3 d1:4 e0:7 ef:8 e3:9 cf:10 f1:10 e1:11 e2:11 ea:13 d0:14 e4:17 e6:17
e5:18 d2:20 d3:20 d7:20 ec:21"""


@pytest.mark.parametrize("answer", ANSWERS.split())
def test_an_answer_of_published_length_measures_nothing(answer: str) -> None:
    first, length = answer.split(":")
    outcome = decoded(DRIVER, closed(first + "00" * (int(length) - 2)))
    assert (outcome.measurements, outcome.status) == ((), (f"answer_{first}",))


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("eb", 1),
        ("7f00", 0),
        ("eb0501", 1),
        ("eb01053e627f", 6),
        ("eb01053e627f0000", 7),
        (closed("eb020000000000"), 1),
        (closed("eb010580627f00"), 3),
        ("83" + "00" * 21, 0),
        ("84" + "00" * 10, 0),
    ],
)
def test_a_malformed_or_unknown_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_an_encrypting_firmware_is_named() -> None:
    assert "encrypted" in str(error_of(DRIVER, "84" + "00" * 10))


def test_a_first_byte_within_a_frame_begins_another() -> None:
    good = bytes.fromhex(closed("eb01053e627f00"))
    assert frames(DRIVER, [good, bytes.fromhex(closed("eb010580627f00"))[:4], good]) == [good, good[:3] + b"\x80", good]


def test_frames_are_found_again_after_junk() -> None:
    good = bytes.fromhex(closed("eb01053e627f00"))
    torn = good[:4]
    assert frames(DRIVER, [good[3:], good + torn, good]) == [good, torn, good]


def test_the_words_are_those_of_the_maker() -> None:
    said = [write.payload.hex() for write in DRIVER.begin]
    assert said == ["8909", "8e0513", "9b011c"]
    assert [write.payload.hex() for write in DRIVER.end] == ["9b7f1a"]
    assert DRIVER.poll is not None
    assert [write.payload.hex() for write in DRIVER.poll.writes] == ["9a1a"]
    assert {write.uuid for write in (*DRIVER.begin, *DRIVER.end, *DRIVER.poll.writes)} == {WRITE}
    assert DRIVER.subscribe == (NOTIFY,)

"""MightySat frames in, exact readings out.

Frames with measured values: public protocol tests of a reader for phones (two frames and the borders recorded, the
others made by its author with values of his own); the words we write: shawn-gxp/sh3-pi mightysat.py.
"""

import pytest

from gateway.drivers.checksums import crc8
from gateway.drivers.masimo import DRIVER, WRITE
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, in_pieces, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal

NAMES = "77140163101f00030100170010e6000000f600000018"  # recorded, in pieces of 20 and 2 bytes
DONE = "7703fe02cc"  # recorded
LIVE = "7711050000000000620048101400260200100e"
STARTING = "771105000000000062004a14ff20710211146c"


def closed(payload: str) -> str:
    body = bytes.fromhex(payload)
    return (bytes((0x77, len(body) + 1)) + body + bytes((crc8(body),))).hex()


def test_all_values() -> None:
    outcome = decoded(DRIVER, LIVE)
    assert values(outcome) == {
        Signal.SPO2: 9800,
        Signal.PULSE: 7200,
        Signal.PERFUSION_INDEX: 550,
        Signal.RESPIRATORY_RATE: 1600,
    }
    assert {trust(outcome, signal) for signal in values(outcome)} == {GOOD}


@pytest.mark.parametrize(
    ("frame", "perfusion", "rate", "expected"),
    [
        ("771105000000000062004a101600580204ff5b", 600, None, (Quality.INVALID, Reason.DEVICE_INVALID)),
        ("7711050000000000630046001200c201010d76", 450, 1300, (Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE)),
        ("771105000000000062004a10092071021014c5", 625, 2000, (Quality.PROVISIONAL, Reason.EARLY_ESTIMATE)),
        (STARTING, 625, 2000, (Quality.QUESTIONABLE, Reason.DEVICE_QUESTIONABLE)),
    ],
)
def test_a_values_own_exception_is_said_of_it_alone(
    frame: str, perfusion: int, rate: int | None, expected: tuple[Quality, Reason]
) -> None:
    outcome = decoded(DRIVER, frame)
    assert (values(outcome)[Signal.PERFUSION_INDEX], values(outcome)[Signal.RESPIRATORY_RATE]) == (perfusion, rate)
    assert trust(outcome, Signal.RESPIRATORY_RATE) == expected
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD


@pytest.mark.parametrize("numbers", ["00ff00ff00ff00ffff00ff", "0000000000ff0000000000"])
def test_no_value_of_any_kind_is_no_number(numbers: str) -> None:
    assert whys(decoded(DRIVER, closed("0500000000" + numbers))) == {(Reason.UNAVAILABLE,)}


def test_the_finger_is_out() -> None:
    outcome = decoded(DRIVER, "7711050000200004ff04ff04ff0cffff04ff8c")
    assert set(values(outcome).values()) == {None}
    assert {trust(outcome, signal) for signal in values(outcome)} == {(Quality.INVALID, Reason.FINGER_OUT)}
    assert outcome.status == ("sensor_off",)


@pytest.mark.parametrize(
    ("bit", "name", "expected"),
    [
        (21, "sensor_off", (Quality.INVALID, Reason.FINGER_OUT)),
        (22, "searching", (Quality.PROVISIONAL, Reason.ONGOING)),
        (23, "interference", (Quality.QUESTIONABLE, Reason.INTERFERENCE)),
        (24, "low_perfusion", (Quality.QUESTIONABLE, Reason.LOW_PERFUSION)),
    ],
)
def test_an_exception_takes_trust_and_never_the_number(bit: int, name: str, expected: tuple[Quality, Reason]) -> None:
    word = (1 << bit).to_bytes(4, "little").hex()
    outcome = decoded(DRIVER, closed(f"05{word}0055004800140026020010"))
    assert values(outcome)[Signal.SPO2] == 8500
    assert {trust(outcome, signal) for signal in values(outcome)} == {expected}
    assert outcome.status == (name,)


@pytest.mark.parametrize(
    ("hundredths", "expected"), [("1d00", (Quality.QUESTIONABLE, Reason.LOW_PERFUSION)), ("1e00", GOOD)]
)
def test_a_weak_pulse_is_said_of_what_is_measured_by_it(hundredths: str, expected: tuple[Quality, Reason]) -> None:
    outcome = decoded(DRIVER, closed(f"050000000000620048001400{hundredths}0010"))
    assert trust(outcome) == trust(outcome, Signal.PULSE) == trust(outcome, Signal.RESPIRATORY_RATE) == expected
    assert trust(outcome, Signal.PERFUSION_INDEX) == GOOD


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (NAMES, "device"),
        (DONE, "done"),
        ("77110493240030003c0047004d00540060009c", "pleth"),
        ("771e0600000000000000000000000000000000000000000000000000000000e2", "trend"),
        (closed("ff03"), "refused"),
    ],
)
def test_what_measures_nothing(frame: str, status: str) -> None:
    outcome = decoded(DRIVER, frame)
    assert (outcome.measurements, outcome.status) == ((), (status,))


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("03fe02cc", 0),
        ("77", 1),
        (LIVE[:-2], 18),
        (LIVE[:-2] + "0f", 18),
        (closed("0901"), 2),
        (closed("050000000000620048002602"), 1),  # a consumer's, perhaps: three values
    ],
)
def test_a_malformed_or_unknown_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_frames_across_notification_borders() -> None:
    stream = bytes.fromhex(NAMES + DONE + LIVE)
    assert [frame.hex() for frame in frames(DRIVER, in_pieces(stream, 20))] == [NAMES, DONE, LIVE]


def test_a_start_inside_a_frame_does_not_mislead() -> None:
    wave = closed("04" + "77" * 15)
    assert [frame.hex() for frame in frames(DRIVER, in_pieces(bytes.fromhex(LIVE + wave + LIVE), 20))] == [
        LIVE,
        wave,
        LIVE,
    ]


def test_it_is_asked_for_names_and_values() -> None:
    assert [(write.uuid, write.payload.hex(), write.response) for write in DRIVER.begin] == [
        (WRITE, "77020107", False),
        (WRITE, "7705031f0003d6", False),
    ]

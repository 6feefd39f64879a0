"""An O2Ring's answers in, exact readings out, and what it is asked."""

import pytest

from gateway.drivers.checksums import crc8
from gateway.drivers.viatom import DRIVER, WRITE
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, in_pieces, trust, values
from vitals.quality import Quality, Reason
from vitals.signals import Signal


def answer(values_hex: str, *, state: int = 0) -> str:
    data = bytes.fromhex(values_hex)
    body = bytes((0x55, state, state ^ 0xFF, 0, 0, len(data), 0)) + data
    return (body + bytes((crc8(body),))).hex()


# The values are recordings: MackeyStingray/o2r o2r/o2state.py; the frame about them is its o2r/o2pkt.py's.
WORN = answer("624200000000006100920a0100")


def test_worn() -> None:
    outcome = decoded(DRIVER, WORN)
    assert values(outcome) == {Signal.SPO2: 9800, Signal.PULSE: 6600, Signal.BATTERY: 9700}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD
    assert outcome.status == ("worn", "motion_146")


@pytest.mark.parametrize(
    ("recorded", "battery", "status"),
    [
        ("ffffff00000000600005000000", 9600, ("not_worn", "motion_5")),
        ("ffffff00000000620100000000", 9800, ("not_worn", "motion_0", "charging")),
        ("ffffff00000000640200000000", 10000, ("not_worn", "motion_0", "charged")),
    ],
)
def test_not_worn(recorded: str, battery: int, status: tuple[str, ...]) -> None:
    outcome = decoded(DRIVER, answer(recorded))
    assert values(outcome) == {Signal.SPO2: None, Signal.PULSE: None, Signal.BATTERY: battery}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == (Quality.INVALID, Reason.FINGER_OUT)
    assert trust(outcome, Signal.BATTERY) == GOOD
    assert outcome.status == status


def test_worn_and_not_ready_yet_is_calibrating() -> None:
    # ecostech/viatom-ble viatom-ble.py: both 0 while the finger is there
    outcome = decoded(DRIVER, answer("00000000000000500000000100"))
    assert values(outcome)[Signal.SPO2] is None
    assert trust(outcome) == (Quality.INVALID, Reason.CALIBRATING)


def test_worn_without_one_value() -> None:
    outcome = decoded(DRIVER, answer("ff4200000000005000000a0100"))
    assert trust(outcome) == (Quality.INVALID, Reason.UNAVAILABLE)
    assert values(outcome)[Signal.PULSE] == 6600
    assert trust(decoded(DRIVER, answer("620000000000005000000a0100")), Signal.PULSE)[1] is Reason.UNAVAILABLE


def test_an_answer_without_values_measures_nothing() -> None:
    outcome = decoded(DRIVER, answer(""))
    assert (outcome.measurements, outcome.status) == ((), ("accepted",))


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("aa17e8000000001b", 0),
        (WORN[:-2], 20),
        (WORN[:-2] + "30", 20),
        (answer("", state=1), 1),
        (answer("000000"), 5),
    ],
)
def test_a_malformed_answer_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_an_answer_comes_in_pieces_of_20_bytes() -> None:
    stream = bytes.fromhex(WORN)
    assert [len(piece) for piece in in_pieces(stream, 20)] == [20, 1]
    assert frames(DRIVER, in_pieces(stream, 20) * 2) == [stream, stream]


def test_it_is_asked_for_its_values_every_two_seconds() -> None:
    assert DRIVER.poll is not None
    (ask,) = DRIVER.poll.writes
    # ecostech/viatom-ble viatom-ble.py
    assert (DRIVER.poll.every_s, ask.uuid, ask.payload.hex()) == (2.0, WRITE, "aa17e8000000001b")
    assert not ask.response


def test_a_ring_raises_no_alarm_by_itself() -> None:
    assert DRIVER.wellness

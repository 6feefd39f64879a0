"""PC-60FW frames in, exact readings out."""

import pytest

from gateway.drivers.checksums import crc8_maxim
from gateway.drivers.viatom_pc60fw import DRIVER
from gateway.gatt.decoded import Mode
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, in_pieces, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal


def closed(hexadecimal: str) -> str:
    body = bytes.fromhex(hexadecimal)
    return (body + bytes((crc8_maxim(body),))).hex()


@pytest.mark.parametrize(
    ("frame", "spo2", "pulse", "perfusion"),
    [
        # Recordings: pedasmith/BluetoothDeviceController Viatom_PulseOximeter_PC60FW.
        ("aa550f08016140005100c05b", 9700, 6400, 810),
        ("aa550f08016358005c00c067", 9900, 8800, 920),
        # sza2/viatom_pc60fw README.md, which leaves out the head and the checksum.
        (closed("aa550f0801603e005000c0"), 9600, 6200, 800),
    ],
)
def test_published_values(frame: str, spo2: int, pulse: int, perfusion: int) -> None:
    outcome = decoded(DRIVER, frame)
    assert outcome.mode is Mode.CONTINUOUS
    assert values(outcome) == {Signal.SPO2: spo2, Signal.PULSE: pulse, Signal.PERFUSION_INDEX: perfusion}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD
    assert outcome.status == ("battery_3_of_3",)


def test_a_pulse_beyond_a_byte() -> None:
    assert values(decoded(DRIVER, closed("aa550f08016104015100c0")))[Signal.PULSE] == 26000


@pytest.mark.parametrize(
    ("bit", "name", "expected"),
    [
        # viatom-dev/iOSPC60F CRAP20SDK.h
        (0, "probe_disconnected", (Quality.INVALID, Reason.FINGER_OUT)),
        (1, "probe_off", (Quality.INVALID, Reason.FINGER_OUT)),
        (2, "searching", (Quality.PROVISIONAL, Reason.ONGOING)),
        (3, "check_probe", (Quality.INVALID, Reason.SENSOR_FAULT)),
        (4, "motion", (Quality.QUESTIONABLE, Reason.INTERFERENCE)),
        (5, "low_perfusion", (Quality.QUESTIONABLE, Reason.LOW_PERFUSION)),
    ],
)
def test_a_state_bit_takes_trust_and_never_the_number(bit: int, name: str, expected: tuple[Quality, Reason]) -> None:
    outcome = decoded(DRIVER, closed(f"aa550f080155400051{1 << bit:02x}c0"))
    assert values(outcome)[Signal.SPO2] == 8500
    assert trust(outcome) == trust(outcome, Signal.PULSE) == expected
    assert outcome.status == (name, "battery_3_of_3")


@pytest.mark.parametrize("numbers", ["00000000", "7fff0100", "ffffffff", "7fff0000", "00ff00ff"])
def test_no_value_of_any_kind_is_no_number(numbers: str) -> None:
    outcome = decoded(DRIVER, closed(f"aa550f0801{numbers}02c0"))
    assert set(values(outcome).values()) == {None}
    assert whys(outcome) == {(Reason.FINGER_OUT, Reason.UNAVAILABLE)}


def test_a_spot_checks_result() -> None:
    # viatom-develop/LepuDemo README.md: step 3
    outcome = decoded(DRIVER, "aa550f062101036258fb")
    assert outcome.mode is Mode.SPOT
    assert values(outcome) == {Signal.SPO2: 9800, Signal.PULSE: 8800}


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        # Recordings: pedasmith/BluetoothDeviceController Viatom_PulseOximeter_PC60FW.
        ("aa550f07026e5fcc3722ed", ("pleth",)),
        ("aa550f06210200000045", ("mode_2", "step_0")),
        ("aa55f0030303f6", ("battery_3_of_3",)),
        (closed("aa55f0060150433630"), ("device",)),
        (closed("aa55f0060250433630"), ("device",)),
    ],
)
def test_what_measures_nothing(frame: str, status: tuple[str, ...]) -> None:
    outcome = decoded(DRIVER, frame)
    assert (outcome.measurements, outcome.status) == ((), status)


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("550f", 0),
        ("aa56", 1),
        ("aa550f", 3),
        ("aa550f08016140005100c05c", 11),
        ("aa550f08016140005100c0", 11),
        (closed("aa550f0207"), 4),
        (closed("aa55110201"), 2),
        (closed("aa550f07016140005100"), 11),
    ],
)
def test_a_malformed_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_frames_across_notification_borders() -> None:
    stream = bytes.fromhex("aa550f07026e5fcc3722ed" + "aa550f08016358005c00c067" + "aa55f0030303f6")
    assert b"".join(frames(DRIVER, in_pieces(stream, 7))) == stream
    assert len(frames(DRIVER, in_pieces(stream, 7))) == 3

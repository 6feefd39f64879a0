"""Yuwell and Wellue frames in, exact readings out."""

import pytest

from gateway.drivers.checksums import sum8
from gateway.drivers.yuwell import DRIVER
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, frames, trust, values, whys
from vitals.quality import Reason
from vitals.signals import Signal

# Two notifications of 20 and 6 bytes as an FS20F sent them: roger-/FS20F sample_raw_data.hex.
RECORDED = (bytes.fromhex("fe0856180004229cfe0a55004f6314bf391dfe08"), bytes.fromhex("56160003239a"))


def closed(hexadecimal: str) -> str:
    body = bytes.fromhex(hexadecimal)
    return (body + bytes((sum8(body[1:]),))).hex()


@pytest.mark.parametrize(
    ("frame", "spo2", "pulse", "perfusion"),
    [
        ("fe0a55004f6314bf391d", 9900, 7900, 531),  # roger-/FS20F parser.py
        ("fe0a55004e63125e1292", 9900, 7800, 470),  # roger-/FS20F README.md: 78, 99, 4.702, counter 18
        ("fe0a5500525f1770cf64", 9500, 8200, 600),  # smarttelemed-v4 yuwell_fpo_yx110.dart; its sum counts FE
    ],
)
def test_published_frames(frame: str, spo2: int, pulse: int, perfusion: int) -> None:
    outcome = decoded(DRIVER, frame)
    assert values(outcome) == {Signal.SPO2: spo2, Signal.PULSE: pulse, Signal.PERFUSION_INDEX: perfusion}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == GOOD


def test_frames_across_notification_borders() -> None:
    assert [frame.hex() for frame in frames(DRIVER, RECORDED)] == [
        "fe0856180004229c",
        "fe0a55004f6314bf391d",
        "fe0856160003239a",
    ]


@pytest.mark.parametrize(
    "numbers",
    [
        "01ff7f0000",  # PR 511, SpO2 127: roger-/FS20F parser.py
        "00ff7fffff",
        "ffffff0000",
        "0000000000",
    ],
)
def test_no_value_of_any_kind_is_no_number(numbers: str) -> None:
    outcome = decoded(DRIVER, closed("fe0a55" + numbers + "01"))
    assert set(values(outcome).values()) == {None}
    assert whys(outcome) == {(Reason.UNAVAILABLE,)}


def test_a_pleth_frame_measures_nothing_and_says_whether_the_sensor_is_off() -> None:
    on, off = decoded(DRIVER, "fe08561f000522a4"), decoded(DRIVER, closed("fe085600020000"))
    assert (on.measurements, on.status) == ((), ())
    assert (off.measurements, off.status) == ((), ("sensor_off",))
    assert decoded(DRIVER, closed("fe085600050000")).status == ()


@pytest.mark.parametrize(
    ("frame", "offset"),
    [
        ("", 0),
        ("56160003239a", 0),
        ("fe0a", 2),
        ("fe0a57004f6314bf391f", 2),
        ("fe0a55004f6314bf39", 9),
        ("fe0b55004f6314bf391e", 1),
        ("fe0a55004f6214bf391d", 9),
    ],
)
def test_a_malformed_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset


def test_a_wrong_bit_costs_its_frame_alone() -> None:
    first, torn, last = frames(DRIVER, (RECORDED[0][:12] + b"\x4e" + RECORDED[0][13:], RECORDED[1]))
    assert (first.hex(), last.hex()) == ("fe0856180004229c", "fe0856160003239a")
    assert error_of(DRIVER, torn.hex()).offset == 9

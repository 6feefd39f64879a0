"""Jumper and PLS-01BT frames in, exact readings out."""

import pytest

from gateway.drivers.jumper import DRIVER
from tests.gateway.drivers.outcomes import GOOD, decoded, error_of, trust, values, whys
from vitals.quality import Quality, Reason
from vitals.signals import Signal


def test_a_published_frame() -> None:
    # KookKookKool/smarttelemed-v4 lib/core/device/add_device/Jumper/jumper_po_jpd_500f.dart
    outcome = decoded(DRIVER, "81386344")
    assert values(outcome) == {Signal.SPO2: 9900, Signal.PULSE: 5600, Signal.PERFUSION_INDEX: 680}
    assert trust(outcome) == trust(outcome, Signal.PULSE) == trust(outcome, Signal.PERFUSION_INDEX) == GOOD


@pytest.mark.parametrize(
    "frame",
    [
        "81ff7f00",  # PR 255: obniz/obniz src/parts/Ble/PLS_01BT/index.ts
        "81ffb100",  # SpO2 177: the same
        "8100007f",  # PI 127
        "81000000",
        "81ffffff",
    ],
)
def test_no_value_of_any_kind_is_no_number(frame: str) -> None:
    outcome = decoded(DRIVER, frame)
    assert set(values(outcome).values()) == {None}
    assert whys(outcome) == {(Reason.UNAVAILABLE,)}


def test_one_number_without_value_takes_nothing_from_the_other() -> None:
    outcome = decoded(DRIVER, "81ff6044")
    assert values(outcome) == {Signal.SPO2: 9600, Signal.PULSE: None, Signal.PERFUSION_INDEX: 680}
    assert trust(outcome) == GOOD


@pytest.mark.parametrize(("tenths", "expected"), [("02", (Quality.QUESTIONABLE, Reason.LOW_PERFUSION)), ("03", GOOD)])
def test_a_weak_pulse_is_said_of_what_is_measured_by_it(tenths: str, expected: tuple[Quality, Reason]) -> None:
    outcome = decoded(DRIVER, "813858" + tenths)
    assert values(outcome)[Signal.SPO2] == 8800
    assert trust(outcome) == trust(outcome, Signal.PULSE) == expected
    assert trust(outcome, Signal.PERFUSION_INDEX) == GOOD


def test_a_pleth_frame_and_an_idle_one_measure_nothing() -> None:
    assert decoded(DRIVER, "80" + "31" * 10).measurements == ()  # SensorsIot/Oximeters-BLE-Hack-ESP32
    assert decoded(DRIVER, "2d2d2d2d2d").status == ("idle",)  # jumper_po_jpd_500f.dart, as above


@pytest.mark.parametrize(
    ("frame", "offset"), [("", 0), ("88386344", 0), ("813863", 3), ("8138634400", 5), ("80" + "31" * 9, 10)]
)
def test_a_malformed_frame_names_its_byte(frame: str, offset: int) -> None:
    assert error_of(DRIVER, frame).offset == offset

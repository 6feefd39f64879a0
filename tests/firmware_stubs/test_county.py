"""Scenarios: the six households of the demo, and TOML that says what is wrong with it."""

from pathlib import Path

import pytest

from firmware_stubs.catalogue import Kind
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.county import ScenarioError, build, household_six, read_scenario
from firmware_stubs.radio import Air

WARD = """
zone = "Europe/London"
[[device]]
name = "w1"
address = "00:11:22:33:44:55/P"
kind = "oximeter"
course = "sudden_fall"
seed = 3
options = { begins_s = 30 }
[[device]]
name = "w2"
address = "C0:00:00:00:00:12"
kind = "thermometer"
course = "fever"
history_first_h = 10
"""


def test_the_six_patients_of_the_demo() -> None:
    six = household_six()
    assert [(d.name, d.address[-2:], d.kind.value, d.course) for d in six.devices] == [
        ("p1", "01", "oximeter", "healthy"),
        ("p2", "02", "oximeter", "noise"),
        ("p3", "03", "oximeter", "sudden_fall"),
        ("p4", "04", "oximeter", "slow_fall"),
        ("p5", "05", "thermometer", "fever"),
        ("p6", "06", "oximeter", "probe_off"),
    ]
    assert all(device.address.startswith("C0:00:00:00:00:") for device in six.devices)


async def test_a_scenario_file_is_read_and_built(tmp_path: Path, air: Air, clock: ClinicalClock) -> None:
    path = tmp_path / "ward.toml"
    path.write_text(WARD)
    scenario = read_scenario(path)
    devices = build(scenario, air=air, clock=clock)
    assert scenario.zone == "Europe/London"
    assert [device.kind for device in scenario.devices] == [Kind.OXIMETER, Kind.THERMOMETER]
    assert [device.identity.serial for device in devices] == ["001122334455", "C00000000012"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("zone", "zome", 'unknown key "zome"'),
        ("Europe/London", "Mars", '"Mars" is no IANA zone'),
        ("seed = 3", "sed = 3", 'device w1: unknown key "sed"'),
        ('"oximeter"', '"toaster"', "device w1: 'toaster' is not a valid Kind"),
        ("sudden_fall", "tumble", 'w1: no course "tumble" among healthy'),
        ("begins_s", "begin", "w1: sudden_fall() got an unexpected keyword argument 'begin'"),
        ("00:11:22:33:44:55/P", "nowhere", 'w1: "nowhere" is no address'),
        ("[[device]]", "[device", "ward.toml"),
    ],
)
async def test_a_bad_scenario_is_refused_by_name(
    tmp_path: Path, air: Air, clock: ClinicalClock, old: str, new: str, message: str
) -> None:
    path = tmp_path / "ward.toml"
    path.write_text(WARD.replace(old, new, 1))
    with pytest.raises(ScenarioError) as refused:
        build(read_scenario(path), air=air, clock=clock)
    assert message in str(refused.value)

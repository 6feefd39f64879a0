"""A gateway's troubles: how they are judged, and one of them played; `hearthwatch bench gateway-faults` plays all."""

import shutil
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from hearthwatch.bench.gateway.fault_findings import Answer, Heard, Outcome, duplicates, longest_gap_s, repeated
from hearthwatch.bench.gateway.faults import FAULTS, measure, play

pytestmark = pytest.mark.long

OUTBOX, OTHER = UUID(int=1), UUID(int=2)
WELL = Outcome(fault="any", first_action="link let go of: link_lost", first_action_s=0.0, data_again_s=1.0, lost=0)


def heard(*instants_ms: int, outbox: UUID = OUTBOX, spo2: int = 9700) -> list[Heard]:
    return [Heard(outbox=outbox, number=number, measured_ms=ms, spo2=spo2) for number, ms in enumerate(instants_ms)]


def test_two_rows_of_one_instant_are_a_duplicate() -> None:
    assert duplicates(heard(1000, 2000, 3000)) == 0
    assert duplicates(heard(1000, 1000, 2000)) == 1
    assert duplicates(heard(1000, 1049, 2000)) == 1
    assert duplicates(heard(1000, 1050, 2000)) == 0


def test_two_rows_that_a_busy_machine_stamped_close_together_are_two_if_their_values_differ() -> None:
    assert duplicates([*heard(1000), *heard(1003, spo2=9800)]) == 0


def test_a_row_that_comes_again_from_another_outbox_is_a_repetition_only_at_the_very_same_instant() -> None:
    moved = [*heard(1000, 2000), *heard(2000, 3000, outbox=OTHER)]
    assert (duplicates(moved), repeated(moved)) == (0, 1)
    made_twice = [*heard(1000, 2000), *heard(2001, 3000, outbox=OTHER)]
    assert (duplicates(made_twice), repeated(made_twice)) == (1, 0)


def test_the_longest_gap_is_of_one_device_and_not_between_two() -> None:
    assert longest_gap_s([[3000, 1000], [9000, 9500]]) == 2.0
    assert longest_gap_s([[1000], []]) is None


@pytest.mark.parametrize(
    ("outcome", "finding"),
    [
        (replace(WELL, data_again_s=None), "data again, s"),
        (replace(WELL, data_again_s=300.1), "data again, s"),
        (replace(WELL, first_action_s=None), "first action, s"),
        (replace(WELL, first_action_s=60.1), "first action, s"),
        (replace(WELL, answer=Answer.RUNG), "first rung, s"),
        (replace(WELL, answer=Answer.RUNG, first_rung_s=60.1), "first rung, s"),
        (replace(WELL, duplicates=1), "duplicates"),
        (replace(WELL, lost=1), "lost"),
        (replace(WELL, lost=None), "lost"),
        (replace(WELL, gateway_restarts=1), "restarts of the gateway"),
        (replace(WELL, expected_restarts=1), "restarts of the gateway"),
        (replace(WELL, is_as_expected=False), "did not do what this trouble asks"),
    ],
)
def test_a_limit_that_is_missed_is_named(outcome: Outcome, finding: str) -> None:
    assert outcome.missed == (finding,)


@pytest.mark.parametrize(
    "outcome",
    [
        WELL,
        replace(WELL, answer=Answer.RUNG, first_rung_s=60.0),
        replace(WELL, answer=Answer.NONE, first_action_s=None),
        replace(WELL, gateway_restarts=1, expected_restarts=1),
    ],
)
def test_all_else_is_well(outcome: Outcome) -> None:
    assert outcome.goals
    assert outcome.missed == ()


def test_what_could_not_be_played_is_not_judged() -> None:
    assert Outcome(fault="any", left_out="no file system can be mounted here").goals == ()


def test_an_outage_that_outlives_the_link_is_answered_by_a_rung() -> None:
    outlive = {name for name, fault in FAULTS.items() if fault.answer is Answer.RUNG}
    assert outlive == {
        "bluetoothd_killed",
        "adapter_switched_off",
        "deaf_until_power_cycle",
        "deaf_until_bluetoothd_restarts",
    }


@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon: ./run test installs it")
@pytest.mark.parametrize("name", ["bluetoothd_killed_and_started_by_others", "clock_set_an_hour_back"])
async def test_after_a_trouble_data_flow_again(tmp_path: Path, name: str) -> None:
    outcome = await play(tmp_path, FAULTS[name])
    assert outcome.missed == ()
    if name == "bluetoothd_killed_and_started_by_others":
        assert outcome.first_action == "bluetoothd is gone, every link with it"
        assert outcome.first_rung is not None
        assert outcome.rungs["rescan"] == 1  # on a busy machine the others may be so late that another rung is tried


async def test_a_fault_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no fault sunspots: there are link_loss"):
        await measure(tmp_path, ["sunspots"], lambda _: None)

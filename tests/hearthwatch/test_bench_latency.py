"""The bench of alarms: stamps laid end to end, and a small run on all of its parts."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hearthwatch.bench.latency.homes import homes_of, registry_text
from hearthwatch.bench.latency.measure import CRIT, Plan, goals, measure, slowest, summary
from hearthwatch.bench.latency.stages import STAGES, Raise, Stamp, Value, deciding, figures

pytestmark = pytest.mark.long

T0 = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def at(ms: float) -> datetime:
    return T0 + timedelta(milliseconds=ms)


def a_raise(step_ms: float = 10, **moved_ms: float) -> Raise:
    """Make a raise whose stamps lie so far apart, some of them moved."""
    way = {stamp: at(step_ms * place + moved_ms.get(stamp, 0)) for place, stamp in enumerate(Stamp)}
    return Raise(patient="p1", rule="SPO2-CRIT", stamps=way)


def test_the_stages_are_the_whole_way_without_a_gap() -> None:
    ends = [end for _, end in STAGES.values()]
    assert [begin for begin, _ in STAGES.values()] == [Stamp.SENT, *ends[:-1]]
    assert ends[-1] is Stamp.VISIBLE
    found = a_raise()
    assert sum(found.took_ms(*each) or 0 for each in STAGES.values()) == found.took_ms(Stamp.SENT, Stamp.VISIBLE) == 80


def test_an_effect_before_its_cause_is_seen() -> None:
    assert a_raise().is_in_order
    assert a_raise(received=-11).is_in_order, "stamps are cut to milliseconds"
    assert not a_raise(received=-13).is_in_order
    assert not a_raise(visible=-13).is_in_order
    assert not a_raise(sent=13).is_in_order
    assert not a_raise(told=-13).is_in_order
    assert a_raise(told=30).is_in_order, "alerting waits for no word of ingest's"
    assert a_raise(taken_up=-30).is_in_order, "alerting may begin with a partition before the batch is there"
    assert not a_raise(taken_up=13).is_in_order


def test_a_missing_stamp_is_no_time() -> None:
    found = Raise(patient="p1", rule="SPO2-CRIT", stamps={Stamp.SENT: T0})
    assert not found.is_complete
    assert found.took_ms(Stamp.SENT, Stamp.VISIBLE) is None
    assert summary([found])["notification_to_episode_ms"] is None
    missed = {goal.goal: goal for goal in goals(Plan(gateways=13, rounds=1), CRIT, [CRIT], [found])}
    assert [getattr(goal, "met", None) for goal in missed.values()] == [False, False, False, True]


def series(*values: tuple[float, float]) -> list[Value]:
    return [(at(ms), (spo2, 72.0)) for ms, spo2 in values]


def test_the_deciding_notification_is_the_one_in_the_samples_place() -> None:
    sent = series((0, 97), (1000, 87), (2000, 87))
    stored = series((3, 97), (2001, 87), (2007, 87))
    assert deciding(sent, stored, at(2001)) == 1, "it was under way for a second: the newest before it is another"


def test_an_echo_that_was_not_stored_changes_no_place_of_others() -> None:
    sent = series((0, 97), (1, 97), (1000, 96), (2000, 87), (3000, 88))
    stored = series((3, 97), (1003, 96), (2003, 87), (3003, 88))
    assert [deciding(sent, stored, sample[0]) for sample in stored[1:]] == [2, 3, 4]


@pytest.mark.parametrize(
    "stored",
    [
        series((1003, 88)),
        series((-5, 97), (1003, 87)),
        series((1003, 87), (1004, 97)),
        series((3, 97), (1003, 87), (1004, 87)),
        series((2003, 87)),
    ],
)
def test_where_it_can_not_be_told_no_place_is_believed(stored: list[Value]) -> None:
    sent = series((0, 97), (1000, 87), (2000, 87))
    with pytest.raises(ValueError, match=r"was not sent|may be any"):
        deciding(sent, stored, stored[0][0])


def test_figures_are_measured_values_and_leave_out_what_is_not_known() -> None:
    assert figures([None, *map(float, range(1, 101)), None]) == {"p50": 50.0, "p99": 99.0, "max": 100.0}
    assert figures([7.0]) == {"p50": 7.0, "p99": 7.0, "max": 7.0}
    assert figures([None]) is None


def test_few_raises_are_not_judged_and_many_that_are_slow_are_missed() -> None:
    few = goals(Plan(gateways=1, rounds=1), CRIT, [CRIT], [a_raise()] * 8)
    assert "8 raises" in getattr(few[0], "why", "")
    many = [a_raise()] * 110 + [a_raise(step_ms=150)] * 2
    judged = goals(Plan(gateways=7, rounds=2), CRIT, [CRIT, CRIT], many)
    assert [getattr(goal, "met", None) for goal in judged] == [False, True, True, True]


def test_the_slowest_are_told_part_by_part_the_slowest_first() -> None:
    found = slowest([a_raise(), a_raise(step_ms=150), a_raise(step_ms=20)])
    assert [sum(ms or 0 for ms in each.values()) for each in found] == [1200, 160, 80]
    assert found[0].keys() == STAGES.keys()


def test_each_round_has_other_homes_and_nobody_of_an_earlier_one_is_missed() -> None:
    first = homes_of(0, 2, devices=8, well_s=80, spread_s=120)
    second = homes_of(2, 2, devices=8, well_s=80, spread_s=120)
    people = [patient for home in (*first, *second) for patient in home.patients]
    assert len({patient.address for patient in people}) == len({patient.key for patient in people}) == 32
    assert all(80 <= patient.begins_s <= 200 for patient in people)
    assert len({patient.begins_s for patient in people}) == 32
    text = registry_text(second, first, now=T0)
    assert text.count("[[binding]]") == 32
    assert text.count("until = 2026-03-01T08:00:00+00:00") == 16


@pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="no dbus-daemon: ./run test installs it")
async def test_a_small_run_at_speed_finds_every_stamp_in_its_order(tmp_path: Path) -> None:
    told: list[str] = []
    plan = Plan(gateways=1, devices=2, rounds=1, spread_s=20.0, speed=10.0)
    document = await measure(tmp_path, plan, told.append)
    met = {goal["goal"]: goal["met"] for goal in document["goals"]}
    assert met["SPO2-CRIT: episodes, of those who fell"]
    assert met["SPO2-CRIT: with stamps out of order"]
    assert document["SPO2-CRIT"]["raises"] == 2
    assert document["SPO2-CRIT"]["stages_ms"].keys() == STAGES.keys()
    assert all(document["SPO2-CRIT"]["stages_ms"].values()), "every stamp was found, of one raise at least"
    assert "speed 10" in document["too_short_to_tell"][0]["why"]
    assert document["rounds"][0]["load_average"]
    assert told

"""A small cohort: what the physiology promises, how falls are found and false alarms told, the whole way through."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from alerting.engine import numba_step, numpy_step
from alerting.engine.partition import Step
from alerting.profile.profile import Profile, Trust
from alerting.rehearsal.course import rehearse
from alerting.rehearsal.recording import Mode, Recording, Series
from alerting.rehearsal.telling import Kind
from hearthwatch.bench.cohort_findings import Findings, alerts_of, cause_of, falls_of
from hearthwatch.bench.cohort_judging import ADULT, BEGIN_MS, Judged, Raised, judge
from hearthwatch.bench.cohort_physiology import Cause, Night, People, Physiology, people, sleep
from hearthwatch.bench.commands import app
from tests.alerting.streams import profile as standard
from vitals.quality import Quality
from vitals.reading import NO_VALUE
from vitals.signals import Signal

pytestmark = pytest.mark.long

QUIET = replace(Physiology(), decline_share=0.0, short_share=0.0, apnoea_share=0.0, artefacts_per_hour=0.0, wander=0.0)
HOUR_S = 3600


@pytest.fixture(scope="module")
def rules() -> Profile:
    return standard()


def night_of(spells: list[tuple[float, int]], *, rows: int = 1) -> Night:
    """Make a night of levels that last, measured as they are."""
    course = np.concatenate([np.full(length, level, np.float32) for level, length in spells])
    blood = np.tile(course, (rows, 1))
    return Night(
        blood=blood,
        values=np.round(blood * 100).astype(np.int16),
        quality=np.zeros(blood.shape, np.uint8),
        cause=np.zeros(blood.shape, np.uint8),
    )


def raised(
    rule: str, *, at_s: float, since_s: float = 0, cleared_s: float | None = None, row: int = 0, rules: Profile
) -> Raised:
    return Raised(
        row=row,
        rule=rule,
        trust=Trust.GOOD,
        consequence=rules.consequences[rule],
        since_s=since_s,
        at_s=at_s,
        cleared_s=cleared_s,
    )


# ---- the physiology ----------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_nights_and_another_does_not() -> None:
    def night(seed: int) -> Night:
        numbers = Physiology()
        return sleep(people(3, np.random.default_rng(5), numbers), HOUR_S, np.random.default_rng(seed), numbers)

    assert np.array_equal(night(1).values, night(1).values)
    assert not np.array_equal(night(1).values, night(2).values)


def test_who_is_well_and_undisturbed_reads_about_his_level() -> None:
    who = People(level=np.array([97.0, 94.0], np.float32), dips_per_hour=np.zeros(2, np.float32))
    night = sleep(who, HOUR_S, np.random.default_rng(1), QUIET)
    assert np.abs(night.blood - who.level[:, None]).max() < 1e-3
    assert np.abs(night.values / 100 - who.level[:, None]).max() <= 4
    assert (night.values % 100 == 0).all()
    assert not night.quality.any()
    assert not night.cause.any()


def test_apnoea_dips_as_often_as_it_says_and_no_deeper() -> None:
    who = People(level=np.full(20, 96.0, np.float32), dips_per_hour=np.full(20, 30.0, np.float32))
    night = sleep(who, 8 * HOUR_S, np.random.default_rng(1), QUIET)
    dips = np.diff((night.cause == Cause.APNOEA).astype(int), axis=1) == 1
    assert 15 <= dips.sum() / 20 / 8 <= 60
    assert night.blood.min() >= 96.0 - QUIET.apnoea_depth_most - 1e-3


def test_artefacts_come_as_often_as_they_say_and_six_of_ten_are_flagged() -> None:
    numbers = replace(QUIET, artefacts_per_hour=3.0)
    who = People(level=np.full(60, 97.0, np.float32), dips_per_hour=np.zeros(60, np.float32))
    night = sleep(who, 8 * HOUR_S, np.random.default_rng(3), numbers)
    moving = night.cause == Cause.MOVEMENT
    begun = (np.diff(moving.astype(int), axis=1) == 1).sum() / 60 / 8
    assert 0.8 * 3 * numbers.movement_share <= begun <= 1.1 * 3 * numbers.movement_share
    assert 0.5 <= (night.quality[moving] == Quality.QUESTIONABLE).mean() <= 0.7
    assert night.blood.min() > 96.9  # the blood knows nothing of them


def test_a_decline_is_seen_at_least_half_even_where_its_signal_comes_and_goes() -> None:
    numbers = replace(QUIET, decline_share=1.0, intermittent_share=1.0)
    who = People(level=np.full(40, 97.0, np.float32), dips_per_hour=np.zeros(40, np.float32))
    night = sleep(who, 8 * HOUR_S, np.random.default_rng(3), numbers)
    falls = [fall for row in range(40) for fall in falls_of(night, row)]
    assert len(falls) >= 35
    assert sum(fall.is_seen for fall in falls) >= 0.9 * len(falls)
    assert min(fall.seen_share for fall in falls) < 0.8


# ---- what is found, what is false --------------------------------------------------------------------------------


def test_a_true_fall_is_below_93_for_600_s_and_half_of_it_seen() -> None:
    night = night_of([(97, 600), (92, 599), (97, 600), (92.9, 600), (93, 900)])
    (fall,) = falls_of(night, 0)
    assert (fall.begin_s, fall.end_s, fall.seen_share, fall.is_seen) == (1799, 2399, 1.0, True)
    night.quality[0, 1799:2099] = Quality.QUESTIONABLE
    night.cause[0, 2099:2100] = Cause.MOVEMENT
    assert not falls_of(night, 0)[0].is_seen


def test_a_fall_counts_as_found_by_a_high_alarm_that_covers_it(rules: Profile) -> None:
    night = night_of([(97, 1000), (90, 1000), (97, 1000)])

    def found(*raises: Raised) -> tuple[list[float], int, int]:
        findings = Findings()
        findings.take(night, Judged(raises=list(raises), silences={}, played_again=0))
        assert len(findings.delays_s) + len(findings.missed) + findings.standing == findings.falls == 1
        return findings.delays_s, len(findings.missed), findings.false.total()

    assert found() == ([], 1, 0)
    assert found(raised("SPO2-REFER", since_s=1000, at_s=1250, rules=rules)) == ([250.0], 0, 0)
    assert found(raised("SPO2-AMBER", since_s=1000, at_s=1250, rules=rules)) == ([], 1, 0)
    assert found(raised("SPO2-REFER", since_s=300, at_s=600, cleared_s=900, rules=rules)) == ([], 1, 1)
    assert found(raised("SPO2-REFER", since_s=300, at_s=600, rules=rules)) == ([], 0, 1)
    assert found(raised("SPO2-REFER", since_s=1900, at_s=2600, rules=rules)) == ([], 1, 0)


def test_raises_that_page_nobody_anew_are_no_alerts(rules: Profile) -> None:
    refer, crit, again = (
        raised("SPO2-REFER", at_s=300, cleared_s=2000, rules=rules),
        raised("SPO2-CRIT", at_s=400, cleared_s=1900, rules=rules),
        raised("SPO2-CRIT", at_s=1950, cleared_s=1960, rules=rules),
    )
    later = raised("SPO2-REFER", at_s=3000, rules=rules)
    assert alerts_of([refer, crit, again, later]) == [refer, crit, later]
    assert alerts_of([crit, replace(refer, at_s=500)]) == [crit]
    other = raised("QUESTIONABLE-LOW", at_s=600, rules=rules)
    assert alerts_of([crit, other]) == [crit, other]


def test_the_cause_is_that_of_the_seconds_that_read_low(rules: Profile) -> None:
    night = night_of([(97, 100), (70, 100)])
    night.cause[0, :100], night.cause[0, 100:] = Cause.APNOEA, Cause.PROBE_OFF
    assert cause_of(night, raised("SPO2-CRIT", since_s=90, at_s=199, rules=rules)) == "probe_off"


# ---- the engine over a night -------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [pytest.param(numba_step.step, id="numba"), pytest.param(numpy_step.step, id="numpy")])
def test_a_night_together_is_judged_as_each_patient_alone(rules: Profile, step: Step) -> None:
    numbers = replace(Physiology(), decline_share=0.6, short_share=0.5)
    night = sleep(people(6, np.random.default_rng(2), numbers), 2 * HOUR_S, np.random.default_rng(4), numbers)
    together = judge(night, rules, step, gated=True)
    assert {each.rule for each in together.raises} > {"SPO2-CRIT"}
    told = sorted((r.row, r.rule, r.since_s, r.at_s, r.cleared_s or -1.0) for r in together.raises)
    assert told == sorted(_alone(night, rules))


def test_a_fall_that_loses_its_signal_is_raised_in_the_cohort_too(rules: Profile) -> None:
    night = night_of([(97, 900), (84, 40), (84, 600)])
    night.values[0, 940:] = NO_VALUE
    judged = judge(night, rules, numba_step.step, gated=True)
    assert judged.played_again == 1
    assert [(each.rule, each.at_s) for each in judged.raises] == [("SPO2-CRIT", 939 + 120.0)]
    assert judged.silences == {"TECH-NODATA": 1, "TECH-NODATA-LONG": 1}


def test_without_the_gate_bad_values_raise_as_good_ones(rules: Profile) -> None:
    night = night_of([(97, 600), (84, 200), (97, 400)])
    night.quality[0, 600:800] = Quality.QUESTIONABLE
    assert judge(night, rules, numba_step.step, gated=True).raises == []
    assert [r.rule for r in judge(night, rules, numba_step.step, gated=False).raises] == ["SPO2-CRIT"]


def _alone(night: Night, rules: Profile) -> list[tuple[int, str, float, float, float]]:
    told = []
    for row in range(len(night.values)):
        t_ms = BEGIN_MS + 1000 * np.arange(night.values.shape[1], dtype=np.int64)
        series = Series(t_ms=t_ms, values=night.values[row], quality=night.quality[row])
        course = Recording(
            series={Signal.SPO2: series}, mode=Mode.CONTINUOUS, begin_ms=BEGIN_MS, end_ms=int(t_ms[-1]) + 1000
        )
        events = [event for event in rehearse(course, rules, ADULT) if not event.technical]
        for number, event in enumerate(events):
            if event.kind is Kind.RAISE:
                cleared = next((e for e in events[number:] if e.rule == event.rule and e.kind is Kind.CLEAR), None)
                times = [(ms - BEGIN_MS) / 1000 for ms in (event.since_ms, event.at_ms)]
                over_s = -1.0 if cleared is None else (cleared.at_ms - BEGIN_MS) / 1000
                told.append((row, event.rule, *times, over_s))
    return told


# ---- the command -------------------------------------------------------------------------------------------------


def test_a_small_cohort_misses_no_true_fall() -> None:
    result = CliRunner().invoke(
        app, ["cohort", "--patients", "40", "--nights", "1", "--seed", "7", "--ungated", "--json"]
    )
    document = json.loads(result.stdout)
    assert (document["seed"], document["gated"]["patient_days"]) == (7, 40)
    assert document["gated"]["true_falls"] >= 4
    missed = next(goal for goal in document["goals"] if goal["goal"].startswith("true falls missed"))
    assert missed["met"], document["gated"]["missed"]
    assert document["gated"]["delay_s"]["median"] > 30
    high = [document[way]["false_high"]["a_patient_day"] for way in ("gated", "ungated")]
    assert high[0] < high[1]
    assert document["gated"]["false_high"]["per_24_h"] == pytest.approx(3 * high[0])
    assert result.exit_code == (0 if document["well"] else 1)


def test_a_seed_is_drawn_and_said() -> None:
    results = [
        CliRunner().invoke(app, ["cohort", "--patients", "1", "--nights", "1", "--hours", "1", "--json"]) for _ in "ab"
    ]
    seeds = [json.loads(result.stdout)["seed"] for result in results]
    assert seeds[0] != seeds[1]
    assert f"seed {seeds[0]}" in results[0].stderr


@pytest.mark.parametrize(
    ("word", "said"), [("luck=1", "'luck' is none of "), ("noise=much", "noise='much': not a number")]
)
def test_a_number_that_the_physiology_has_not_is_named(word: str, said: str) -> None:
    result = CliRunner().invoke(app, ["cohort", "--patients", "1", "--physiology", word])
    assert (result.exit_code, said in result.stderr) == (2, True)

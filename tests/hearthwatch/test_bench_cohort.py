"""A small cohort: what the physiology promises, how falls are found and false alarms told, the whole way through."""

import json
from dataclasses import asdict, replace
from datetime import date

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from alerting.course.telling import Kind
from alerting.engine import numba_step, numpy_step
from alerting.engine.partition import Step
from alerting.profile.patient import held_to
from alerting.profile.profile import Profile, Trust
from alerting.replay.recording import Mode, Recording, Series
from alerting.replay.replaying import rehearse
from hearthwatch.bench.cohort.figures import figures_of
from hearthwatch.bench.cohort.findings import Critical, Findings, alerts_of
from hearthwatch.bench.cohort.hardness import TABLE, Hardness, WindowRule, alarms, false_alarms, met_by
from hearthwatch.bench.cohort.judging import ADULT, BEGIN_MS, Judged, Raised, judge, rules_for
from hearthwatch.bench.cohort.physiology import Cause, Night, People, people, sleep
from hearthwatch.bench.cohort.scenarios import SCENARIOS, Physiology
from hearthwatch.bench.cohort.truth import Truth, cause_of, falls_of, truth_of, was_right
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
        by=rules_for(rules, held_to(rules, ADULT.facts, on=date(2026, 3, 1)))[rule],
        trust=Trust.QUESTIONABLE if rule.startswith("QUESTIONABLE") else Trust.GOOD,
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


def test_artefacts_come_as_often_and_are_flagged_as_often_as_they_say() -> None:
    numbers = replace(QUIET, artefacts_per_hour=3.0)
    who = People(level=np.full(60, 97.0, np.float32), dips_per_hour=np.zeros(60, np.float32))
    night = sleep(who, 8 * HOUR_S, np.random.default_rng(3), numbers)
    moving = night.cause == Cause.MOVEMENT
    begun = (np.diff(moving.astype(int), axis=1) == 1).sum() / 60 / 8
    assert 0.8 * 3 * numbers.movement_share <= begun <= 1.1 * 3 * numbers.movement_share
    flagged = (night.quality[moving] == Quality.QUESTIONABLE).mean()
    assert abs(flagged - numbers.movement_flagged_share) <= 0.1
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
        findings.take(night, Judged(quality=night.quality, raises=list(raises), silences={}, played_again=0))
        assert len(findings.delays_s) + len(findings.missed) + findings.standing == findings.falls == 1
        return findings.delays_s, len(findings.missed), findings.untrue.total()

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


def test_the_cause_is_that_of_the_seconds_that_read_low_and_were_looked_at(rules: Profile) -> None:
    night = night_of([(97, 100), (70, 60), (60, 90)])
    night.cause[0, :100], night.cause[0, 100:160], night.cause[0, 160:] = Cause.APNOEA, Cause.MOVEMENT, Cause.PROBE_OFF
    alert = raised("SPO2-CRIT", since_s=90, at_s=249, rules=rules)
    assert cause_of(alert, night, night.quality) == "probe_off"
    night.quality[0, 160:] = Quality.INVALID
    assert cause_of(alert, night, night.quality) == "movement"
    assert cause_of(replace(alert, is_lost=True), night, night.quality) == "movement, signal lost"
    night.values[0] = NO_VALUE
    assert cause_of(alert, night, night.quality) == "nothing"


# ---- true, right by rule, false ---------------------------------------------------------------------------------


def what(rule: str, spells: list[tuple[float, int]], *, since_s: float, at_s: float, rules: Profile) -> Truth:
    night = night_of(spells)
    return truth_of(raised(rule, since_s=since_s, at_s=at_s, rules=rules), night, falls_of(night, 0))


def test_an_alert_is_true_when_it_was_decided_within_a_true_fall(rules: Profile) -> None:
    def at(since_s: float, at_s: float) -> Truth:
        spells = [(97.0, 1000), (92.9, 600), (97.0, 1000)]
        return what("SPO2-CRIT", spells, since_s=since_s, at_s=at_s, rules=rules)

    assert at(880, 999) is Truth.FALSE  # the blood was never at 88: also just before the fall
    assert at(880, 1000) is Truth.TRUE
    assert at(1599, 1720) is Truth.TRUE
    assert at(1600, 1720) is Truth.FALSE


def test_a_real_fall_of_three_minutes_is_short_and_not_false(rules: Profile) -> None:
    spells = [(97.0, 1200), (85.0, 180), (97.0, 1200)]
    assert what("SPO2-CRIT", spells, since_s=1200, at_s=1320, rules=rules) is Truth.RIGHT_BY_RULE
    assert what("SPO2-REFER", spells, since_s=1200, at_s=1379, rules=rules) is Truth.FALSE  # 180 of its 320 s
    assert what("SPO2-CRIT", [(97.0, 1200), (85.0, 599), (97.0, 600)], since_s=1200, at_s=1320, rules=rules) is (
        Truth.RIGHT_BY_RULE
    )
    assert (
        what("SPO2-CRIT", [(97.0, 1200), (85.0, 600), (97.0, 600)], since_s=1200, at_s=1320, rules=rules) is Truth.TRUE
    )


@pytest.mark.parametrize(
    ("level", "low_s", "right"),
    [(88.0, 112, True), (88.0, 111, False), (88.02, 139, False), (87.0, 139, True)],
)
def test_a_rule_was_right_by_the_blood_and_its_own_limit_share_and_window(
    rules: Profile, level: float, low_s: int, right: bool
) -> None:
    critical = raised("SPO2-CRIT", at_s=0, rules=rules).by
    assert (critical.window_ms, critical.share_percent, critical.grain.bucket_ms) == (120_000, 80, 20_000)
    at_s = 1339  # the last second of a bucket: the engine looks at 140 s, of which 80 % are 112
    blood = night_of([(97.0, at_s + 1 - low_s), (level, low_s), (97.0, 100)]).blood[0]
    assert was_right(critical, blood, at_s) is right


def test_a_rule_is_right_of_what_an_oximeter_without_error_would_show_and_of_no_more(rules: Profile) -> None:
    night = night_of([(94.3, 2000)])
    night.values[0] = 9400  # in whole per cent
    amber = raised("SPO2-AMBER", since_s=300, at_s=1200, rules=rules)
    assert truth_of(amber, night, falls_of(night, 0)) is Truth.RIGHT_BY_RULE
    assert what("SPO2-AMBER", [(94.6, 2000)], since_s=300, at_s=1200, rules=rules) is Truth.FALSE
    assert cause_of(amber, night, night.quality) == "plain, by rounding"
    assert cause_of(amber, night_of([(93.9, 2000)]), night.quality) == "plain"
    assert cause_of(amber, night_of([(94.6, 2000)]), night.quality) == "plain"
    assert what("SPO2-AMBER", [(93.9, 2000)], since_s=300, at_s=1200, rules=rules) is Truth.RIGHT_BY_RULE


def test_each_kind_is_counted_apart(rules: Profile) -> None:
    night = night_of([(97, 1200), (85, 180), (97, 3000), (90, 700), (97, 1000)])
    alerts = [
        raised("SPO2-CRIT", since_s=300, at_s=420, cleared_s=1100, rules=rules),
        raised("SPO2-CRIT", since_s=1200, at_s=1320, cleared_s=2100, rules=rules),
        raised("SPO2-REFER", since_s=4380, at_s=4640, cleared_s=5700, rules=rules),
        raised("QUESTIONABLE-LOW", since_s=300, at_s=600, cleared_s=1200, rules=rules),
    ]
    found = Findings()
    found.take(night, Judged(quality=night.quality, raises=alerts, silences={}, played_again=0))
    assert {(truth, rule): n for (truth, _, rule, _), n in found.untrue.items()} == {
        (Truth.FALSE, "SPO2-CRIT"): 1,
        (Truth.RIGHT_BY_RULE, "SPO2-CRIT"): 1,
        (Truth.FALSE, "QUESTIONABLE-LOW"): 1,
    }
    assert found.alerts.total() == 4
    figures = figures_of(found, hours=8)
    assert figures["false_high"] == {"a_patient_day": 1.0, "per_24_h": 3.0, "right_by_rule": 1.0, "strict": 2.0}
    assert figures["false_manual"] == {"a_patient_day": 2.0, "per_24_h": 6.0, "right_by_rule": 1.0, "strict": 3.0}
    assert (figures["sensitivity_percent"], figures["delay_s"]["median"]) == (100.0, 260.0)


def test_the_critical_rules_own_delay_counts_from_the_first_second_at_88(rules: Profile) -> None:
    night = night_of([(97, 1000), (91, 400), (86, 500), (97, 1000)])

    def told(*raises: Raised) -> Critical:
        found = Findings()
        found.take(night, Judged(quality=night.quality, raises=list(raises), silences={}, played_again=0))
        assert found.critical.falls == 1
        return found.critical

    refer = raised("SPO2-REFER", since_s=1000, at_s=1250, cleared_s=2500, rules=rules)
    own = raised("SPO2-CRIT", since_s=1400, at_s=1510, cleared_s=2500, rules=rules)
    assert told(refer, own) == Critical(falls=1, delays_s=[110.0], first_high_s=[-150.0])
    assert told(refer) == Critical(falls=1, untold_s=[500], first_high_s=[-150.0])
    assert told(replace(own, since_s=1000, at_s=1300)) == Critical(falls=1, standing=1, first_high_s=[-100.0])
    assert told() == Critical(falls=1, untold_s=[500])


# ---- how hard the nights are -------------------------------------------------------------------------------------

GATED = WindowRule(name="", window_s=10, share_percent=80, is_gated=True, ordinary=1.0, apnoea=1.0)
OPEN = replace(GATED, is_gated=False)
RAW = replace(OPEN, window_s=1, share_percent=100)


def flags(text: str) -> np.ndarray:
    return np.array([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("low", "seen", "rule", "met"),
    [
        ("..xxxxxxxx..", "xxxxxxxxxxxx", GATED, ".........xxx"),  # 8 of 10
        ("..xxxxxxx...", "xxxxxxxxxxxx", GATED, "............"),
        ("...xxxx.....", "x..xxxx..x..", GATED, "..........xx"),  # 4 of 6 measured ones, then of 5
        (".....xxxx...", ".....xxxxx..", GATED, ".........xxx"),  # 4 of 4, then of 5: half of the window was measured
        (".....xxxx...", ".....xxxx...", GATED, "............"),  # four of ten
        (".....xxxx...", ".....xxxx...", OPEN, ".........xxx"),
        ("x..x........", "xxxxxxxxxxxx", RAW, "x..x........"),
        ("............", "............", OPEN, "............"),
    ],
)
def test_a_window_rule_is_met_by_its_share_of_what_was_measured(
    low: str, seen: str, rule: WindowRule, met: str
) -> None:
    assert "".join("x" if each else "." for each in met_by(rule, flags(low), flags(seen))) == met


def test_what_begins_within_ten_minutes_of_an_end_is_the_same_alarm() -> None:
    met = np.zeros(4000, np.bool_)
    assert list(alarms(met)) == []
    met[100:200] = met[799:800] = met[1400:1500] = True  # 599 s after the end, then 600
    assert list(alarms(met)) == [(100, 800), (1400, 1500)]


def test_what_meets_a_real_fall_is_not_false_in_the_table_and_apnoea_is() -> None:
    rule = replace(GATED, window_s=60)
    night = night_of([(97, 1000), (90, 100), (97, 1000), (90, 100), (97, 1000)])
    night.cause[0, 1000:1100] = Cause.APNOEA
    night.cause[0, 2100:2200] = Cause.MOVEMENT
    assert false_alarms(rule, night, 0) == 2
    night.cause[0, 2150:2160] = Cause.SHORT_FALL
    assert false_alarms(rule, night, 0) == 1
    night.quality[0, 1000:1100] = Quality.QUESTIONABLE
    assert false_alarms(rule, night, 0) == 0
    assert false_alarms(replace(rule, is_gated=False), night, 0) == 1


def test_the_table_tells_those_with_apnoea_apart() -> None:
    night = night_of([(97, 1000), (90, 100), (97, 1000)], rows=3)
    night.cause[:, 1000:1100] = Cause.MOVEMENT
    night.values[2] = 9700
    hardness = Hardness()
    hardness.take(night, np.array([True, False, False]))
    sixty = next(row for row in hardness.rows() if row["rule"].startswith("60 s"))
    assert sixty["ordinary"] == {"printed": 0.48, "here": 0.5, "ratio": 0.5 / 0.48}
    assert sixty["apnoea"] == {"printed": 1.13, "here": 1.0, "ratio": 1.0 / 1.13}
    assert Hardness().rows()[0]["apnoea"] == {"printed": 8.34, "here": None, "ratio": None}


def test_the_default_nights_are_as_hard_as_the_printed_ones() -> None:
    """Every row that has a figure; two of a hundred are left to chance on so few nights."""
    numbers = SCENARIOS["default"]
    who = people(300, np.random.default_rng(1), numbers)
    hardness = Hardness()
    for seed in (2, 3):
        hardness.take(sleep(who, 8 * HOUR_S, np.random.default_rng(seed), numbers), who.dips_per_hour > 0)
    for rule in TABLE:
        for has_apnoea, printed in ((False, rule.ordinary), (True, rule.apnoea)):
            if printed >= 0.1:
                here = hardness.a_night(rule, has_apnoea=has_apnoea)
                assert here is not None
                assert 0.95 * printed <= here <= 2.2 * printed, (rule.name, has_apnoea)


# ---- the scenarios -----------------------------------------------------------------------------------------------


def off(scenario: str) -> Night:
    numbers = replace(SCENARIOS[scenario], movement_share=0.0, cold_share=0.0, artefacts_per_hour=6.0)
    numbers = replace(numbers, decline_share=0.0, short_share=0.0)
    return sleep(people(20, np.random.default_rng(5), numbers), 4 * HOUR_S, np.random.default_rng(6), numbers)


def test_a_probe_off_says_invalid_in_the_default_and_is_judged_by_nobody(rules: Profile) -> None:
    night = off("default")
    away = night.cause == Cause.PROBE_OFF
    assert (night.quality[away] == Quality.INVALID).mean() == 1.0
    assert not judge(night, rules, numba_step.step, gated=True).raises
    assert judge(night, rules, numba_step.step, gated=False).raises  # what it says is low


def test_a_probe_off_lies_or_is_doubtful_in_the_harder_scenario() -> None:
    night = off("harder")
    away = night.cause == Cause.PROBE_OFF
    assert set(np.unique(night.quality[away])) == {Quality.GOOD, Quality.QUESTIONABLE}


def test_who_moves_with_the_probe_off_has_it_off() -> None:
    numbers = replace(SCENARIOS["default"], artefacts_per_hour=40.0, movement_share=0.5, cold_share=0.0)
    night = sleep(people(5, np.random.default_rng(5), numbers), 4 * HOUR_S, np.random.default_rng(6), numbers)
    off = night.cause == Cause.PROBE_OFF
    assert (night.quality[off] == Quality.INVALID).mean() == 1.0


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
        values = np.where(night.quality[row] == Quality.INVALID, NO_VALUE, night.values[row])  # a probe off is nobody's
        series = Series(t_ms=t_ms, values=values.astype(np.int16), quality=night.quality[row])
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
    result = CliRunner().invoke(app, ["cohort", "--patients", "40", "--nights", "1", "--seed", "7", "--json"])
    document = json.loads(result.stdout)
    assert (document["seed"], document["gated"]["patient_days"]) == (7, 40)
    assert document["gated"]["true_falls"] >= 4
    missed = next(goal for goal in document["goals"] if goal["goal"].startswith("true falls missed"))
    assert missed["met"], document["gated"]["missed"]
    assert document["gated"]["delay_s"]["median"] > 30
    high = [document[way]["false_high"]["a_patient_day"] for way in ("gated", "ungated")]
    assert high[0] < high[1]
    assert document["gated"]["false_high"]["per_24_h"] == pytest.approx(3 * high[0])
    assert document["well"] == all(goal["met"] for goal in document["goals"])
    assert result.exit_code == (0 if document["well"] else 1)
    strict = document["for_information"]
    assert [line["goal"].split(":")[0] for line in strict] == ["strict, for information"] * 2
    assert strict[0]["measured"] == document["gated"]["false_high"]["strict"] >= high[0]
    assert len(document["hardness"]) == 7


def test_the_scenario_is_chosen_by_name_and_said() -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(
            app, ["cohort", "--patients", "3", "--nights", "1", "--hours", "1", "--seed", "7", *arguments]
        )

    harder = run("--scenario", "harder", "--physiology", "noise=0.25", "--no-ungated", "--json")
    document = json.loads(harder.stdout)
    assert document["plan"]["scenario"] == "harder"
    assert document["physiology"] == json.loads(json.dumps(asdict(replace(SCENARIOS["harder"], noise=0.25))))
    assert "ungated" not in document
    assert json.loads(run("--json").stdout)["physiology"] == json.loads(json.dumps(asdict(SCENARIOS["default"])))
    assert run("--scenario", "easier").exit_code == 2
    shown = run()
    assert "raw < 93, no gate" in shown.stderr
    assert "strict" in shown.stderr


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

"""Single measurements from the intake log to the record, on both flavours of database."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from alerting.desk import QUERIES
from alerting.explanation import explain
from alerting.judging.limits import Limits
from alerting.judging.resting import look_at_baselines, recompute_baseline
from alerting.sweep import sweep
from tests.alerting.spot.home import CLIP, CUFF, METER, PATCH, PATIENT, THERMOMETER, WELLNESS, SpotHome, clip
from tests.alerting.ward import T0
from vitals.quality import Quality, Reason
from vitals.signals import SIGNALS, Signal


@pytest.fixture
def home(any_database: str) -> Iterator[SpotHome]:
    """A home on each flavour of database."""
    with SpotHome(any_database) as made:
        yield made


def test_a_clip_that_streams_is_a_measurement_and_its_repeat_confirms(home: SpotHome) -> None:
    home.say(CLIP, clip([9100] * 61), acquisition=0)
    assert (home.sessions(), home.waits()) == ([(9100, "stable")], ["SPO2-AMBER", "SPO2-REFER"])
    assert ("repeat", "SPO2-REFER") in home.prompts()
    home.say(CLIP, clip([9100] * 61, begin_s=300), acquisition=0)
    (episode,) = [e for e in home.episodes() if e.family == "spo2_low"]
    assert episode.rule == "SPO2-REFER"
    assert episode.evidence["why"] == "repeated"
    assert episode.evidence["profile"] == "standard-adult"
    assert episode.evidence["session"] == "stable"
    assert (episode.evidence["worst"], episode.evidence["limit"]) == (91.0, 93.0)
    assert (episode.evidence["readings_beyond"], episode.evidence["unit"]) == (2, "%")


def test_93_twice_is_told_with_its_tag(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 9400), (300, Signal.SPO2, 9300)])
    (episode,) = home.episodes()
    assert (episode.rule, episode.evidence["tags"]) == ("SPO2-AMBER", ["nhc_severe_spo2"])
    assert "severe by SpO2" in explain(episode.rule, episode.evidence).whole.en


def test_a_session_that_is_not_repeated_raises_by_the_clock(home: SpotHome) -> None:
    home.say(CLIP, clip([8700] * 61), acquisition=0)
    home.pass_time(seconds=125)
    (episode,) = [e for e in home.episodes() if e.family == "spo2_low"]
    assert (episode.rule, episode.evidence["why"], episode.emergency) == ("SPO2-CRIT", "no_repeat", True)


def test_a_clip_that_does_not_come_to_rest_is_no_measurement_and_is_kept(home: SpotHome) -> None:
    home.say(CLIP, clip([9500, 9900] * 20), acquisition=0)
    assert (home.sessions(), home.waits(), home.rules()) == ([(9900, "unstable")], [], [])


def test_a_low_clip_that_does_not_come_to_rest_waits_for_an_answer(home: SpotHome) -> None:
    home.say(CLIP, clip([8500, 8900] * 20), acquisition=0)
    assert home.waits() == ["QUESTIONABLE-LOW"]
    home.pass_time(seconds=700)
    assert [e.rule for e in home.episodes() if e.family == "questionable"] == ["QUESTIONABLE-LOW"]


def test_the_answer_ends_the_wait(home: SpotHome) -> None:
    home.say(CLIP, clip([8500, 8900] * 20), acquisition=0)
    home.say(CLIP, clip([9700] * 61, begin_s=200), acquisition=0)
    assert (home.waits(), [e for e in home.episodes() if e.family == "questionable"]) == ([], [])


@pytest.mark.parametrize("seed", range(3))
def test_sessions_and_what_holds_are_the_same_in_whatever_order_samples_come(home: SpotHome, seed: int) -> None:
    draw = random.Random(seed)
    rows = clip([9100] * 61) + clip([9000] * 90, begin_s=200) + clip([8500, 8900] * 20, begin_s=400)
    parts = [rows[n : n + 23] for n in range(0, len(rows), 23)]
    draw.shuffle(parts)
    for part in parts:
        home.say(CLIP, part, acquisition=0)
    assert home.sessions() == [(9100, "stable"), (9000, "stable"), (9000, "remainder"), (8900, "unstable")]
    assert "SPO2-REFER" in home.rules()


def test_an_indication_by_a_spot_oximeter_is_a_session_by_itself(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 9299), (300, Signal.SPO2, 9299)])
    assert "SPO2-REFER" in home.rules()
    assert home.sessions() == []
    (episode,) = home.episodes()
    assert episode.evidence["session"] == "single"


def test_a_bad_low_indication_waits_and_two_raise(home: SpotHome) -> None:
    bad = (Quality.QUESTIONABLE, Reason.POOR_SIGNAL)
    home.say(CLIP, [(0, Signal.SPO2, 8000, *bad)])
    assert (home.waits(), home.prompts()) == (["QUESTIONABLE-LOW"], [("repeat", "QUESTIONABLE-LOW")])
    home.say(CLIP, [(600, Signal.SPO2, 8000, *bad)])
    assert home.rules() == ["QUESTIONABLE-LOW"]


def test_blood_pressure_and_glucose_raise(home: SpotHome) -> None:
    home.say(CUFF, [(0, Signal.SYSTOLIC, 19000), (0, Signal.DIASTOLIC, 9000)])
    home.say(METER, [(60, Signal.GLUCOSE, 390)])
    assert home.rules() == ["GLU-LOW"]
    home.say(CUFF, [(240, Signal.SYSTOLIC, 18800), (240, Signal.DIASTOLIC, 9000)])
    assert home.rules() == ["BP-CRISIS-SYS", "GLU-LOW"]
    (low,) = [e for e in home.episodes() if e.rule == "GLU-LOW"]
    assert (low.evidence["why"], low.evidence["worst"], low.evidence["limit"]) == ("at_once", 3.9, 3.91)


def test_cold_twice_is_more_urgent_than_cold_once(home: SpotHome) -> None:
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3450)])
    home.say(THERMOMETER, [(600, Signal.TEMPERATURE, 3450)])
    assert {"HYPOTHERM", "HYPOTHERM-CONFIRMED"} <= set(home.rules())
    (episode,) = [e for e in home.episodes() if e.family == "temperature_low"]
    assert (episode.rule, episode.priority) == ("HYPOTHERM-CONFIRMED", "high")


@pytest.mark.parametrize("device", [WELLNESS, PATCH])
def test_a_worn_thermometer_raises_nothing_and_asks_once_an_hour(home: SpotHome, device: int) -> None:
    hours = [(h * 3600, Signal.TEMPERATURE, 3950) for h in range(-80, 1, 4)]
    for said in hours:
        home.say(device, [said], acquisition=0)
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3700)])
    assert (home.episodes(), home.rules(), home.waits()) == ([], [], [])
    assert home.prompts() == [("worn_fever", "")] * len(hours)
    home.say(device, [(60, Signal.TEMPERATURE, 4000)], acquisition=0)
    assert home.prompts() == [("worn_fever", "")] * len(hours)


def test_a_fever_of_two_days_asks_for_the_other_signs_and_says_its_gap(home: SpotHome) -> None:
    for hours in (-60, -30, -10, -1):
        home.say(THERMOMETER, [(hours * 3600, Signal.TEMPERATURE, 3900)], acquisition=2)
    assert "FEVER-48H" in home.rules()
    assert {("fever_signs", "FEVER-48H"), ("data_gap", "FEVER-48H")} <= set(home.prompts())
    (evidence,) = [e.evidence for e in home.episodes() if e.rule == "FEVER-48H"]
    assert (evidence["data_gap"], evidence["hours"], evidence["readings_beyond"]) == (True, 50.0, 3)


def test_what_holds_is_ended_by_rare_measurements_too(home: SpotHome) -> None:
    home.say(CUFF, [(0, Signal.SYSTOLIC, 19000), (240, Signal.SYSTOLIC, 19000)])
    assert home.rules() == ["BP-CRISIS-SYS"]
    day_s = 86_400
    home.say(CUFF, [(4 * day_s, Signal.SYSTOLIC, 14000)])
    assert home.rules() == ["BP-CRISIS-SYS"]
    home.say(CUFF, [(8 * day_s, Signal.SYSTOLIC, 14000)])
    assert home.rules() == []


@pytest.mark.parametrize(("steps", "raised"), [(40, ["SPO2-EXERT"]), (39, [])])
def test_exertion_is_known_by_steps(home: SpotHome, steps: int, raised: list[str]) -> None:
    home.say(WELLNESS, [(-60, Signal.STEPS, steps)], acquisition=0)
    home.say(CLIP, [(0, Signal.SPO2, 9350), (300, Signal.SPO2, 9350)])
    assert [rule for rule in home.rules() if rule == "SPO2-EXERT"] == raised


def test_a_single_three_raises_of_a_part_and_the_evidence_says_what_is_missing(home: SpotHome) -> None:
    home.say(CUFF, [(0, Signal.SYSTOLIC, 8800), (0, Signal.PULSE, 7000)])
    assert (home.episodes(), home.waits()) == ([], ["NEWS2-MEDIUM"])
    home.say(CUFF, [(300, Signal.SYSTOLIC, 8800), (300, Signal.PULSE, 7000)])
    (episode,) = home.episodes()
    assert (episode.family, episode.rule, episode.priority) == ("news2", "NEWS2-MEDIUM", "medium")
    evidence = episode.evidence
    assert evidence["parts"] == {"systolic": 3, "pulse": 0}
    assert (evidence["worst"], evidence["limit"], evidence["of_seven"]) == (3, 3, 2)
    assert set(evidence["missing"]) == {"respiratory_rate", "spo2", "oxygen", "consciousness", "temperature"}
    home.say(CUFF, [(600, Signal.SYSTOLIC, 12000)])
    assert home.rules() == []


ORDER_88 = """
    INSERT INTO limit_order (patient_id, rule, breach, clear_at, reason, ordered_by, ordered_at, valid_until)
    VALUES (3, 'SPO2-REFER', 8800, 8900, 'lives at 90', 1, '2026-01-01', '2027-01-01')"""


@pytest.mark.parametrize(
    ("statement", "value", "raised"),
    [
        pytest.param("UPDATE patient SET special_groups = '{home_oxygen}' WHERE patient_id = 3", 9000, [], id="oxygen"),
        pytest.param(ORDER_88, 9000, ["SPO2-AMBER"], id="ordered"),
        pytest.param(ORDER_88, 8790, ["SPO2-AMBER", "SPO2-REFER"], id="below what was ordered"),
        pytest.param(
            "UPDATE patient SET special_groups = '{hypercapnic,home_oxygen}' WHERE patient_id = 3",
            9750,
            ["NEWS2-MEDIUM"],
            id="beyond the other side of his target",
        ),
    ],
)
def test_a_score_does_not_undo_the_limits_that_are_a_patients_own(
    home: SpotHome, statement: str, value: int, raised: list[str]
) -> None:
    if "limit_order" in statement:
        home.connection.execute(
            statement.replace("SPO2-REFER", "SPO2-CRIT").replace("8800, 8900", "8300, 8400").encode()
        )
    home.connection.execute(statement.encode())
    home.say(CLIP, [(0, Signal.SPO2, value), (300, Signal.SPO2, value)])
    assert home.rules() == raised


@pytest.mark.parametrize("sql", ["special_groups = '{pregnant}'", "born_on = '2015-01-01'"])
def test_nobody_is_scored_whom_the_score_is_not_for(home: SpotHome, sql: str) -> None:
    home.connection.execute(f"UPDATE patient SET {sql} WHERE patient_id = 3".encode())  # noqa: S608
    home.say(CUFF, [(0, Signal.SYSTOLIC, 8800), (60, Signal.SYSTOLIC, 8800)])
    assert [e for e in home.episodes() if e.family == "news2"] == []


def test_a_stream_adds_its_median_to_a_score(home: SpotHome) -> None:
    home.connection.execute("UPDATE device SET expected_every_s = 1 WHERE device_id = 21")
    home.say(CLIP, [(-n, Signal.RESPIRATORY_RATE, 2600) for n in range(280)], acquisition=0)
    home.say(CUFF, [(0, Signal.SYSTOLIC, 12000)])
    (episode,) = [e for e in home.episodes() if e.family == "news2"]
    assert episode.evidence["parts"] == {"respiratory_rate": 3, "systolic": 0}


def test_a_baseline_is_made_of_rest(home: SpotHome) -> None:
    day_s = 86_400
    for day in range(5):
        home.say(CLIP, [(day * day_s, Signal.SPO2, 9600 + day)])
    assert recompute_baseline(home.desk(), PATIENT) is None
    home.say(WELLNESS, [(5 * day_s - 30, Signal.STEPS, 100)], acquisition=0)
    home.say(CLIP, [(5 * day_s, Signal.SPO2, 9500)])
    assert recompute_baseline(home.desk(), PATIENT) is None
    home.say(CLIP, clip([9700] * 61, begin_s=6 * day_s), acquisition=0)
    assert recompute_baseline(home.desk(), PATIENT) == 9602
    home.now += timedelta(days=14)
    assert recompute_baseline(home.desk(), PATIENT) is None


def test_a_wearers_hours_are_sessions(home: SpotHome) -> None:
    home.connection.execute("UPDATE device SET expected_every_s = 10 WHERE device_id = 21")
    for hour in range(7):
        seconds = range(hour * 3600, hour * 3600 + (1800 if hour else 1790), 10)
        home.say(CLIP, [(s, Signal.SPO2, 9600 + hour) for s in seconds], acquisition=0)
    assert recompute_baseline(home.desk(), PATIENT) is None
    home.roll_up()
    assert recompute_baseline(home.desk(), PATIENT) == 9603
    home.say(WELLNESS, [(6 * 3600 + 60, Signal.STEPS, 301)], acquisition=0)
    home.roll_up()
    assert recompute_baseline(home.desk(), PATIENT) is None


def test_a_fall_below_what_is_usual_for_a_patient_raises_once_his_baseline_is_known(home: SpotHome) -> None:
    hour_s = 3600
    for number in range(6):
        home.say(CLIP, [(number * hour_s, Signal.SPO2, 9900)])
    assert look_at_baselines(home.desk) == 1
    assert look_at_baselines(home.desk) == 0, "looked at a moment ago"
    assert Limits().turn(home.desk) == 1
    home.say(CLIP, [(7 * hour_s, Signal.SPO2, 9480), (7 * hour_s + 600, Signal.SPO2, 9480)])
    (episode,) = home.episodes()
    assert (episode.rule, episode.evidence["baseline"]) == ("SPO2-DROP", 99.0)


def test_baselines_are_looked_at_again_of_those_who_were_heard(home: SpotHome) -> None:
    home.say(CLIP, [(0, Signal.SPO2, 9900)])
    assert look_at_baselines(home.desk) == 1
    home.now += timedelta(days=1)
    assert look_at_baselines(home.desk) == 1, "roll-ups may have lagged at the first look"
    home.now += timedelta(days=1)
    assert look_at_baselines(home.desk) == 0, "nothing came since"
    home.say(CLIP, [(2 * 86_400, Signal.SPO2, 9900)])
    assert look_at_baselines(home.desk) == 1


def test_a_measurement_is_held_to_a_doctors_order(home: SpotHome) -> None:
    order = """
        INSERT INTO limit_order (patient_id, rule, breach, clear_at, reason, ordered_by, ordered_at, valid_until)
        VALUES (3, 'SPO2-REFER', 9000, 9100, 'lives at 91', 1, '2026-01-01', '2027-01-01')"""
    home.connection.execute(order)
    home.say(CLIP, [(0, Signal.SPO2, 9100), (300, Signal.SPO2, 9100)])
    assert "SPO2-REFER" not in home.rules()
    home.say(CLIP, [(600, Signal.SPO2, 8999), (900, Signal.SPO2, 8999)])
    (episode,) = [e for e in home.episodes() if e.rule == "SPO2-REFER"]
    assert (episode.evidence["limit"], episode.evidence["profile"]) == (90.0, "standard-adult+order")


def test_a_measurement_is_held_to_the_personal_baseline(home: SpotHome) -> None:
    home.connection.execute("INSERT INTO baseline (patient_id, spo2, computed_at) VALUES (3, 9850, '2026-01-01')")
    home.say(CLIP, [(600, Signal.SPO2, 9451), (900, Signal.SPO2, 9451)])
    assert home.rules() == []
    home.say(CLIP, [(1200, Signal.SPO2, 9450), (1500, Signal.SPO2, 9450)])
    (episode,) = home.episodes()
    assert (episode.rule, episode.evidence["baseline"]) == ("SPO2-DROP", 98.5)


@pytest.mark.parametrize("ring", [False, True])
def test_a_fall_that_loses_its_signal_is_not_hidden_by_a_ring_that_reads_well(home: SpotHome, ring: bool) -> None:
    home.connection.execute("UPDATE device SET expected_every_s = 1 WHERE device_id = 21")
    for second in range(0, 400, 20):
        if second < 140:
            level = 9600 if second < 60 else 8500
            home.say(CLIP, [(second + n, Signal.SPO2, level) for n in range(20)], acquisition=0)
        if ring:
            home.say(WELLNESS, [(second + n, Signal.SPO2, 9600) for n in range(20)], acquisition=0)
        home.now = T0 + timedelta(seconds=second + 20)
        home.judge.catch_up(home.desk)
        sweep(home.desk())
    raised = [episode for episode in home.episodes() if episode.family == "spo2_low"]
    assert [(episode.rule, episode.evidence["why"]) for episode in raised] == [("SPO2-CRIT", "lost_while_low")]


def test_a_batch_that_was_received_before_the_one_it_follows_hides_nothing(home: SpotHome) -> None:
    home.say(CLIP, [(100, Signal.SPO2, 8600)], judged=False)
    home.now = T0 + timedelta(seconds=98)  # another writer's clock, or one that was set back
    home.say(CUFF, [(98, Signal.SYSTOLIC, 12000)], judged=False)
    stamps = home.connection.execute("SELECT received_at FROM intake_log ORDER BY batch_id").fetchall()
    assert [row.received_at for row in stamps] == [T0 + timedelta(seconds=100)] * 2
    home.judge.catch_up(home.desk)
    assert "SPO2-CRIT" in home.waits()
    home.say(CLIP, [(-3600, Signal.SPO2, 9700)], acquisition=2)
    assert "SPO2-CRIT" in home.waits()


@pytest.mark.parametrize("query", ["single_history", "steps_history"])
def test_a_wearers_days_are_not_read_for_a_thermometers_history(home: SpotHome, query: str) -> None:
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3650)])
    home.connection.execute(
        "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2)"
        " SELECT t, t, %s, 21, 0, 9700 FROM generate_series(%s::timestamptz - interval '6 h', %s, '1 s') t",
        [PATIENT, home.now, home.now - timedelta(seconds=1)],
    )
    home.connection.execute("ANALYZE sample")
    values = {
        "patient_id": PATIENT, "code": SIGNALS[Signal.TEMPERATURE].code, "streams_too": True,
        "start": home.now - timedelta(days=1), "received_by": home.now, "most": 100,
    }  # fmt: skip
    plan = home.connection.execute(b"EXPLAIN " + QUERIES[query], values).fetchall()
    assert any("sample_single" in str(line) or "patient_id_measured_at_idx" in str(line) for line in plan), plan


def nine_hours(value: int) -> list[tuple[int, Signal, int]]:
    return [(n * 10, Signal.SPO2, value) for n in range(9 * 360)]


def test_a_ring_makes_nobodys_baseline_and_spoils_the_hours_it_speaks_in(home: SpotHome) -> None:
    home.say(WELLNESS, nine_hours(9400), acquisition=0)
    home.now += timedelta(minutes=5)
    home.roll_up()
    assert recompute_baseline(home.desk(), PATIENT) is None


def test_the_hours_of_a_medical_wearable_make_one(home: SpotHome) -> None:
    home.say(PATCH, nine_hours(9700), acquisition=0, judged=False)
    home.now += timedelta(minutes=5)
    home.roll_up()
    assert recompute_baseline(home.desk(), PATIENT) == 9700


def test_an_illness_of_two_weeks_leaves_the_baseline_that_was_known(home: SpotHome) -> None:
    home.say(CLIP, [(hour * 3600, Signal.SPO2, 9700) for hour in range(7)], judged=False)
    assert look_at_baselines(home.desk) == 1
    home.connection.execute(
        "INSERT INTO episode (patient_id, family, technical, rule, priority, emergency, tier3, condition, state, step,"
        " service_tier, since, raised_at, detected_at, alarmed_at, due_at, evidence, profile_hash)"
        " SELECT 3, 'spo2_low', false, 'SPO2-REFER', 'high', false, true, 'present', 'unack', 0, 2, %(at)s, %(at)s,"
        " %(at)s, %(at)s, %(at)s, '{}', profile_hash FROM clinical_profile LIMIT 1",
        {"at": T0 + timedelta(hours=7)},
    )
    for day in range(1, 15):
        home.say(CLIP, [(day * 86_400, Signal.SPO2, 9100)], judged=False)
    assert look_at_baselines(home.desk) == 1
    assert home.connection.execute("SELECT spo2 FROM baseline").fetchall() == [(9700,)]
    home.now += timedelta(days=15)
    assert recompute_baseline(home.desk(), PATIENT) is None

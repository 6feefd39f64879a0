"""What holds by single measurements ends and begins anew on the record: nothing is stuck, no fall is swallowed."""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from alerting.acts import acknowledge, decide
from alerting.escalation import tick
from alerting.judging.limits import Limits
from alerting.sweep import sweep
from tests.alerting.spot.home import CLIP, CUFF, PATCH, THERMOMETER, Said, SpotHome
from vitals.signals import Signal

OXIMETER = 26
DEVICE = """
INSERT INTO device (device_id, key, kind, expected_every_s) VALUES (26, 'C0:00:00:00:00:1A', 'oximeter', 1);
INSERT INTO binding (device_id, patient_id, valid) VALUES (26, 3, '[2020-01-01 00:00+00,)');
UPDATE registry_version SET version = version + 1;
"""
HOUR_S = 3600


@pytest.fixture
def home(any_database: str) -> Iterator[SpotHome]:
    """A home on each flavour of database, with a continuous oximeter beside the clip."""
    with SpotHome(any_database) as made:
        made.connection.execute(DEVICE)
        yield made


@pytest.fixture
def plain_home(plain_database: str) -> Iterator[SpotHome]:
    """The same, on plain PostgreSQL alone."""
    with SpotHome(plain_database) as made:
        made.connection.execute(DEVICE)
        yield made


def spo2(*points: tuple[int, int]) -> list[Said]:
    return [(at_s, Signal.SPO2, value) for at_s, value in points]


def one_by_one(home: SpotHome, *points: tuple[int, int]) -> None:
    for point in points:
        home.say(CLIP, spo2(point))


def stream(home: SpotHome, begin_s: int, value: int, *, minutes: int, signal: Signal = Signal.SPO2) -> None:
    """A continuous device says a value each second; the sweep and the tick look on."""
    for minute in range(minutes):
        first_s = begin_s + 60 * minute
        home.say(OXIMETER, [(first_s + n, signal, value) for n in range(60)], acquisition=0)
        sweep(home.desk())
        tick(home.desk())


def answered(home: SpotHome, disposition: str) -> None:
    episode_id = home.episodes()[-1].episode_id
    acknowledge(home.connection, episode_id=episode_id, person_id=3, channel="console", now=home.now)
    decide(
        home.connection,
        episode_id=episode_id,
        person_id=3,
        disposition=disposition,
        note="x",
        channel="console",
        now=home.now,
    )


def told(home: SpotHome) -> list[tuple[str, str]]:
    """List what the rules said, as (kind, rule)."""
    rows = home.connection.execute("SELECT kind, detail FROM episode_event ORDER BY event_id").fetchall()
    return [(row.kind, row.detail["rule"]) for row in rows if row.kind.startswith(("raised", "cleared"))]


def conditions(home: SpotHome) -> list[tuple[str, str]]:
    return [(e.state, e.condition) for e in home.episodes() if not e.technical]


def test_a_stream_that_is_well_ends_what_clips_raised_and_its_fall_alarms_anew(home: SpotHome) -> None:
    one_by_one(home, (0, 9100), (60, 9100))
    answered(home, "stay_home")
    stream(home, 120, 9700, minutes=9)
    assert home.rules() == ["SPO2-AMBER", "SPO2-REFER"]
    stream(home, 660, 9700, minutes=3)
    assert (home.rules(), conditions(home)) == ([], [("monitor", "cleared")])
    stream(home, 840, 9000, minutes=6)
    assert conditions(home) == [("unack", "present")]
    assert told(home)[-1] == ("raised_anew", "SPO2-REFER")


def test_a_false_alarm_does_not_return_while_the_stream_is_well(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    answered(plain_home, "false_alarm")
    stream(plain_home, 120, 9700, minutes=40)
    assert conditions(plain_home) == [("closed", "present")]


def test_a_clip_behind_a_well_stream_is_a_first_one_again(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    stream(plain_home, 120, 9700, minutes=12)
    one_by_one(plain_home, (HOUR_S, 9100))
    assert (plain_home.rules(), "SPO2-REFER" in plain_home.waits()) == ([], True)
    one_by_one(plain_home, (HOUR_S + 60, 9100))
    assert told(plain_home)[-2:] == [("raised_anew", "SPO2-REFER"), ("raised_again", "SPO2-AMBER")]


@pytest.mark.parametrize(("value", "minutes"), [(9700, 9), (9350, 30)])
def test_a_stream_that_is_not_well_for_long_enough_ends_nothing(plain_home: SpotHome, value: int, minutes: int) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    stream(plain_home, 120, value, minutes=minutes)
    assert "SPO2-REFER" in plain_home.rules()


def test_a_low_clip_beside_a_well_stream_begins_the_wait_anew(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    stream(plain_home, 120, 9700, minutes=8)
    plain_home.say(CLIP, spo2((600, 9100)))
    stream(plain_home, 601, 9700, minutes=9)
    assert "SPO2-REFER" in plain_home.rules()
    stream(plain_home, 1141, 9700, minutes=3)
    assert plain_home.rules() == []


def test_an_older_stream_that_comes_late_ends_nothing(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (HOUR_S, 9100), (HOUR_S + 60, 9100))
    stream(plain_home, 0, 9700, minutes=40)
    assert "SPO2-REFER" in plain_home.rules()


def test_other_limits_end_what_does_not_hold_under_them_and_a_fall_below_them_pages(home: SpotHome) -> None:
    one_by_one(home, (0, 9100), (60, 9100))
    answered(home, "stay_home")
    home.connection.execute(
        "UPDATE patient SET special_groups = '{hypercapnic}' WHERE patient_id = 3;"
        "UPDATE registry_version SET version = version + 1"
    )
    Limits().turn(home.desk)
    home.judge.catch_up(home.desk)
    assert (home.rules(), conditions(home)) == ([], [("monitor", "cleared")])
    home.say(CLIP, spo2((HOUR_S, 8600), (HOUR_S + 120, 8600)))
    assert told(home)[-1] == ("raised_anew", "SPO2-REFER")


def test_what_waits_for_a_repeat_waits_no_more_where_other_limits_leave_nothing_beyond(home: SpotHome) -> None:
    one_by_one(home, (0, 9100))
    assert {"SPO2-AMBER", "SPO2-REFER"} <= set(home.waits())
    home.connection.execute(
        "UPDATE patient SET special_groups = '{hypercapnic}' WHERE patient_id = 3;"
        "UPDATE registry_version SET version = version + 1"
    )
    Limits().turn(home.desk)
    home.judge.catch_up(home.desk)
    assert home.waits() == []
    home.now += timedelta(hours=2)
    sweep(home.desk())
    assert home.rules() == []


def test_readings_find_the_other_limits_before_the_log_says_them(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    answered(plain_home, "stay_home")
    plain_home.connection.execute("UPDATE patient SET special_groups = '{hypercapnic}' WHERE patient_id = 3")
    one_by_one(plain_home, (HOUR_S, 8600))
    assert (plain_home.rules(), conditions(plain_home)) == ([], [("monitor", "cleared")])
    one_by_one(plain_home, (HOUR_S + 120, 8600))
    assert told(plain_home)[-1] == ("raised_anew", "SPO2-REFER")


def test_limits_that_are_changed_back_find_the_condition_again(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    for groups in ("{hypercapnic}", "{}"):
        plain_home.connection.execute("UPDATE patient SET special_groups = %s WHERE patient_id = 3", [groups])
        plain_home.connection.execute("UPDATE registry_version SET version = version + 1")
        Limits().turn(plain_home.desk)
        plain_home.judge.catch_up(plain_home.desk)
        assert plain_home.rules() == []
    one_by_one(plain_home, (HOUR_S, 9100))
    assert plain_home.rules() == ["SPO2-AMBER", "SPO2-REFER"]
    assert ("raised_anew", "SPO2-REFER") in told(plain_home)


def test_a_rule_that_his_age_turns_off_is_over(home: SpotHome) -> None:
    infant = "UPDATE patient SET born_on = '2025-09-01', special_groups = '{infant}' WHERE patient_id = 3"
    home.connection.execute(infant)
    home.connection.execute("UPDATE registry_version SET version = version + 1")
    limits = Limits()
    limits.turn(home.desk)
    home.say(THERMOMETER, [(0, Signal.TEMPERATURE, 3920), (300, Signal.TEMPERATURE, 3920)])
    assert "FEVER-INFANT" in home.rules()
    home.now += timedelta(days=5)
    limits.turn(home.desk)
    home.judge.catch_up(home.desk)
    assert "FEVER-INFANT" not in home.rules()


def test_a_score_that_is_not_for_a_patient_any_more_is_over(plain_home: SpotHome) -> None:
    plain_home.say(CUFF, [(0, Signal.SYSTOLIC, 8800)])
    plain_home.say(CUFF, [(300, Signal.SYSTOLIC, 8800)])
    assert plain_home.rules() == ["NEWS2-MEDIUM"]
    plain_home.connection.execute("UPDATE patient SET special_groups = '{pregnant}' WHERE patient_id = 3")
    plain_home.say(CUFF, [(600, Signal.SYSTOLIC, 8800)])
    assert plain_home.rules() == []


def test_a_late_value_between_ends_nothing_and_well_ones_behind_it_do(home: SpotHome) -> None:
    one_by_one(home, (0, 9100), (540, 9100), (300, 9700))
    assert home.rules() == ["SPO2-AMBER", "SPO2-REFER"]
    one_by_one(home, (600, 9700))
    assert home.rules() == ["SPO2-AMBER", "SPO2-REFER"]
    one_by_one(home, (1200, 9700))
    assert (home.rules(), conditions(home)) == ([], [("unack", "cleared")])


@pytest.mark.parametrize("in_one_turn", [False, True])
def test_over_and_fallen_again_is_told_however_much_is_judged_at_once(home: SpotHome, in_one_turn: bool) -> None:
    one_by_one(home, (0, 9100), (60, 9100))
    answered(home, "stay_home")
    later = [(HOUR_S, 9700), (4200, 9700), (9000, 9000), (9060, 9000)]
    for point in later:
        home.say(CLIP, spo2(point), judged=not in_one_turn)
    home.judge.catch_up(home.desk)
    assert told(home)[2:] == [
        ("cleared", "SPO2-AMBER"),
        ("raised_anew", "SPO2-REFER"),
        ("raised_again", "SPO2-AMBER"),
    ]
    assert conditions(home) == [("unack", "present")]


def test_over_and_fallen_again_in_one_message_is_told(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    answered(plain_home, "stay_home")
    plain_home.say(CLIP, spo2((HOUR_S, 9700), (4200, 9700), (9000, 9000), (9060, 9000)))
    assert ("raised_anew", "SPO2-REFER") in told(plain_home)


def test_what_fell_and_was_over_within_one_message_is_a_line_of_history(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    answered(plain_home, "stay_home")
    points = ((HOUR_S, 9700), (4200, 9700), (9000, 9000), (9060, 9000), (9600, 9700), (9700, 9700))
    plain_home.say(CLIP, spo2(*points))
    assert ("raised_again", "SPO2-REFER") in told(plain_home)
    assert conditions(plain_home) == [("monitor", "cleared")]


@pytest.mark.parametrize("seed", range(4))
def test_however_many_batches_a_turn_judges_the_same_is_told(plain_home: SpotHome, seed: int) -> None:
    draw = random.Random(seed)
    values = [draw.choice((9700, 9700, 9350, 9100, 8600)) for _ in range(30)]
    points = [(n * draw.choice((60, 900)) + 1 + n, value) for n, value in enumerate(values)]
    points = list(dict(sorted(points)).items())
    for point in points:
        plain_home.say(CLIP, spo2(point), judged=draw.random() < 0.3)
    plain_home.judge.catch_up(plain_home.desk)
    in_turns = told(plain_home)
    _forget(plain_home)
    for point in points:
        plain_home.say(CLIP, spo2((point[0] + 10 * 86_400, point[1])))
    assert in_turns == told(plain_home)
    assert any(kind == "cleared" for kind, _ in in_turns)


def _forget(home: SpotHome) -> None:
    """Forget what was measured and told, so that the same can happen days later."""
    home.connection.execute(
        "DELETE FROM episode_event; DELETE FROM notice; DELETE FROM episode; DELETE FROM pending;"
        "DELETE FROM active_rule; DELETE FROM sample"
    )


def test_a_false_alarm_is_not_present_by_one_well_value_and_is_by_a_low_one(home: SpotHome) -> None:
    one_by_one(home, (0, 9100), (60, 9100))
    answered(home, "false_alarm")
    one_by_one(home, (700, 9800))
    home.pass_time(seconds=900)
    assert conditions(home) == [("closed", "present")]
    one_by_one(home, (1700, 9100))
    home.pass_time(seconds=150)
    assert [condition for _, condition in conditions(home)] == ["present", "present"]


def test_a_false_alarm_of_whom_nobody_measured_that_signal_again_is_present(plain_home: SpotHome) -> None:
    one_by_one(plain_home, (0, 9100), (60, 9100))
    answered(plain_home, "false_alarm")
    plain_home.say(THERMOMETER, [(700, Signal.TEMPERATURE, 3650)])
    plain_home.pass_time(seconds=900)
    assert [condition for _, condition in conditions(plain_home)] == ["present", "present"]


@pytest.mark.parametrize("minutes", [12])
def test_a_stream_of_breathing_ends_what_was_counted(plain_home: SpotHome, minutes: int) -> None:
    plain_home.connection.execute("UPDATE device SET expected_every_s = 1 WHERE device_id = 25")
    plain_home.say(PATCH, [(0, Signal.RESPIRATORY_RATE, 3200)])
    plain_home.say(PATCH, [(60, Signal.RESPIRATORY_RATE, 3200)])
    assert "RR-SEVERE" in plain_home.rules()
    stream(plain_home, 120, 1600, minutes=minutes, signal=Signal.RESPIRATORY_RATE)
    assert "RR-SEVERE" not in plain_home.rules()

"""From stored readings to open episodes and notices, on real databases."""

from datetime import timedelta

import pytest

from alerting.acting import ActError
from alerting.acts import acknowledge, add_note, decide, possible_acts
from alerting.escalation import tick
from alerting.sweep import sweep
from tests.alerting.streams import FALL_S, SHARE_S
from tests.alerting.ward import T0, Ward

WELL, LOW, CRITICAL = [9700], [9100], [8400]


def test_a_healthy_stream_opens_nothing(ward: Ward) -> None:
    ward.spo2(1, WELL * 900)
    ward.pass_time(seconds=60)
    assert ward.episodes() == []


def test_a_critical_fall_opens_one_emergency_and_pages_doctor_and_household(ward: Ward) -> None:
    ward.spo2(1, WELL * 120 + CRITICAL * FALL_S)
    (episode,) = ward.episodes()
    assert (episode.rule, episode.priority, episode.emergency, episode.tier3) == ("SPO2-CRIT", "high", True, True)
    assert episode.since == T0 + timedelta(seconds=120)
    assert episode.evidence["lowest"] == 84.0
    assert episode.evidence["below"] == 88.01
    assert [(tier, who) for _, tier, who in ward.notices()] == [(2, "李医生"), (0, "b1")]


def test_a_worse_rule_alarms_anew_and_a_lesser_one_only_counts(ward: Ward) -> None:
    ward.spo2(1, WELL * 60 + LOW * 400)
    (refer,) = ward.episodes()
    assert refer.rule == "SPO2-REFER"
    acknowledge(ward.connection, episode_id=refer.episode_id, person_id=1, channel="test", now=ward.now)
    ward.spo2(1, CRITICAL * FALL_S)
    (episode,) = ward.episodes()
    assert (episode.rule, episode.state, episode.step, episode.raise_count) == ("SPO2-CRIT", "unack", 0, 2)
    assert ward.history() == ["raised", "acknowledged", "raised_anew"]


def test_it_clears_without_closing_and_a_new_fall_alarms_anew(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S + WELL * 700)
    (episode,) = ward.episodes()
    assert (episode.condition, episode.state) == ("cleared", "unack")
    ward.spo2(1, CRITICAL * FALL_S)
    (episode,) = ward.episodes()
    assert (episode.condition, episode.raise_count) == ("present", 2)
    assert ward.history()[-1] == "raised_anew"


def test_a_red_patient_reaches_tier_3_at_once(ward: Ward) -> None:
    ward.spo2(4, CRITICAL * FALL_S)
    assert {tier for _, tier, _ in ward.notices()} == {0, 2, 3}


def test_nobody_answers(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    began = ward.episodes()[0].alarmed_at
    for _ in range(17 * 60):
        ward.now += timedelta(seconds=1)
        tick(ward.desk())
    offset = (began - T0).total_seconds()
    paged: dict[float, list[str]] = {}
    for at, _, who in ward.notices():
        paged.setdefault(at - offset, []).append(who)
    everybody = ["李医生", "值班", "王主任", "运维"]
    assert paged == {
        0: ["李医生", "b1"],
        180: ["值班"],
        360: ["王主任"],
        660: everybody,
        960: everybody,
    }
    assert ward.episodes()[0].state == "exhausted"


def test_the_doctors_acknowledgement_pages_the_county_which_decides(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    episode_id = ward.episodes()[0].episode_id
    act = {"episode_id": episode_id, "channel": "test", "now": ward.now}
    may = possible_acts(ward.connection, episode_id=episode_id, person_id=1, now=ward.now)
    assert may == ["acknowledge", "note"]
    acknowledge(ward.connection, person_id=1, **act)
    assert ward.episodes()[0].state == "t3_unack"
    assert ward.notices()[-1][1:] == (3, "王主任")
    with pytest.raises(ActError, match="not possible"):
        decide(ward.connection, person_id=1, disposition="stay_home", note="", **act)
    acknowledge(ward.connection, person_id=3, **act)
    decide(ward.connection, person_id=3, disposition="false_alarm", note="another finger reads 97", **act)
    closed = ward.episodes()[0]
    assert (closed.state, closed.closed_by, closed.due_at) == ("closed", 3, None)
    with pytest.raises(ActError, match="closed"):
        acknowledge(ward.connection, person_id=3, **act)


def test_a_false_alarm_that_goes_on_opens_a_new_episode_a_quarter_of_an_hour_later(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    act = {"episode_id": ward.episodes()[0].episode_id, "person_id": 3, "channel": "test", "now": ward.now}
    acknowledge(ward.connection, **act)
    with pytest.raises(ActError, match="why"):
        decide(ward.connection, disposition="false_alarm", note=" ", **act)
    decide(ward.connection, disposition="false_alarm", note="cold hand", **act)
    ward.spo2(1, CRITICAL * 800)
    sweep(ward.desk())
    assert len(ward.episodes()) == 1
    ward.spo2(1, CRITICAL * 101)
    sweep(ward.desk())
    assert [e.state for e in ward.episodes()] == ["closed", "unack"]


def test_an_unknown_episode_and_an_empty_note_are_refused_in_words(ward: Ward) -> None:
    with pytest.raises(ActError, match="no episode 99"):
        acknowledge(ward.connection, episode_id=99, person_id=1, channel="test", now=ward.now)
    with pytest.raises(ActError, match="1 to 2000 characters"):
        add_note(ward.connection, episode_id=99, person_id=1, text=" ", now=ward.now)
    with pytest.raises(ActError, match="person 77"):
        possible_acts(ward.connection, episode_id=99, person_id=77, now=ward.now)


def test_silence_is_a_technical_alarm_that_worsens_and_ends_with_its_cause(ward: Ward) -> None:
    ward.spo2(1, WELL * 60)
    ward.pass_time(seconds=115)
    assert ward.episodes() == []
    ward.pass_time(seconds=10)
    (episode,) = ward.episodes()
    assert (episode.rule, episode.priority, episode.technical) == ("TECH-NODATA", "low", True)
    ward.pass_time(seconds=480)
    assert [e.rule for e in ward.episodes()] == ["TECH-NODATA-LONG"]
    ward.spo2(1, WELL * 5)
    ward.pass_time(seconds=5)
    assert [e.state for e in ward.episodes()] == ["closed"]


def test_a_finger_out_is_silence_too_and_says_why(ward: Ward) -> None:
    ward.spo2(1, WELL * 60)
    ward.spo2(1, [-32768] * 130, quality=3)
    sweep(ward.desk())
    (episode,) = ward.episodes()
    assert (episode.rule, episode.evidence["why"]) == ("TECH-NODATA", "unusable")


def test_a_device_that_never_sent_a_good_value_is_found_from_when_it_was_first_heard(ward: Ward) -> None:
    ward.spo2(1, [-32768], quality=3)
    ward.spo2(1, [-32768] * 110, quality=3)
    sweep(ward.desk())
    assert ward.episodes() == []
    ward.spo2(1, [-32768] * 15, quality=3)
    sweep(ward.desk())
    assert [e.rule for e in ward.episodes()] == ["TECH-NODATA"]


def test_silence_makes_a_low_unknown_and_never_clears_it(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    ward.pass_time(seconds=200)
    low = next(e for e in ward.episodes() if not e.technical)
    assert low.condition == "unknown"
    assert low.state != "closed"
    ward.spo2(1, CRITICAL * 10)
    sweep(ward.desk())
    assert next(e for e in ward.episodes() if not e.technical).condition == "present"


def test_a_fall_that_loses_its_signal_raises_after_two_minutes(ward: Ward) -> None:
    ward.spo2(1, WELL * 60 + CRITICAL * 40)
    assert ward.episodes() == []
    ward.pass_time(seconds=125)
    low = next(e for e in ward.episodes() if not e.technical)
    assert (low.rule, low.evidence["why"]) == ("SPO2-CRIT", "lost_while_low")


def test_one_low_clip_waits_two_minutes_for_the_second(ward: Ward) -> None:
    ward.spo2(1, CRITICAL, acquisition=1)
    ward.pass_time(seconds=110)
    assert ward.episodes() == []
    ward.pass_time(seconds=20)
    raised = [e for e in ward.episodes() if not e.technical]
    assert [(e.rule, e.evidence["why"]) for e in raised] == [("SPO2-CRIT", "no_repeat")]
    ward.spo2(1, CRITICAL, acquisition=1)
    assert len([e for e in ward.episodes() if not e.technical]) == 1


def test_three_days_of_fever_from_a_thermometers_memory(ward: Ward) -> None:
    ward.temperatures(3, [(hours, 3890) for hours in range(76, -1, -4)])
    (episode,) = ward.episodes()
    assert (episode.rule, episode.family, episode.priority, episode.tier3) == (
        "FEVER-PERSIST",
        "fever",
        "medium",
        True,
    )
    assert episode.since == T0 - timedelta(hours=76)


def test_late_lows_that_are_over_go_to_the_worklist_and_page_nobody(ward: Ward) -> None:
    ward.spo2(1, WELL * 30)
    ward.now += timedelta(seconds=1800)
    ward.spo2(1, WELL * 30)
    ward.spo2(1, CRITICAL * 200 + WELL * 700, begin=T0 + timedelta(seconds=60))
    (episode,) = [e for e in ward.episodes() if not e.technical]
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-CRIT", "low", "cleared")
    assert episode.evidence["past"]
    urls = ward.connection.execute("SELECT DISTINCT channel_url FROM notice").fetchall()
    assert [u.channel_url for u in urls] == ["console:"]


def test_late_lows_up_to_a_low_newest_value_page_as_live(ward: Ward) -> None:
    ward.spo2(1, WELL * 30)
    ward.now += timedelta(seconds=300)
    ward.spo2(1, CRITICAL * 2)
    ward.spo2(1, CRITICAL * 300, begin=T0 + timedelta(seconds=30))
    (episode,) = ward.episodes()
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-CRIT", "high", "present")


@pytest.mark.parametrize("kill_after", [1, 55, 90, 130, 200])
def test_a_restart_forgets_nothing_and_says_nothing_twice(ward: Ward, kill_after: int) -> None:
    course = WELL * 40 + CRITICAL * FALL_S + WELL * 60
    ward.spo2(1, course[:kill_after])
    if kill_after > 60:
        ward.judge.save_snapshots(ward.desk())
        ward.spo2(1, course[kill_after : kill_after + 10])
        kill_after += 10
    ward.restarted()
    ward.spo2(1, course[kill_after:])
    (episode,) = ward.episodes()
    assert (episode.rule, episode.raise_count) == ("SPO2-CRIT", 1)
    assert 40 + SHARE_S <= (episode.raised_at - T0).total_seconds() < 40 + FALL_S


def test_two_ticks_at_once_fire_a_deadline_once(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    ward.now += timedelta(seconds=181)
    assert tick(ward.desk()) + tick(ward.desk()) == 1


def test_nobody_on_duty_is_said_and_somebody_is_still_reached(ward: Ward) -> None:
    ward.connection.execute("DELETE FROM duty WHERE duty_role = 'township_duty'")
    ward.spo2(1, CRITICAL * FALL_S)
    ward.now += timedelta(seconds=181)
    tick(ward.desk())
    assert ward.notices()[-1][1:] == (3, "王主任")
    assert "nobody_on_duty" in ward.history()


def test_a_household_without_a_channel_is_not_said_to_have_been_told(ward: Ward) -> None:
    ward.connection.execute("UPDATE patient SET household_channels = '{}'")
    ward.spo2(1, CRITICAL * FALL_S)
    home = ward.connection.execute("SELECT * FROM notice WHERE audience = 'household'").fetchone()
    assert (home.outcome, home.sent_at, home.due_at) == ("no channel", None, None)


def test_the_countys_decision_is_told_to_the_family_doctor(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    act = {"episode_id": ward.episodes()[0].episode_id, "person_id": 3, "channel": "test", "now": ward.now}
    acknowledge(ward.connection, **act)
    decide(ward.connection, disposition="stay_home", note="", **act)
    told = ward.connection.execute("SELECT * FROM notice ORDER BY notice_id DESC LIMIT 1").fetchone()
    assert (told.audience, told.recipient) == ("family_doctor", "李医生")
    assert "observe at home" in told.body


def test_a_silent_device_is_told_to_the_household(ward: Ward) -> None:
    ward.spo2(1, WELL * 5)
    ward.pass_time(seconds=130)
    told = ward.connection.execute("SELECT * FROM notice WHERE audience = 'household'").fetchall()
    assert [(n.channel_url, "worn well" in n.body) for n in told] == [("json://localhost:1/home", True)]

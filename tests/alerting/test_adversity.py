"""What once hid an alarm, doubled one, or stopped everybody's: each scenario as it was found."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from alerting.acts import acknowledge, decide
from alerting.desk import Desk
from alerting.escalation import tick
from alerting.profile.file import parse_profile, standard_adult
from alerting.sweep import sweep
from tests.alerting.streams import FALL_S
from tests.alerting.ward import T0, Ward
from vitals.quality import Quality

WELL, LOW, CRITICAL = [9700], [9100], [8400]


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    """A ward on TimescaleDB alone: what is shown here does not depend on the flavour."""
    with Ward(database) as made:
        yield made


def physiological(ward: Ward) -> list[Any]:
    return [e for e in ward.episodes() if not e.technical]


def close(ward: Ward, *dispositions: str) -> None:
    """Acknowledge the newest physiological episode as the county expert and decide it."""
    act = {"episode_id": physiological(ward)[-1].episode_id, "person_id": 3, "channel": "test", "now": ward.now}
    acknowledge(ward.connection, **act)
    for disposition in dispositions:
        decide(ward.connection, disposition=disposition, note="seen", **act)


def under(ward: Ward, body: str) -> None:
    """Restart alerting under another profile."""
    profile = parse_profile(body)

    def desk() -> Desk:
        return Desk(connection=ward.connection, profile=profile, now=ward.now, link="http://console")

    ward.desk = desk  # type: ignore[method-assign]
    ward.restarted()


def without(rule: str) -> str:
    """Give the profile that ships without one rule, in all its forms and variants."""
    tables = re.split(r"(?m)^(?=\[)", standard_adult())
    return "".join(table for table in tables if f".{rule}" not in table.partition("]")[0]).replace(
        f'reached_before = "{rule}"\n', ""
    )


def for_minutes(ward: Ward, minutes: int, values: list[int]) -> None:
    for _ in range(minutes):
        ward.spo2(1, values * 60)
        sweep(ward.desk())


def test_a_restart_under_other_rules_with_unjudged_batches_still_raises(ward: Ward) -> None:
    ward.spo2(1, WELL * 120)
    ward.judge.save_snapshots(ward.desk())
    ward.spo2(1, CRITICAL * 400, judged=False)
    under(ward, standard_adult().replace("share_percent = 80", "share_percent = 81"))
    ward.judge.catch_up(ward.desk)
    assert [e.rule for e in physiological(ward)] == ["SPO2-CRIT"]


def test_stricter_rules_raise_for_whom_they_already_hold(ward: Ward) -> None:
    ward.spo2(1, [9350] * 400)
    assert physiological(ward) == []
    under(ward, standard_adult().replace("below = 93.0", "below = 94.0").replace("clear_at = 94.0", "clear_at = 95.0"))
    ward.spo2(1, [9350] * 2)
    assert [e.rule for e in physiological(ward)] == ["SPO2-REFER"]


def test_a_kill_before_the_first_snapshot_forgets_no_minute(ward: Ward) -> None:
    ward.spo2(1, WELL * 20)
    ward.spo2(1, CRITICAL * FALL_S, judged=False)
    ward.restarted()
    ward.judge.catch_up(ward.desk)
    assert [e.rule for e in physiological(ward)] == ["SPO2-CRIT"]


def test_an_old_spell_that_is_over_does_not_clear_the_present_one(ward: Ward) -> None:
    for value, wait_min in ((9000, 5), (9000, 30), (9700, 30), (9700, 60)):
        ward.spo2(1, [value], acquisition=1)
        ward.now += timedelta(minutes=wait_min)
    close(ward, "false_alarm")
    ward.now += timedelta(hours=6)
    for _ in range(3):
        ward.spo2(1, [8900], acquisition=1)
        ward.now += timedelta(minutes=5)
    assert [(e.state, e.condition) for e in physiological(ward)] == [("closed", "cleared"), ("unack", "present")]


def test_lost_while_low_clears_with_ten_well_minutes_and_a_new_fall_alarms_anew(ward: Ward) -> None:
    ward.spo2(1, WELL * 60 + CRITICAL * 40)
    ward.pass_time(seconds=125)
    for_minutes(ward, 11, WELL)
    assert [e.condition for e in physiological(ward)] == ["cleared"]
    close(ward, "stay_home")
    ward.spo2(1, CRITICAL * FALL_S)
    assert [(e.state, e.condition) for e in physiological(ward)] == [("unack", "present")]


def test_a_false_alarm_of_a_well_patient_stays_closed(ward: Ward) -> None:
    ward.spo2(1, WELL * 60 + CRITICAL * 40)
    ward.pass_time(seconds=125)
    for_minutes(ward, 3, WELL)
    close(ward, "false_alarm")
    for_minutes(ward, 40, WELL)
    assert [e.state for e in physiological(ward)] == ["closed"]


def test_a_false_alarm_does_not_return_by_good_values_that_came_back_just_now(ward: Ward) -> None:
    """It is well again for a minute only: the condition has not ended by the record, and nothing says it is there."""
    ward.spo2(1, CRITICAL * FALL_S)
    close(ward, "false_alarm")
    ward.pass_time(seconds=1000)
    for_minutes(ward, 15, WELL)
    assert [e.state for e in physiological(ward)] == ["closed"]


def test_a_false_alarm_returns_by_a_low_value_that_came_after_it(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    close(ward, "false_alarm")
    ward.pass_time(seconds=1000)
    ward.spo2(1, CRITICAL)
    ward.pass_time(seconds=10)
    assert [(e.rule, e.state) for e in physiological(ward)] == [("SPO2-CRIT", "closed"), ("SPO2-CRIT", "unack")]


def test_closed_while_unknown_and_low_again_is_a_new_episode(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * 400)
    ward.pass_time(seconds=130)
    assert physiological(ward)[0].condition == "unknown"
    close(ward, "false_alarm")
    for_minutes(ward, 20, CRITICAL)
    assert [e.state for e in physiological(ward)] == ["closed", "unack"]


def test_late_lows_of_the_past_leave_the_present_condition_alone(ward: Ward) -> None:
    ward.spo2(1, WELL * 30)
    ward.now += timedelta(seconds=3000)
    ward.spo2(1, CRITICAL * FALL_S + WELL * 700)
    close(ward, "stay_home")
    ward.spo2(1, CRITICAL * 200 + WELL * 700, begin=T0 + timedelta(seconds=300))
    assert physiological(ward)[0].condition == "cleared"
    told = ward.connection.execute("SELECT detail FROM episode_event WHERE kind = 'raised_again'").fetchall()
    assert sorted(t.detail["rule"] for t in told) == ["SPO2-CRIT", "SPO2-REFER"]
    ward.spo2(1, WELL * 60 + CRITICAL * FALL_S)
    assert [(e.state, e.condition) for e in physiological(ward)] == [("unack", "present")]


def test_a_critical_past_behind_an_open_amber_is_told_and_pages_nobody(ward: Ward) -> None:
    amber = [9400]
    for minute in range(40):
        ward.spo2(1, amber * 60)
        if minute == 19:
            ward.now += timedelta(seconds=180)
    (episode,) = physiological(ward)
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-AMBER", "medium", "present")
    paged = len(ward.notices())
    ward.spo2(1, CRITICAL * 175, begin=T0 + timedelta(seconds=1200))
    (episode,) = physiological(ward)
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-AMBER", "medium", "present")
    told = ward.connection.execute("SELECT detail FROM episode_event WHERE kind = 'raised_again'").fetchall()
    assert [(t.detail["rule"], t.detail["past"]) for t in told] == [("SPO2-CRIT", True)]
    assert len(ward.notices()) == paged
    ward.spo2(1, CRITICAL * 5, begin=T0 + timedelta(seconds=1375))
    assert ward.history().count("raised_again") == 1


def test_a_lasting_fever_reaches_tier_3_on_its_third_day_though_its_second_raised(ward: Ward) -> None:
    for hours in range(0, 77, 4):
        ward.now = T0 + timedelta(hours=hours)
        ward.temperatures(3, [(0, 3890)])
    (episode,) = [e for e in physiological(ward) if e.family == "fever"]
    assert (episode.rule, episode.tier3) == ("FEVER-PERSIST", True)
    assert "raised_anew" in ward.history()


def test_a_rule_that_is_gone_from_the_profile_stops_nobody(ward: Ward) -> None:
    ward.spo2(1, LOW * 100)
    ward.spo2(2, WELL * 10)
    under(ward, without("SPO2-REFER"))
    ward.now += timedelta(minutes=5)
    sweep(ward.desk())
    assert {(e.patient_id, e.family) for e in ward.episodes()} == {(1, "no_data"), (2, "no_data")}


def test_a_sites_own_rule_has_no_words_and_still_pages(ward: Ward) -> None:
    under(ward, standard_adult().replace("SPO2-REFER", "SITE-REFER"))
    ward.spo2(1, LOW * 400)
    assert [e.rule for e in physiological(ward)] == ["SITE-REFER"]
    assert any("SITE-REFER" in n.title for n in ward.connection.execute("SELECT title FROM notice").fetchall())


def test_a_poisonous_episode_does_not_stop_the_deadlines_of_others(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    ward.spo2(2, CRITICAL * FALL_S)
    ward.connection.execute("UPDATE episode SET step = 9, due_at = due_at - interval '1 hour' WHERE patient_id = 1")
    ward.now += timedelta(seconds=200)
    assert tick(ward.desk()) == 1
    assert [e.step for e in ward.episodes() if e.patient_id == 2] == [1]


def test_a_poisonous_partition_does_not_stop_the_others(ward: Ward) -> None:
    ward.connection.execute("INSERT INTO intake_log VALUES (1, 1, now(), 'x')")
    ward.connection.execute("UPDATE partition SET head = 1 WHERE partition = 1")
    ward.spo2(2, CRITICAL * FALL_S)
    assert [e.patient_id for e in physiological(ward)] == [2]


def test_a_device_that_was_bound_and_never_heard_is_missed(ward: Ward) -> None:
    ward.connection.execute("UPDATE binding SET entered_at = %s WHERE patient_id = 1", (T0,))
    ward.pass_time(seconds=115)
    assert ward.episodes() == []
    ward.pass_time(seconds=15)
    assert [(e.patient_id, e.rule, e.evidence["why"]) for e in ward.episodes()] == [
        (1, "TECH-NODATA", "nothing_received")
    ]


def test_readings_thrice_a_day_for_days_open_no_second_episode(ward: Ward) -> None:
    for _ in range(12):
        ward.spo2(1, LOW, acquisition=1)
        ward.now += timedelta(minutes=11)
        sweep(ward.desk())
        ward.now += timedelta(hours=7, minutes=49)
    assert len(physiological(ward)) == 1


def test_a_lesser_raise_does_not_turn_down_what_is_still_ringing(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S + WELL * 700)
    for _ in range(4):
        ward.now += timedelta(minutes=4)
        tick(ward.desk())
    assert (physiological(ward)[0].state, physiological(ward)[0].condition) == ("exhausted", "cleared")
    ward.spo2(1, LOW * 400)
    (episode,) = physiological(ward)
    assert (episode.rule, episode.emergency, episode.state) == ("SPO2-CRIT", True, "exhausted")
    assert episode.condition == "present"


def test_late_good_data_end_a_building_fall(ward: Ward) -> None:
    ward.spo2(1, WELL * 60)
    ward.now += timedelta(seconds=40)
    ward.spo2(1, [v for _ in range(4) for v in (8400,)] * 10, every_s=1)
    waiting = ward.connection.execute("SELECT count(*) AS n FROM pending").fetchone()
    assert waiting is not None
    ward.spo2(1, WELL * 60, begin=ward.now - timedelta(seconds=35), every_s=0)
    ward.spo2(1, WELL * 60)
    left = ward.connection.execute("SELECT count(*) AS n FROM pending").fetchone()
    assert left is not None
    assert left.n == 0


def test_the_recheck_raises_what_holds_now_not_what_was_closed(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    close(ward, "false_alarm")
    for_minutes(ward, 17, [9100])
    newest = physiological(ward)[-1]
    assert (newest.rule, newest.emergency) == ("SPO2-REFER", False)


def test_a_wellness_wearable_prompts_a_finger_clip_and_never_more(ward: Ward) -> None:
    ward.connection.execute("UPDATE device SET wellness = true WHERE device_id = 11")
    ward.connection.execute("UPDATE registry_version SET version = version + 1")
    ward.spo2(1, CRITICAL * 17, every_s=60)
    assert [(e.rule, e.priority, e.emergency, e.tier3) for e in physiological(ward)] == [
        ("WELLNESS-LOW", "low", False, False)
    ]
    assert {n.service_tier for n in ward.connection.execute("SELECT service_tier FROM notice").fetchall()} <= {2}


def test_low_values_that_nobody_may_trust_ask_to_check_patient_and_probe(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * 400, quality=int(Quality.QUESTIONABLE))
    assert [(e.rule, e.priority) for e in physiological(ward)] == [("QUESTIONABLE-LOW", "medium")]


def test_a_questionable_minute_among_good_ones_asks_nothing(ward: Ward) -> None:
    for_minutes(ward, 5, WELL)
    ward.spo2(1, CRITICAL * 60, quality=int(Quality.QUESTIONABLE))
    for_minutes(ward, 5, WELL)
    assert physiological(ward) == []


def test_an_amber_patient_reaches_the_family_doctor_and_nobody_else(ward: Ward) -> None:
    for_minutes(ward, 17, [9350])
    assert [(e.rule, e.priority, e.tier3) for e in physiological(ward)] == [("SPO2-AMBER", "medium", False)]
    assert {recipient for _, _, recipient in ward.notices()} == {"李医生"}


def test_amber_that_becomes_critical_alarms_anew(ward: Ward) -> None:
    for_minutes(ward, 17, [9350])
    close_to = physiological(ward)[0].episode_id
    ward.spo2(1, CRITICAL * FALL_S)
    (episode,) = physiological(ward)
    assert (episode.episode_id, episode.rule, episode.priority, episode.emergency) == (
        close_to,
        "SPO2-CRIT",
        "high",
        True,
    )

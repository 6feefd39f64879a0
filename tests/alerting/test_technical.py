"""Four silences and the other technical alarms: each within 10 s of its limit and not before, one for each cause.

(docs/technical-alarms.md names the test of each alarm.)
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from alerting.acting import ActError
from alerting.acts import acknowledge, decide, possible_acts
from alerting.desk import connect
from alerting.profile.file import standard_adult
from alerting.profile.technical import Family
from alerting.technical.look import look
from tests.alerting.scene import BATTERY, BEAT_S, SPO2, T0, Scene, after, heartbeat, within_10_s
from tests.alerting.streams import FALL_S
from tests.ingest.county import put

CRITICAL = 8400
STRANGER = "C0:00:00:00:00:99"
DEAF = {
    "adapters": [{"name": "hci0", "state": "scanning", "last_advertisement_age_s": 50.0}],
    "recovery": {"troubles": [{"cause": "silent_air", "adapter": "hci0", "for_s": 5.0}]},
}


@pytest.fixture
def scene(database: str) -> Iterator[Scene]:
    """A ward on TimescaleDB alone: what is shown here does not depend on the flavour."""
    with Scene(database) as made:
        yield made


@pytest.fixture
def any_scene(any_database: str) -> Iterator[Scene]:
    """A ward on each flavour of database."""
    with Scene(any_database) as made:
        yield made


def one(scene: Scene, rule: str) -> Any:
    """Give the only episode of a rule."""
    (episode,) = scene.technical(rule)
    return episode


def test_while_all_are_heard_there_is_no_technical_alarm(any_scene: Scene) -> None:
    any_scene.run(300)
    assert any_scene.episodes() == []


# ---- the four silences ----------------------------------------------------------------------------------------------


def test_a_gateways_silence_is_one_alarm_that_lists_its_devices(any_scene: Scene) -> None:
    scene = any_scene
    scene.run(30)
    beat_at = scene.dies("gw-1")
    scene.run(200)
    episode = one(scene, "TECH-GATEWAY")
    assert within_10_s([after(episode, beat_at, limit_s=180)])
    assert (episode.patient_id, episode.subject, episode.gateway_id) == (None, "gateway:gw-1", "gw-1")
    assert (episode.priority, episode.organisation_id, episode.evidence["why"]) == ("medium", 2, "no_heartbeat")
    scene.run(10)
    assert scene.open_rules() == ["TECH-GATEWAY"]
    covers = one(scene, "TECH-GATEWAY").evidence["covers"]
    assert {(each["patient_id"], each["device"]) for each in covers} == {
        (1, "C0:00:00:00:00:01"),
        (4, "C0:00:00:00:00:04"),
    }


def test_low_alarms_that_came_before_the_cause_was_known_are_closed_into_it(scene: Scene) -> None:
    scene.dies("gw-1")
    scene.run(120)
    assert scene.open_rules() == ["TECH-NODATA", "TECH-NODATA"]
    scene.run(60)
    assert scene.open_rules() == ["TECH-GATEWAY"]
    covered = scene.connection.execute("SELECT detail FROM episode_event WHERE kind = 'covered'").fetchall()
    assert [row.detail for row in covered] == [{"by": "gateway", "subject": "gateway:gw-1"}] * 2


def test_a_last_will_is_known_at_once_so_that_no_device_alarms_beside_it(scene: Scene) -> None:
    scene.dies("gw-1")
    scene.run(45)
    scene.says("gw-1", {"state": "offline"})
    will_at = scene.now
    scene.run(300)
    assert {e.rule for e in scene.technical()} == {"TECH-GATEWAY"}
    assert within_10_s([after(one(scene, "TECH-GATEWAY"), will_at, limit_s=60)])
    assert one(scene, "TECH-GATEWAY").evidence["why"] == "last_will"


def test_a_link_that_comes_back_within_a_minute_is_no_alarm(scene: Scene) -> None:
    scene.says("gw-1", {"state": "offline"})
    scene.beating.pop("gw-1")
    scene.run(50)
    scene.returns("gw-1")
    scene.run(60)
    assert scene.episodes() == []


def test_a_gateway_that_speaks_rarely_is_given_three_of_its_own_beats(scene: Scene) -> None:
    scene.beating["gw-3"] = heartbeat(heartbeat_s=120)
    scene.run(BEAT_S)
    beat_at = scene.dies("gw-3")
    scene.run(380)
    assert within_10_s([after(one(scene, "TECH-GATEWAY"), beat_at, limit_s=360)])


def test_a_gateways_alarm_ends_with_its_silence_and_its_devices_have_their_limit_again(scene: Scene) -> None:
    scene.dies("gw-1")
    scene.run(400)
    scene.returns("gw-1", 4)
    scene.run(10)
    assert one(scene, "TECH-GATEWAY").state == "closed"
    back_at = scene.now - timedelta(seconds=5)
    scene.run(105)
    assert scene.open_rules() == []
    scene.run(15)
    (left,) = [e for e in scene.technical() if e.state != "closed"]
    assert (left.patient_id, left.rule) == (1, "TECH-NODATA")
    assert within_10_s([after(left, back_at, limit_s=120)])


def test_a_patient_who_is_watched_alarms_beside_the_gateway_at_five_minutes(scene: Scene) -> None:
    scene.connection.execute("UPDATE patient SET service_tier = 3 WHERE patient_id = 4")
    scene.dies("gw-1")
    silent_from = scene.now
    scene.run(320)
    assert scene.open_rules() == ["TECH-GATEWAY", "TECH-NODATA-LONG"]
    long = one(scene, "TECH-NODATA-LONG")
    assert (long.patient_id, long.priority) == (4, "medium")
    assert within_10_s([after(long, silent_from, limit_s=300)])


def test_so_does_one_with_an_open_physiological_alarm(scene: Scene) -> None:
    scene.streaming.pop(1)
    scene.spo2(1, [CRITICAL] * FALL_S)
    scene.look()
    scene.dies("gw-1")
    silent_from = scene.now
    scene.run(320)
    long = one(scene, "TECH-NODATA-LONG")
    assert long.patient_id == 1
    assert within_10_s([after(long, silent_from, limit_s=300)])
    low = next(e for e in scene.episodes() if not e.technical)
    assert (low.condition, low.state != "closed") == ("unknown", True)


def test_a_device_that_was_silent_before_its_gateway_keeps_its_own_alarm(scene: Scene) -> None:
    scene.streaming.pop(1)
    scene.run(130)
    scene.dies("gw-1")
    scene.run(230)
    assert scene.open_rules() == ["TECH-GATEWAY", "TECH-NODATA"]
    assert [e.patient_id for e in scene.technical("TECH-NODATA") if e.state != "closed"] == [1]


def test_a_device_that_another_gateway_reads_too_is_not_explained_by_one(scene: Scene) -> None:
    scene.connection.execute("INSERT INTO claim (gateway_id, device_id, claimed_at) VALUES ('gw-2', 14, '2020-01-01')")
    scene.dies("gw-1")
    scene.run(230)
    assert [e.patient_id for e in scene.technical() if e.state != "closed" and e.patient_id] == [4]


def test_a_device_of_no_known_gateway_alarms_for_itself(scene: Scene) -> None:
    scene.connection.execute("UPDATE claim SET released_at = '2026-01-01' WHERE device_id = 11")
    scene.dies("gw-1")
    scene.run(230)
    assert [e.patient_id for e in scene.technical() if e.state != "closed" and e.patient_id] == [1]


def test_what_a_gateway_says_that_it_reads_counts_as_much_as_a_claim(scene: Scene) -> None:
    scene.connection.execute("UPDATE claim SET released_at = '2026-01-01' WHERE gateway_id = 'gw-1'")
    scene.beating["gw-1"] = heartbeat(devices=[{"address": f"C0:00:00:00:00:{n:02X}"} for n in (1, 4)])
    scene.run(BEAT_S)
    scene.dies("gw-1")
    scene.run(230)
    assert scene.open_rules() == ["TECH-GATEWAY"]


def test_an_adapters_silence_counts_from_the_last_advertisement(any_scene: Scene) -> None:
    scene = any_scene
    scene.streaming = {2: "gw-2"}
    scene.beating["gw-1"] = heartbeat(**DEAF)
    scene.run(BEAT_S)
    silent_from = scene._beat_at["gw-1"] - timedelta(seconds=50)
    scene.beating["gw-1"] = heartbeat(
        adapters=[{"name": "hci0", "state": "scanning", "last_advertisement_age_s": 110.0}],
        recovery={"troubles": [{"cause": "silent_air", "adapter": "hci0", "for_s": 65.0}]},
    )
    scene.run(BEAT_S)
    scene.beating["gw-1"] = heartbeat(
        adapters=[{"name": "hci0", "state": "scanning", "last_advertisement_age_s": 170.0}],
        recovery={"troubles": [{"cause": "silent_air", "adapter": "hci0", "for_s": 125.0}]},
    )
    scene.run(30)
    episode = one(scene, "TECH-ADAPTER")
    assert within_10_s([after(episode, silent_from, limit_s=180)])
    assert episode.evidence["troubles"] == ["silent_air hci0"]
    assert scene.open_rules() == ["TECH-ADAPTER"]
    assert {each["patient_id"] for each in one(scene, "TECH-ADAPTER").evidence["covers"]} == {1, 4}
    scene.beating["gw-1"] = heartbeat()
    scene.run(BEAT_S)
    assert one(scene, "TECH-ADAPTER").state == "closed"


@pytest.mark.parametrize(
    ("trouble", "adapter_state"),
    [
        ({"cause": "silent_air", "adapter": "hci0", "for_s": 200.0}, ("scanning", 3.0)),
        ({"cause": "adapter_off", "adapter": "hci0", "for_s": 200.0}, ("scanning", 3.0)),
        ({"cause": "silent_lonely_air", "adapter": "hci0", "for_s": 900.0}, ("scanning", 950.0)),
        ({"cause": "broker_gone", "adapter": None, "for_s": 900.0}, ("scanning", 1.0)),
    ],
)
def test_a_trouble_that_is_over_or_not_the_adapters_is_no_alarm(
    scene: Scene, trouble: dict[str, Any], adapter_state: tuple[str, float]
) -> None:
    state, heard_s = adapter_state
    scene.beating["gw-1"] = heartbeat(
        adapters=[{"name": "hci0", "state": state, "last_advertisement_age_s": heard_s}],
        recovery={"troubles": [trouble]},
    )
    scene.run(150)
    assert scene.episodes() == []


def test_what_a_silent_gateway_said_last_of_its_adapter_is_not_judged(scene: Scene) -> None:
    scene.beating["gw-3"] = heartbeat(**DEAF)
    scene.run(BEAT_S)
    scene.dies("gw-3")
    scene.run(125)
    scene.says("gw-3", {"state": "offline"})
    scene.run(120)
    assert "TECH-ADAPTER" not in scene.open_rules() or one(scene, "TECH-ADAPTER").condition == "present"
    assert "TECH-GATEWAY" in scene.open_rules()


def test_the_brokers_silence_is_one_alarm_for_all_gateways_and_devices(any_scene: Scene) -> None:
    scene = any_scene
    scene.broker = False
    gone_at = scene.now + timedelta(seconds=5)
    scene.run(290)
    assert scene.open_rules() == ["TECH-BROKER"]
    assert [e.rule for e in scene.technical()] == ["TECH-BROKER"]
    episode = one(scene, "TECH-BROKER")
    assert within_10_s([after(episode, gone_at, limit_s=60)])
    assert (episode.subject, episode.priority, episode.evidence["why"]) == ("centre:1", "high", "no_broker")
    covers = episode.evidence["covers"]
    assert {each["gateway"] for each in covers if "gateway" in each} == {"gw-1", "gw-2", "gw-3"}
    assert {each["patient_id"] for each in covers if "device" in each} == {1, 2, 4}


def test_a_high_technical_alarm_is_cleared_by_its_cause_and_closed_by_a_person(scene: Scene) -> None:
    scene.broker = False
    scene.run(90)
    scene.broker = True
    scene.run(10)
    episode = one(scene, "TECH-BROKER")
    assert (episode.state, episode.condition) == ("unack", "cleared")
    scene.broker = False
    scene.run(75)
    assert one(scene, "TECH-BROKER").condition == "present"
    assert scene.history().count("raised_anew") == 1
    scene.broker = True
    scene.run(10)
    act = {"episode_id": episode.episode_id, "person_id": 4, "channel": "test", "now": scene.now}
    acknowledge(scene.connection, **act)
    decide(scene.connection, disposition="close", note="", **act)
    assert one(scene, "TECH-BROKER").state == "closed"


def test_gateways_have_a_minute_to_speak_again_when_the_broker_is_back(scene: Scene) -> None:
    scene.broker = False
    scene.run(400)
    scene.dies("gw-2")
    scene.broker = True
    scene.run(5)
    back_at = scene.now
    scene.returns("gw-1", 1, 4)
    scene.run(80)
    assert scene.open_rules() == ["TECH-BROKER", "TECH-GATEWAY"]
    assert within_10_s([after(one(scene, "TECH-GATEWAY"), back_at, limit_s=60)])
    assert one(scene, "TECH-GATEWAY").gateway_id == "gw-2"


def test_ingests_silence_is_told_from_the_brokers(any_scene: Scene) -> None:
    scene = any_scene
    last_word = scene.now
    scene.ingest = False
    scene.run(290)
    assert [e.rule for e in scene.technical()] == ["TECH-INGEST"]
    assert within_10_s([after(one(scene, "TECH-INGEST"), last_word, limit_s=60)])
    scene.ingest = True
    scene.run(10)
    assert one(scene, "TECH-INGEST").condition == "cleared"


def test_a_broker_that_brings_nothing_of_anybody_is_told_before_the_first_gateway(scene: Scene) -> None:
    scene.run(20)
    for name in list(scene.beating):
        scene.dies(name)
    newest = scene.now
    scene.run(290)
    assert [e.rule for e in scene.technical()] == ["TECH-BROKER"]
    episode = one(scene, "TECH-BROKER")
    assert within_10_s([after(episode, newest, limit_s=90)])
    assert episode.evidence["why"] == "nothing_brought"


def test_gateways_that_speak_rarely_are_no_brokers_silence(scene: Scene) -> None:
    scene.streaming.clear()
    for name in scene.beating:
        scene.says(name, heartbeat(heartbeat_s=600))
    scene.beating.clear()
    beat_at = scene.now
    scene.run(880)
    assert scene.technical("TECH-BROKER", "TECH-GATEWAY") == []
    scene.run(30)
    assert within_10_s([after(one(scene, "TECH-BROKER"), beat_at, limit_s=900)])


def test_gateways_that_left_their_last_will_say_nothing_against_the_broker(scene: Scene) -> None:
    for name in list(scene.beating):
        scene.dies(name)
    scene.run(30)
    for name in ("gw-1", "gw-2", "gw-3"):
        scene.says(name, {"state": "offline"})
    scene.run(120)
    assert scene.open_rules() == ["TECH-GATEWAY"] * 3


def test_a_gateway_that_is_long_gone_makes_no_brokers_silence_of_anothers(scene: Scene) -> None:
    scene.dies("gw-1")
    scene.dies("gw-3")
    scene.run(600)
    beat_at = scene.dies("gw-2")
    scene.run(200)
    assert scene.open_rules() == ["TECH-GATEWAY"] * 3
    newest = max(scene.technical("TECH-GATEWAY"), key=lambda e: e.episode_id)
    assert within_10_s([after(newest, beat_at, limit_s=180)])


def test_nobody_is_expected_before_it_was_heard_for_the_first_time(database: str) -> None:
    with Scene(database) as scene:
        scene.connection.execute("TRUNCATE gateway_status, ingest_word")
        scene.beating.clear()
        scene.streaming.clear()
        scene.ingest = False
        scene.run(100)
        assert scene.episodes() == []


# ---- whom, and how it ends ------------------------------------------------------------------------------------------


def test_a_gateways_alarm_goes_to_operations_then_to_the_townships_duty(scene: Scene) -> None:
    scene.dies("gw-3")
    scene.run(1200)
    told = scene.connection.execute("SELECT recipient, step, title, body FROM notice ORDER BY notice_id").fetchall()
    assert [(n.recipient, n.step) for n in told] == [("运维", 0), ("值班", 1)]
    assert told[0].title == "【中 MEDIUM】Ward 3 gw-3 网关失联 / Gateway silent"
    assert "please acknowledge and have it seen to" in told[0].body


def test_without_operations_on_duty_the_township_is_told(scene: Scene) -> None:
    scene.connection.execute("DELETE FROM duty WHERE duty_role = 'operations'")
    scene.dies("gw-3")
    scene.run(200)
    gateway = {"episode_id": one(scene, "TECH-GATEWAY").episode_id}  # that nobody is on the roster is told beside it
    told = "SELECT recipient FROM notice WHERE episode_id = %(episode_id)s"
    assert [row.recipient for row in scene.connection.execute(told, gateway).fetchall()] == ["值班"]
    said = "SELECT kind FROM episode_event WHERE episode_id = %(episode_id)s"
    assert "nobody_on_duty" in {row.kind for row in scene.connection.execute(said, gateway).fetchall()}


def test_whoever_is_on_duty_takes_a_gateway_on_and_has_it_attended_to(scene: Scene) -> None:
    scene.dies("gw-3")
    scene.run(200)
    episode_id = one(scene, "TECH-GATEWAY").episode_id
    act = {"episode_id": episode_id, "person_id": 2, "channel": "test", "now": scene.now}
    who = {"episode_id": episode_id, "person_id": 2, "now": scene.now}
    assert possible_acts(scene.connection, **who) == ["acknowledge", "note"]
    acknowledge(scene.connection, **act)
    assert possible_acts(scene.connection, **who) == ["attend", "false_alarm", "close", "note"]
    with pytest.raises(ActError, match="refer"):
        decide(scene.connection, disposition="refer", note="", **act)
    decide(scene.connection, disposition="attend", note="on my way", **act)
    assert one(scene, "TECH-GATEWAY").state == "monitor"
    scene.returns("gw-3")
    scene.run(10)
    assert one(scene, "TECH-GATEWAY").state == "closed"


def test_closed_by_a_person_while_its_cause_goes_on_it_is_told_again_later_and_explains_nothing(scene: Scene) -> None:
    scene.dies("gw-1")
    scene.run(200)
    episode = one(scene, "TECH-GATEWAY")
    act = {"episode_id": episode.episode_id, "person_id": 4, "channel": "test", "now": scene.now}
    acknowledge(scene.connection, **act)
    decide(scene.connection, disposition="close", note="switched off", **act)
    scene.run(30)
    assert scene.open_rules() == ["TECH-NODATA", "TECH-NODATA"]
    scene.later(seconds=14400 - 60)
    assert len(scene.technical("TECH-GATEWAY")) == 1
    scene.run(60)
    assert [e.state for e in scene.technical("TECH-GATEWAY")] == ["closed", "unack"]


def test_a_gateway_that_leaves_the_registry_is_nobodys_trouble(scene: Scene) -> None:
    scene.dies("gw-3")
    scene.run(200)
    scene.connection.execute("DELETE FROM gateway WHERE gateway_id = 'gw-3'")
    scene.run(5)
    assert one(scene, "TECH-GATEWAY").state == "closed"


# ---- clock, backlog, battery, overdue measurements ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "skew_s", "why"),
    [
        ({"synchronised": False}, 0, "not_synchronised"),
        ({"synchronised": True}, 6, "clock_ahead"),
        ({"synchronised": True}, -121, "clock_behind"),
        ({"synchronised": True}, 5, None),
        ({"synchronised": True}, -120, None),
    ],
)
def test_a_clock_that_is_not_believed_is_told(
    scene: Scene, clock: dict[str, bool], skew_s: float, why: str | None
) -> None:
    sent_at = (scene.now + timedelta(seconds=skew_s)).isoformat()
    scene.says("gw-3", heartbeat(clock=clock) | {"sent_at": sent_at})
    scene.look()
    assert [e.evidence["why"] for e in scene.technical("TECH-CLOCK")] == ([why] if why else [])
    scene.says("gw-3", heartbeat() | {"sent_at": scene.now.isoformat()})
    scene.look()
    assert all(e.state == "closed" for e in scene.technical("TECH-CLOCK"))


def test_readings_dated_ahead_are_told_under_the_gateway_that_reads_their_device(scene: Scene) -> None:
    scene.now += timedelta(seconds=1)
    ahead_ms = round(scene.now.timestamp() * 1000) + 90_000
    message = scene._homes["gw-1"].message([(0, SPO2, 9700)], devices=["C0:00:00:00:00:01"], t0_ms=ahead_ms)
    put(scene._ingest, message, received_ms=round(scene.now.timestamp() * 1000), registry=scene._known)
    scene.look()
    episode = one(scene, "TECH-CLOCK")
    assert (episode.subject, episode.evidence["devices"]) == ("gateway:gw-1", ["C0:00:00:00:00:01"])
    scene.run(5)
    assert one(scene, "TECH-CLOCK").state == "closed"


def test_what_waits_in_a_gateway_for_a_quarter_of_an_hour_is_told(scene: Scene) -> None:
    scene.beating["gw-3"] = heartbeat(outbox={"depth": 90_000, "oldest_age_s": 850.0})
    scene._beat_at.pop("gw-3")
    scene.run(5)
    oldest_at = scene.now - timedelta(seconds=850)
    scene.run(55)
    assert within_10_s([after(one(scene, "TECH-BACKLOG"), oldest_at, limit_s=900)])
    scene.beating["gw-3"] = heartbeat()
    scene.run(BEAT_S)
    assert one(scene, "TECH-BACKLOG").state == "closed"


def test_a_battery_is_told_at_20_per_cent_and_louder_at_10_and_over_when_charged(any_scene: Scene) -> None:
    scene = any_scene
    seen = []
    for percent in (21, 20, 19, 11, 10, 9, 15, 29, 31):
        scene.now += timedelta(seconds=1)
        scene.reading(1, BATTERY, percent * 100)
        scene.look()
        seen.append([(e.rule, e.priority) for e in scene.technical() if e.state != "closed"])
    low, medium = [("TECH-BATTERY", "low")], [("TECH-BATTERY-CRITICAL", "medium")]
    assert seen == [[], low, low, low, medium, medium, medium, medium, []]
    told = scene.connection.execute("SELECT audience, step, body FROM notice ORDER BY notice_id").fetchall()
    assert [(n.audience, n.step) for n in told] == [("family_doctor", 0), ("household", 0)] * 2
    assert "charge" in told[1].body
    assert scene.history() == ["raised", "raised_anew", "cause_ended"]


def test_a_battery_that_is_not_heard_of_is_not_well(scene: Scene) -> None:
    scene.reading(1, BATTERY, 500)
    scene.look()
    scene.streaming.pop(1)
    scene.run(100)
    assert scene.open_rules() == ["TECH-BATTERY-CRITICAL"]
    scene.connection.execute("UPDATE binding SET valid = tstzrange(lower(valid), %s) WHERE device_id = 11", [scene.now])
    scene.run(5)
    assert scene.open_rules() == []


def test_a_measurement_is_overdue_an_hour_and_four_hours_after_it_was_due(scene: Scene) -> None:
    scene.reading(3, 4, 3700, acquisition=1)  # 20:00 in Shanghai: due at 4, so at 8 in the morning
    due_at = scene.now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    for limit_s, rule in ((3600, "TECH-SPOT-OVERDUE"), (14400, "TECH-SPOT-OVERDUE-LONG")):
        scene.now = due_at + timedelta(seconds=limit_s - 1)
        scene._word()
        scene.look()
        assert scene.technical(rule) == []
        scene.now += timedelta(seconds=6)
        scene.look()
        assert within_10_s([after(one(scene, rule), due_at, limit_s=limit_s)])
    told = [(n[1], n[2]) for n in scene.notices() if n[0] >= (due_at - T0).total_seconds()]
    assert (0, "b3") in told
    assert (2, "李医生") in told
    scene.reading(3, 4, 3700, acquisition=1)
    scene.look()
    assert [e.state for e in scene.technical("TECH-SPOT-OVERDUE-LONG")] == ["closed"]


def test_by_day_a_measurement_is_due_eight_hours_after_the_last(scene: Scene) -> None:
    scene.now = scene.now.replace(hour=1)  # 9 in the morning in Shanghai
    scene.reading(3, 4, 3700, acquisition=1)
    scene.now += timedelta(hours=9, seconds=-1)
    scene.look()
    assert scene.technical("TECH-SPOT-OVERDUE") == []
    scene.now += timedelta(seconds=1)
    scene.look()
    assert len(scene.technical("TECH-SPOT-OVERDUE")) == 1


def test_who_never_measured_is_not_overdue(scene: Scene) -> None:
    scene.now += timedelta(days=3)
    scene.look()
    assert scene.technical("TECH-SPOT-OVERDUE", "TECH-SPOT-OVERDUE-LONG") == []


# ---- readings of nobody ---------------------------------------------------------------------------------------------


def test_readings_of_an_unknown_device_are_told_once_per_gateway_until_they_are_lifted_or_gone(scene: Scene) -> None:
    for _ in range(4):
        scene.reading(STRANGER, SPO2, 9700, gateway_id="gw-3")
        scene.run(5)
    episode = one(scene, "TECH-UNKNOWN-DEVICE")
    assert (episode.subject, episode.priority, episode.evidence["devices"]) == ("gateway:gw-3", "low", [STRANGER])
    scene.later(hours=23, minutes=59)
    assert one(scene, "TECH-UNKNOWN-DEVICE").state != "closed"
    scene.connection.execute("UPDATE rejected SET readings = 0")
    scene.look()
    assert one(scene, "TECH-UNKNOWN-DEVICE").state == "closed"


def test_a_critical_stream_of_an_unbound_device_is_a_high_alarm_to_the_site(any_scene: Scene) -> None:
    scene = any_scene
    scene.connection.execute("UPDATE binding SET valid = tstzrange(lower(valid), %s) WHERE device_id = 12", [scene.now])
    scene.connection.execute("UPDATE registry_version SET version = version + 1")
    scene.streaming.pop(2)
    device = "C0:00:00:00:00:02"
    for _ in range(8):
        scene.readings(device, [(s * 1000, SPO2, CRITICAL) for s in range(5)], gateway_id="gw-2")
        scene.run(5)
    assert scene.technical("TECH-UNBOUND-LOW") == []
    for _ in range(FALL_S // 5):
        scene.readings(device, [(s * 1000, SPO2, CRITICAL) for s in range(5)], gateway_id="gw-2")
        scene.run(5)
    episode = one(scene, "TECH-UNBOUND-LOW")
    assert (episode.subject, episode.gateway_id, episode.priority) == (f"device:{device}", "gw-2", "high")
    assert (episode.evidence["device"], episode.evidence["gateways"]) == (device, ["gw-2"])
    assert episode.evidence["lowest"] == 84.0
    told = scene.connection.execute("SELECT recipient, title FROM notice WHERE episode_id = %s", [episode.episode_id])
    (notice,) = told.fetchall()
    assert notice.recipient == "值班"
    assert notice.title.startswith(f"【高 HIGH】Ward 2 {device} ")
    scene.run(600)
    assert one(scene, "TECH-UNBOUND-LOW").condition == "present"
    scene.connection.execute(
        "INSERT INTO binding (device_id, patient_id, valid) VALUES (12, 2, tstzrange(%s, NULL))", [scene.now]
    )
    scene.run(5)
    assert one(scene, "TECH-UNBOUND-LOW").condition == "cleared"
    assert one(scene, "TECH-UNBOUND-LOW").state != "closed"


def test_closed_by_a_person_and_low_again_later_is_a_new_alarm_with_its_own_beginning(scene: Scene) -> None:
    scene.reading(STRANGER, SPO2, CRITICAL, acquisition=1)
    scene.look()
    act = {"episode_id": one(scene, "TECH-UNBOUND-LOW").episode_id, "person_id": 2, "channel": "test", "now": scene.now}
    acknowledge(scene.connection, **act)
    decide(scene.connection, disposition="false_alarm", note="a visitor", **act)
    scene.later(hours=1)
    scene.reading(STRANGER, SPO2, CRITICAL, acquisition=1)
    scene.look()
    closed, again = scene.technical("TECH-UNBOUND-LOW")
    assert (closed.state, again.state, again.since) == ("closed", "unack", scene.now)


def test_one_critical_single_measurement_of_an_unknown_device_is_enough(scene: Scene) -> None:
    scene.reading(STRANGER, SPO2, 8801, acquisition=1)
    scene.run(5)
    assert scene.technical("TECH-UNBOUND-LOW") == []
    scene.reading(STRANGER, SPO2, 8800, acquisition=1)
    scene.run(5)
    assert one(scene, "TECH-UNBOUND-LOW").evidence["device"] == STRANGER


@pytest.mark.parametrize("how", ["old", "bad", "wellness"])
def test_what_is_old_or_badly_measured_or_a_consumers_is_no_critical_low(scene: Scene, how: str) -> None:
    if how == "wellness":
        scene.connection.execute("INSERT INTO device (key, kind, wellness) VALUES (%s, 'wearable', true)", [STRANGER])
        scene.connection.execute("UPDATE registry_version SET version = version + 1")
    before_ms = 301_000 if how == "old" else 0
    row: Any = (before_ms, SPO2, CRITICAL)
    if how == "bad":
        now_ms = round(scene.now.timestamp() * 1000)
        message = scene._homes["gw-1"].message(
            [(0, SPO2, CRITICAL, 2, 11)], devices=[STRANGER], acquisition=1, t0_ms=now_ms
        )
        put(scene._ingest, message, received_ms=now_ms, registry=scene._known)
    else:
        scene.readings(STRANGER, [row], acquisition=1)
    scene.run(5)
    assert scene.technical("TECH-UNBOUND-LOW") == []
    assert len(scene.technical("TECH-UNKNOWN-DEVICE")) == 1


# ---- each alone -----------------------------------------------------------------------------------------------------


def test_a_heartbeat_of_any_form_stops_no_other_alarm(scene: Scene) -> None:
    odd = {
        "heartbeat_s": "x", "sent_at": 7, "clock": [], "adapters": {"a": 1}, "recovery": {"troubles": [1, {}]},
        "outbox": {"oldest_age_s": "old"}, "devices": [{"address": 5}, None, "x"],
    }  # fmt: skip
    scene.beating["gw-3"] = heartbeat(**odd)
    scene.beating["gw-3"].pop("state")
    scene._beat_at.pop("gw-3")
    scene.dies("gw-1")
    scene.run(200)
    assert scene.open_rules() == ["TECH-GATEWAY"]


def test_two_workers_that_look_at_once_raise_once(scene: Scene) -> None:
    for name in ("gw-1", "gw-3"):
        scene.dies(name)
    scene.run(115)
    scene.reading(2, BATTERY, 500, gateway_id="gw-2")
    scene.now += timedelta(seconds=30)
    scene._word()
    desks = [scene.desk(), *(replace(scene.desk(), connection=connect(scene.dsn, "other")) for _ in range(3))]
    with ThreadPoolExecutor(len(desks)) as pool:
        raised = sum(pool.map(look, desks))
    for desk in desks[1:]:
        desk.connection.close()
    rules = ["TECH-BATTERY-CRITICAL", "TECH-GATEWAY", "TECH-GATEWAY"]
    assert ([rule for rule in scene.open_rules() if rule in rules], raised) == (rules, len(scene.technical()))


def test_every_family_has_its_table_with_sources_in_the_profile() -> None:
    body = standard_adult()
    assert all(f"[technical.{family}]" in body and f"[technical.{family}.source]" in body for family in Family)

"""A silence stops pages until an instant, and nothing else: what is unanswered then rings; what is high always does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerting.acts import acknowledge, decide
from alerting.escalation import tick
from alerting.profile.profile import Consequence, Priority
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from alerting.silences import LONGEST, MAY_SILENCE, Obstacle, SilenceRefused, Target, Wish, grant, offered_hours
from alerting.silencing import lift_silence, set_silence
from alerting.trace import trace
from tests.alerting.scene import Scene
from tests.alerting.ward import Ward

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEEPER = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels) VALUES
    (5, 'ma', '马红', 'Ma Hong', 1, 'coordinator', 2, '{}'), (6, 'nurse', '护士', 'Nurse', 2, 'nurse', 2, '{}')
"""
DOCTOR, KEEPS, NURSE = 1, 5, 6


@pytest.fixture
def ward(any_database: str) -> Iterator[Ward]:
    with Ward(any_database) as made:
        made.connection.execute(KEEPER)
        yield made


@pytest.fixture
def scene(database: str) -> Iterator[Scene]:
    with Scene(database) as made:
        made.connection.execute(KEEPER)
        yield made


def rings(ward: Ward, rule: str, patient: int = 1) -> int:
    """Let a rule raise, as the engine does; gives the episode."""
    desk = ward.desk()
    raised = Raise(
        patient_id=patient,
        rule=rule,
        basis=Basis.SUSTAINED,
        since=ward.now,
        raised_at=ward.now,
        key=f"{patient}:{rule}:{ward.now.isoformat()}",
    )
    with ward.connection.transaction():
        episode_id = record_raise(desk, raised)
    assert episode_id is not None
    return episode_id


def silence(ward: Ward, rule: str, *, hours: float = 4, by: int = DOCTOR, **about: Any) -> int:
    wish = Wish(
        **{
            "target": Target.PATIENT,
            "name": "p1",
            "rule": rule,
            "reason": "known, treated",
            "until": ward.now + hours * HOUR,
        }
        | about
    )
    return set_silence(ward.connection, wish, person_id=by, now=ward.now, link="http://console")


def refused(ward: Ward, rule: str, **about: Any) -> Obstacle:
    with pytest.raises(SilenceRefused) as said:
        silence(ward, rule, **about)
    assert str(said.value)
    return said.value.obstacle


def goes(ward: Ward, **length: float) -> None:
    ward.now += timedelta(**length)
    tick(ward.desk())


def standing(ward: Ward) -> list[tuple[str, str, int]]:
    return [(e.rule, e.state, e.step) for e in ward.episodes()]


# ---- what holds back, and what does not -----------------------------------------------------------------------------


def test_it_stops_pages_and_no_deadline_and_at_its_end_what_is_unanswered_rings_from_the_beginning(ward: Ward) -> None:
    silence(ward, "HR-FAST")
    goes(ward, minutes=1)
    rings(ward, "HR-FAST")
    for _ in range(6):
        goes(ward, minutes=15)
    assert (standing(ward), ward.notices()) == ([("HR-FAST", "exhausted", 3)], [])
    assert ward.history()[:2] == ["silenced", "raised"] or ward.history()[:2] == ["raised", "silenced"]
    goes(ward, hours=3)
    assert standing(ward) == [("HR-FAST", "unack", 0)]
    assert [(tier, who) for _, tier, who in ward.notices()] == [(2, "李医生")]
    goes(ward, minutes=15)
    assert [who for _, _, who in ward.notices()] == ["李医生", "值班"]


def test_one_that_is_open_already_is_held_back_from_then_on(ward: Ward) -> None:
    rings(ward, "HR-FAST")
    goes(ward, minutes=1)
    silence(ward, "HR-FAST")
    goes(ward, minutes=40)
    assert [who for _, _, who in ward.notices()] == ["李医生"]
    assert ward.history().count("silenced") == 1


def test_lifted_it_rings_at_once_with_a_link(ward: Ward) -> None:
    number = silence(ward, "HR-FAST")
    goes(ward, minutes=1)
    rings(ward, "HR-FAST")
    goes(ward, minutes=5)
    lift_silence(ward.connection, number, person_id=DOCTOR, now=ward.now, link="http://console")
    (notice,) = ward.connection.execute("SELECT recipient, body FROM notice").fetchall()
    assert (notice.recipient, "http://console/episodes/1" in notice.body) == ("李医生", True)
    with pytest.raises(SilenceRefused) as said:
        lift_silence(ward.connection, number, person_id=DOCTOR, now=ward.now)
    assert said.value.obstacle is Obstacle.ENDED


def test_what_was_taken_on_meanwhile_does_not_ring_at_its_end(ward: Ward) -> None:
    silence(ward, "HR-FAST", hours=0.2)
    goes(ward, minutes=1)
    episode_id = rings(ward, "HR-FAST")
    acknowledge(ward.connection, episode_id=episode_id, person_id=DOCTOR, channel="test", now=ward.now)
    goes(ward, minutes=12)
    assert (standing(ward), ward.notices()) == ([("HR-FAST", "ack", 0)], [])
    assert ward.history()[-1] == "silence_ended"


def test_a_worse_rule_rings_at_once_and_once(ward: Ward) -> None:
    silence(ward, "HR-FAST")
    goes(ward, minutes=1)
    rings(ward, "HR-FAST")
    assert ward.notices() == []
    goes(ward, minutes=1)
    rings(ward, "HR-HIGH")
    told = ward.notices()
    assert {who for _, _, who in told} == {"李医生", "b1"}
    goes(ward, seconds=1)
    assert (ward.notices(), standing(ward)) == (told, [("HR-HIGH", "unack", 0)])


def test_another_rule_of_the_family_that_begins_to_hold_rings(ward: Ward) -> None:
    silence(ward, "SPO2-AMBER")
    goes(ward, minutes=1)
    rings(ward, "SPO2-AMBER")
    goes(ward, minutes=1)
    rings(ward, "SPO2-DROP")
    goes(ward, seconds=1)
    assert [who for _, _, who in ward.notices()] == ["李医生"]


def test_a_rule_that_has_become_more_urgent_for_the_patient_rings(ward: Ward) -> None:
    silence(ward, "FEVER-HIGH", hours=72)
    ward.connection.execute("UPDATE patient SET risk_colour = 'red' WHERE patient_id = 1")
    goes(ward, minutes=1)
    rings(ward, "FEVER-HIGH")
    assert [who for _, _, who in ward.notices()] == ["李医生"]


def test_other_patients_and_other_rules_ring(ward: Ward) -> None:
    silence(ward, "HR-FAST")
    goes(ward, minutes=1)
    rings(ward, "HR-FAST", 2)
    rings(ward, "HYPOTHERM", 1)
    assert len(ward.notices()) == 2


def test_handed_on_by_a_person_it_is_the_countys_and_does_not_come_back(ward: Ward) -> None:
    silence(ward, "HR-FAST")
    goes(ward, minutes=1)
    episode_id = rings(ward, "HR-FAST")
    goes(ward, minutes=1)
    about: dict[str, Any] = {"episode_id": episode_id, "person_id": DOCTOR, "channel": "test", "now": ward.now}
    acknowledge(ward.connection, **about)
    decide(ward.connection, disposition="refer", note="", **about)
    goes(ward, seconds=1)
    assert standing(ward) == [("HR-FAST", "t3_unack", 2)]
    assert [who for _, _, who in ward.notices()] == ["王主任"]


def test_of_two_the_second_goes_on_where_the_first_ends(ward: Ward) -> None:
    silence(ward, "HR-FAST", hours=1)
    silence(ward, "HR-FAST", hours=3)
    goes(ward, minutes=1)
    rings(ward, "HR-FAST")
    goes(ward, hours=2)
    assert ward.notices() == []
    goes(ward, hours=1)
    assert len(ward.notices()) == 1


# ---- technical ones -------------------------------------------------------------------------------------------------


def test_a_planned_power_cut_pages_nobody_but_for_who_is_watched(scene: Scene) -> None:
    scene.connection.execute("UPDATE patient SET service_tier = 3 WHERE patient_id = 4")
    at = scene.now
    begin, end = at + timedelta(minutes=10), at + timedelta(minutes=40)
    silence(scene, "", target=Target.ORGANISATION, name="town", by=KEEPS, since=begin, until=end)
    scene.run(610)
    scene.dies("gw-1")
    scene.run(400)
    assert scene.open_rules() == ["TECH-GATEWAY", "TECH-NODATA-LONG"]
    told = scene.connection.execute("SELECT e.rule FROM notice n JOIN episode e USING (episode_id)").fetchall()
    assert {row.rule for row in told} == {"TECH-NODATA-LONG"}
    while scene.now < end:
        scene.look()
        scene.now += timedelta(minutes=1)
    scene.look()
    told = scene.connection.execute(
        "SELECT n.recipient FROM notice n JOIN episode e USING (episode_id) WHERE e.rule = 'TECH-GATEWAY'"
    ).fetchall()
    assert [row.recipient for row in told] == ["运维"]


def test_one_gateways_silence_leaves_others_ring(scene: Scene) -> None:
    silence(scene, "TECH-GATEWAY", target=Target.GATEWAY, name="gw-3", by=KEEPS, hours=100)
    scene.dies("gw-3")
    scene.dies("gw-2")
    scene.run(200)
    told = scene.connection.execute(
        "SELECT DISTINCT e.subject FROM notice n JOIN episode e USING (episode_id) WHERE e.family = 'gateway'"
    ).fetchall()
    assert (scene.open_rules().count("TECH-GATEWAY"), [row.subject for row in told]) == (2, ["gateway:gw-2"])


def test_of_a_device_another_device_of_the_patient_rings(scene: Scene) -> None:
    silence(scene, "", target=Target.DEVICE, name="C0:00:00:00:00:01", by=KEEPS, hours=100)
    scene.streaming.pop(1)
    scene.streaming.pop(2)
    scene.run(130)
    told = scene.connection.execute(
        "SELECT DISTINCT e.patient_id FROM notice n JOIN episode e USING (episode_id)"
    ).fetchall()
    assert (scene.open_rules(), [row.patient_id for row in told]) == (["TECH-NODATA"] * 2, [2])


def test_the_centres_silence_rings_whatever_is_silenced(scene: Scene) -> None:
    silence(scene, "", target=Target.ORGANISATION, name="county", by=KEEPS, hours=24)
    scene.ingest = False
    scene.run(70)
    assert scene.open_rules() == ["TECH-INGEST"]
    assert [who for _, _, who in scene.notices()] == ["运维"]


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "about", "obstacle"),
    [
        ("SPO2-REFER", {}, Obstacle.HIGH),
        ("SPO2-CRIT", {}, Obstacle.HIGH),
        ("TECH-INGEST", {"target": Target.ORGANISATION, "name": "county", "by": KEEPS}, Obstacle.HIGH),
        ("FEVER-PERSIST", {}, Obstacle.OPENS_CASE),
        ("HR-SLEEPY", {}, Obstacle.UNKNOWN_RULE),
        ("HR-FAST", {"name": "p99"}, Obstacle.NO_TARGET),
        ("HR-FAST", {"target": Target.ORGANISATION, "name": "town", "by": KEEPS}, Obstacle.NOT_OF_THIS),
        ("HR-FAST", {"by": KEEPS}, Obstacle.NOT_YOURS),
        ("TECH-BATTERY", {"by": NURSE}, Obstacle.NOT_YOURS),
        ("", {"target": Target.ORGANISATION, "name": "town", "by": DOCTOR}, Obstacle.NOT_YOURS),
        ("HR-FAST", {"reason": "  "}, Obstacle.NO_REASON),
        ("HR-FAST", {"hours": -1}, Obstacle.BACKWARDS),
        ("HR-FAST", {"hours": 12.1}, Obstacle.TOO_LONG),
        ("FEVER-HIGH", {"hours": 72.1}, Obstacle.TOO_LONG),
        ("TECH-BATTERY", {"hours": 168.1}, Obstacle.TOO_LONG),
        ("TECH-BATTERY", {"hours": 1000, "since": NOW + timedelta(days=40)}, Obstacle.TOO_FAR),
    ],
)
def test_what_can_not_be_silenced_is_refused_by_name(
    ward: Ward, rule: str, about: dict[str, Any], obstacle: Obstacle
) -> None:
    assert refused(ward, rule, **about) is obstacle
    assert ward.connection.execute("SELECT FROM alarm_silence").fetchall() == []


@pytest.mark.parametrize(("rule", "hours"), [("HR-FAST", 12), ("FEVER-HIGH", 72), ("TECH-BATTERY", 168)])
def test_up_to_its_bound_it_may_be(ward: Ward, rule: str, hours: int) -> None:
    assert silence(ward, rule, hours=hours) == 1


def consequence(priority: Priority, *, technical: bool = False) -> Consequence:
    return Consequence(rule="R", family="r", priority=priority, emergency=False, tier3=False, technical=technical)


@pytest.mark.parametrize("target", Target)
@pytest.mark.parametrize("technical", [False, True])
@pytest.mark.parametrize("role", sorted({role for roles in MAY_SILENCE.values() for role in roles}))
def test_nothing_high_is_ever_granted(target: Target, technical: bool, role: str) -> None:
    wish = Wish(target=target, name="x", rule="R", until=NOW + HOUR, reason="why")
    high = consequence(Priority.HIGH, technical=technical)
    with pytest.raises(SilenceRefused):
        grant(wish, high, role=role, now=NOW)
    assert offered_hours(target, high, role) == ()
    assert Priority.HIGH not in LONGEST


def test_whoever_is_offered_a_length_is_granted_it() -> None:
    for (target, technical), roles in MAY_SILENCE.items():
        for role in sorted(roles):
            for priority in (Priority.LOW, Priority.MEDIUM):
                meant = consequence(priority, technical=technical)
                for hours in offered_hours(target, meant, role):
                    wish = Wish(target=target, name="x", rule="R", until=NOW + hours * HOUR, reason="why")
                    assert grant(wish, meant, role=role, now=NOW).until == NOW + hours * HOUR


# ---- what is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alarm_silence SET until = until + INTERVAL '1 hour'",
        "UPDATE alarm_silence SET reason = 'another'",
        "DELETE FROM alarm_silence",
    ],
)
def test_a_silence_is_a_record(ward: Ward, statement: str) -> None:
    silence(ward, "HR-FAST")
    with pytest.raises(psycopg.errors.RaiseException, match="silence 1 is a record"):
        ward.connection.execute(statement.encode())


def test_the_database_itself_takes_no_high_one(ward: Ward) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        ward.connection.execute(
            "INSERT INTO alarm_silence (patient_id, organisation_id, technical, rule, priority, reason, set_by, set_at,"
            " since, until) VALUES (1, 2, false, 'SPO2-REFER', 'high', 'x', 1, now(), now(), now() + INTERVAL '1 hour')"
        )


def test_a_trace_says_why_nothing_was_sent(ward: Ward) -> None:
    silence(ward, "HR-FAST")
    goes(ward, minutes=1)
    episode_id = rings(ward, "HR-FAST")
    found = trace(ward.desk(), episode_id)
    assert found is not None
    assert found.silence == "silenced until 2026-03-01 16:00:00 UTC by 李医生: known, treated (silence 1)"
    goes(ward, hours=4)
    found = trace(ward.desk(), episode_id)
    assert found is not None
    assert found.silence == ""

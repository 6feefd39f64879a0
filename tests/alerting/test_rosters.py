"""A hole of the roster is told a day ahead, once for each roster, and escalation goes past it to who is there."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from alerting.episodes import EVERYBODY
from alerting.technical.look import look
from care.changing_duty import override, revoke, take_leave
from care.duty_changes import Leave, Override, Span
from care.registry import DutyRole
from tests.alerting.streams import FALL_S
from tests.alerting.ward import T0, Ward

HOUR = timedelta(hours=1)
KEEPER = """
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels) VALUES
    (5, 'keeper', '协调员', 'Coordinator', 1, 'coordinator', 2, '{json://localhost:1/keeper}'),
    (6, 'chen', '陈医生', 'Dr Chen', 2, 'family_doctor', 2, '{json://localhost:1/chen}');
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role, parent_id) VALUES
    (3, 'village-1', '一村', 'First Village', 'village_room', 2),
    (4, 'village-2', '二村', 'Second Village', 'village_room', 2);
UPDATE patient SET organisation_id = 3 WHERE patient_id = 2;
UPDATE patient SET organisation_id = 4 WHERE patient_id = 3;
"""
CRITICAL = 8400


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    """A ward with two villages and a coordinator, on TimescaleDB alone."""
    with Ward(database) as made:
        made.connection.execute(KEEPER.encode())
        yield made


def alarms(ward: Ward) -> list[Any]:
    return [each for each in ward.episodes() if each.rule == "TECH-ROSTER" and each.state != "closed"]


def until(ward: Ward, hours: float, role: str = "township_duty") -> None:
    """Let the file's roster of a duty end so many hours after T0."""
    ward.connection.execute(
        "UPDATE duty SET valid = tstzrange(lower(valid), %s) WHERE duty_role = %s", [T0 + hours * HOUR, role]
    )


def span(begin_h: float, end_h: float) -> Span:
    return Span(since=T0 + begin_h * HOUR, until=T0 + end_h * HOUR)


def fill(ward: Ward, begin_h: float, end_h: float) -> int:
    wish = Override(organisation="town", duty_role=DutyRole.TOWNSHIP_DUTY, person="chen", span=span(begin_h, end_h))
    return override(ward.connection, wish, said_by=5, now=ward.now)


def test_a_hole_of_the_roster_is_told_a_day_ahead_and_ends_when_it_is_filled(ward: Ward) -> None:
    until(ward, 25)
    look(ward.desk())
    assert alarms(ward) == []
    ward.now = T0 + HOUR + timedelta(seconds=1)
    assert look(ward.desk()) == 1
    (alarm,) = alarms(ward)
    assert (alarm.subject, alarm.organisation_id, alarm.priority) == ("roster:2:township_duty", 2, "medium")
    assert datetime.fromisoformat(alarm.evidence["begins_at"]) == T0 + 25 * HOUR
    assert alarm.evidence["lacking"] == [f"{place} township_duty" for place in ("town", "village-1", "village-2")]
    rows = ward.connection.execute("SELECT recipient, title, body FROM notice ORDER BY recipient_id").fetchall()
    assert [row.recipient for row in rows] == ["运维", "协调员"]
    assert "镇 乡镇值班 township duty" in rows[0].title
    assert "03-02 21:00起无人担任乡镇值班" in rows[0].body  # 13:00 UTC, in the town's own time
    assert look(ward.desk()) == 0
    fill(ward, 25, 60)
    assert look(ward.desk()) == 0
    assert alarms(ward) == []
    assert ward.history()[-1] == "cause_ended"


def test_the_alarm_names_the_next_hole_and_comes_again_when_a_change_is_revoked(ward: Ward) -> None:
    until(ward, 2)
    look(ward.desk())
    filled = fill(ward, 2, 5)
    look(ward.desk())
    (alarm,) = alarms(ward)
    assert datetime.fromisoformat(alarm.evidence["begins_at"]) == T0 + 5 * HOUR
    fill(ward, 5, 40)
    look(ward.desk())
    assert alarms(ward) == []
    ward.now += timedelta(seconds=5)
    revoke(ward.connection, filled, person_id=5, now=ward.now)
    assert look(ward.desk()) == 1
    (alarm,) = alarms(ward)
    assert datetime.fromisoformat(alarm.evidence["begins_at"]) == T0 + 2 * HOUR
    ward.now = T0 + 3 * HOUR  # the hole has begun: what is said of it stays
    look(ward.desk())
    (alarm,) = alarms(ward)
    assert datetime.fromisoformat(alarm.evidence["begins_at"]) == T0 + 2 * HOUR


def test_leave_makes_a_hole_too(ward: Ward) -> None:
    take_leave(ward.connection, Leave(person="duty", span=span(3, 9)), said_by=2, now=ward.now)
    assert look(ward.desk()) == 1
    (alarm,) = alarms(ward)
    assert alarm.evidence["duty"] == "township_duty"


def test_each_duty_is_an_alarm_of_its_own(ward: Ward) -> None:
    until(ward, 2)
    until(ward, 4, "county_expert")
    until(ward, 6, "operations")
    assert look(ward.desk()) == 3
    assert sorted(each.subject for each in alarms(ward)) == [
        "roster:1:county_expert", "roster:1:operations", "roster:2:township_duty",
    ]  # fmt: skip


def looked_at(ward: Ward) -> Any:
    row: Any = ward.connection.execute("SELECT looked_at FROM roster_look").fetchone()
    return row.looked_at


def test_rosters_that_nobody_has_changed_are_looked_at_once_a_minute(ward: Ward) -> None:
    until(ward, 24.5)
    looks = []
    for _ in range(25):
        look(ward.desk())
        looks.append(looked_at(ward))
        ward.now += timedelta(seconds=5)
    assert sorted(set(looks)) == [T0, T0 + timedelta(minutes=1), T0 + timedelta(minutes=2)]
    ward.now = T0 + HOUR / 2 + timedelta(minutes=1)
    look(ward.desk())
    assert len(alarms(ward)) == 1  # a day ahead by time alone


MOVES = {
    "an override": lambda ward: fill(ward, 30, 31),
    "the file": lambda ward: until(ward, 2),
    "a duty taken out of the file": lambda ward: ward.connection.execute(
        "DELETE FROM duty WHERE duty_role = 'operations'"
    ),
    "another organisation above": lambda ward: ward.connection.execute(
        "UPDATE organisation SET parent_id = 1 WHERE key = 'village-1'"
    ),
    "a patient who moves": lambda ward: ward.connection.execute(
        "UPDATE patient SET organisation_id = 3 WHERE patient_id = 1"
    ),
}


@pytest.mark.parametrize("move", MOVES)
def test_what_changes_who_is_on_duty_is_looked_at_at_the_next_look(ward: Ward, move: str) -> None:
    look(ward.desk())
    ward.now += timedelta(seconds=5)
    MOVES[move](ward)
    look(ward.desk())
    assert looked_at(ward) == ward.now


def test_a_change_that_nobody_has_committed_is_not_lost(ward: Ward) -> None:
    """The look falls between the change and its commit: the next one finds it."""
    look(ward.desk())
    with psycopg.connect(ward.dsn) as other:
        other.execute(
            "UPDATE duty SET valid = tstzrange(lower(valid), %s) WHERE duty_role = 'township_duty'", [T0 + HOUR]
        )
        ward.now += timedelta(seconds=5)
        assert look(ward.desk()) == 0
        other.commit()
    ward.now += timedelta(seconds=5)
    assert look(ward.desk()) == 1


def test_where_nobody_was_ever_on_duty_the_county_is_told_once(ward: Ward) -> None:
    ward.connection.execute("DELETE FROM duty")
    assert look(ward.desk()) == 1
    (alarm,) = alarms(ward)
    assert (alarm.subject, alarm.organisation_id, alarm.evidence["why"]) == ("roster:1", 1, "never_rostered")
    assert alarm.evidence["places"] == 9
    assert [row.recipient for row in ward.connection.execute("SELECT recipient FROM notice").fetchall()] == ["协调员"]
    assert look(ward.desk()) == 0


def test_who_keeps_the_roster_and_is_away_is_not_told_and_somebody_else_is(ward: Ward) -> None:
    until(ward, 2)
    take_leave(ward.connection, Leave(person="keeper", span=span(0, 9)), said_by=5, now=ward.now)
    take_leave(ward.connection, Leave(person="ops", span=span(0, 90)), said_by=4, now=ward.now)
    look(ward.desk())
    told = {(row.episode_id, row.recipient) for row in ward.connection.execute("SELECT * FROM notice").fetchall()}
    assert {name for _, name in told} == {"值班", "王主任"}  # of the town's hole, and of the county's operations
    assert "nobody_on_duty" in ward.history()


def test_escalation_goes_past_a_hole_to_who_is_there(ward: Ward) -> None:
    """Nobody is on township duty, and the family doctor is away without a substitute: the county is paged at once."""
    until(ward, 0)
    take_leave(ward.connection, Leave(person="li", span=span(0, 9)), said_by=1, now=ward.now)
    ward.spo2(1, [9700] * 60 + [CRITICAL] * FALL_S)
    (episode,) = [each for each in ward.episodes() if not each.technical]
    rows = ward.connection.execute(
        "SELECT recipient FROM notice WHERE episode_id = %s AND service_tier > 0", [episode.episode_id]
    ).fetchall()
    assert [row.recipient for row in rows] == ["王主任"]
    (said,) = [
        row.detail
        for row in ward.connection.execute("SELECT kind, detail FROM episode_event").fetchall()
        if row.kind == "nobody_on_duty"
    ]
    assert said == {"wanted": "family_doctor", "paged_instead": "county_expert"}
    ward.pass_time(seconds=700)
    reached = {
        row.recipient
        for row in ward.connection.execute(
            "SELECT recipient FROM notice WHERE episode_id = %s AND service_tier > 0", [episode.episode_id]
        ).fetchall()
    }
    assert reached == {"王主任", "运维"}
    assert len(EVERYBODY) == 4


def test_a_substitute_is_paged_as_the_family_doctor(ward: Ward) -> None:
    away = Leave(person="li", span=span(0, 9), substitute="chen")
    take_leave(ward.connection, away, said_by=1, now=ward.now)
    ward.spo2(1, [9700] * 60 + [CRITICAL] * FALL_S)
    rows = ward.connection.execute("SELECT recipient, audience FROM notice WHERE service_tier > 0").fetchall()
    assert [(row.recipient, row.audience) for row in rows] == [("陈医生", "family_doctor")]
    assert "nobody_on_duty" not in ward.history()

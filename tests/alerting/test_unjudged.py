"""One patient whose judging fails stops nobody else's, is told of, and is judged again until it goes well."""

from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from alerting.isolation import isolated
from alerting.judging.limits import Limits
from alerting.judging.unjudged import RETRY_AFTER
from alerting.sweep import sweep
from ingest.feed import BatchKind
from ingest.store.log import append
from tests.alerting.spot.home import CLIP, CUFF, SpotHome
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward
from vitals.signals import Signal

CRITICAL, SAME_PARTITION = 8000, 33
NEIGHBOUR = """
INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id,
                     risk_colour, service_tier) VALUES (33, 'p33', 'P33', 'P33', 'b33', '1950-01-01', 'female', 2, 1,
                     'yellow', 2);
INSERT INTO device (device_id, key, kind, expected_every_s) VALUES (43, 'C0:00:00:00:00:21', 'oximeter', 1);
INSERT INTO binding (device_id, patient_id, valid) VALUES (43, 33, '[2020-01-01 00:00+00,)');
UPDATE registry_version SET version = version + 1;
"""
POISON = """
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.patient_id = {patient} AND NOT NEW.technical THEN RAISE 'this row is poison'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER poison BEFORE INSERT ON episode FOR EACH ROW EXECUTE FUNCTION poison();
"""


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    """Patients 1 and 33 share a partition."""
    with Ward(database) as made:
        made.connection.execute(NEIGHBOUR)
        yield made


@pytest.fixture
def home(database: str) -> Iterator[SpotHome]:
    """Patient 3 measures singly; 35 is in the same partition."""
    with SpotHome(database) as made:
        yield made


Logs = list[MutableMapping[str, Any]]


@pytest.fixture(autouse=True)
def logs() -> Iterator[Logs]:
    """What is logged, as it is told."""
    with capture_logs() as said:
        yield said


def poison(ward: Ward, patient: int) -> None:
    """Let the database refuse every episode of a patient."""
    ward.connection.execute(POISON.format(patient=patient).encode())


def heal(ward: Ward) -> None:
    ward.connection.execute("DROP TRIGGER poison ON episode")


def raised(ward: Ward) -> list[tuple[int, str]]:
    return [(e.patient_id, e.rule) for e in ward.episodes() if not e.technical]


def unjudged(ward: Ward) -> list[int]:
    return [row.patient_id for row in ward.connection.execute("SELECT patient_id FROM unjudged").fetchall()]


def both_fall(ward: Ward) -> None:
    ward.spo2(1, [CRITICAL] * FALL_S, begin=ward.now, judged=False)
    ward.spo2(SAME_PARTITION, [CRITICAL] * FALL_S, judged=False)
    ward.judge.catch_up(ward.desk)


def test_a_patient_whose_alarm_can_not_be_recorded_stops_nobody_of_his_partition(ward: Ward, logs: Logs) -> None:
    poison(ward, 1)
    both_fall(ward)
    assert raised(ward) == [(SAME_PARTITION, "SPO2-CRIT")]
    assert unjudged(ward) == [1]
    assert [(each["event"], each["patient_id"]) for each in logs if each["log_level"] == "error"] == [
        ("patient_unjudged", 1)
    ]


def test_he_is_judged_again_without_anything_new_and_then_forgotten(ward: Ward) -> None:
    poison(ward, 1)
    both_fall(ward)
    ward.now += RETRY_AFTER
    ward.judge.catch_up(ward.desk)
    row = ward.connection.execute("SELECT failures, error FROM unjudged").fetchone()
    assert row is not None
    assert (row.failures, "this row is poison" in row.error) == (2, True)
    heal(ward)
    ward.judge.catch_up(ward.desk)
    assert unjudged(ward) == [1]
    ward.now += RETRY_AFTER
    ward.judge.catch_up(ward.desk)
    assert (1, "SPO2-CRIT") in raised(ward)
    assert unjudged(ward) == []


def test_what_goes_on_failing_as_it_comes_puts_off_no_other_try(ward: Ward) -> None:
    poison(ward, 1)
    both_fall(ward)
    heal(ward)
    for _ in range(3):
        ward.now += RETRY_AFTER / 3
        with isolated(ward.desk(), 1, since=ward.now):
            raise ValueError("his beats can not be judged either")
    ward.judge.catch_up(ward.desk)
    assert unjudged(ward) == []


def test_he_is_judged_again_by_whoever_takes_the_partition_over(ward: Ward) -> None:
    poison(ward, 1)
    both_fall(ward)
    heal(ward)
    ward.restarted()
    ward.now += RETRY_AFTER
    ward.judge.catch_up(ward.desk)
    assert sorted(raised(ward)) == [(1, "SPO2-CRIT"), (SAME_PARTITION, "SPO2-CRIT")]


def test_it_is_a_high_technical_alarm_after_a_minute_until_it_goes_well(ward: Ward) -> None:
    poison(ward, 1)
    both_fall(ward)
    sweep(ward.desk())
    assert [e.rule for e in ward.episodes() if e.rule == "TECH-UNJUDGED"] == []
    ward.now += timedelta(seconds=60)
    sweep(ward.desk())
    (alarm,) = [e for e in ward.episodes() if e.rule == "TECH-UNJUDGED"]
    assert (alarm.patient_id, alarm.priority, alarm.condition) == (1, "high", "present")
    assert "this row is poison" in alarm.evidence["error"]
    rows = ward.connection.execute("SELECT recipient FROM notice WHERE episode_id = %s", (alarm.episode_id,)).fetchall()
    assert {row.recipient for row in rows} >= {"李医生", "运维", "b1"}
    heal(ward)
    ward.judge.catch_up(ward.desk)
    sweep(ward.desk())
    (alarm,) = [e for e in ward.episodes() if e.rule == "TECH-UNJUDGED"]
    assert alarm.condition == "cleared"


def test_a_single_measurement_that_can_not_be_judged_stops_no_other_patients(home: SpotHome) -> None:
    home.connection.execute(NEIGHBOUR.replace("33", "35").replace("(43,", "(45,").replace(":21'", ":23'"))
    poison(home, 3)
    home.say(CUFF, [(0, Signal.SYSTOLIC, 19000), (100, Signal.SYSTOLIC, 19000)], judged=False)
    home.say(CLIP, [(100, Signal.SPO2, 8000), (200, Signal.SPO2, 8000)], judged=False)
    home.spo2(35, [CRITICAL] * FALL_S, judged=False)
    home.judge.catch_up(home.desk)
    assert (raised(home), unjudged(home)) == ([(35, "SPO2-CRIT")], [3])
    heal(home)
    home.now += RETRY_AFTER
    home.judge.catch_up(home.desk)
    assert [rule for patient, rule in raised(home) if patient == 3] == ["SPO2-CRIT", "BP-CRISIS-SYS"]
    assert unjudged(home) == []


def test_a_time_zone_that_is_none_leaves_nobody_unjudged_and_is_said_once(home: SpotHome, logs: Logs) -> None:
    home.connection.execute("UPDATE organisation SET time_zone = 'Mars/Phobos' WHERE organisation_id = 2")
    home.connection.execute("UPDATE registry_version SET version = version + 1")
    home.say(CLIP, [(0, Signal.SPO2, 8000), (60, Signal.SPO2, 8000)])
    assert raised(home) == [(3, "SPO2-CRIT")]
    limits = Limits()
    limits.turn(home.desk)
    limits.turn(home.desk)
    assert [each["time_zone"] for each in logs if each["event"] == "time_zone_unknown"] == ["Mars/Phobos"]


def test_a_patient_whose_limits_can_not_be_worked_out_stops_nobody_elses_and_stays_marked(
    ward: Ward, logs: Logs
) -> None:
    ward.connection.execute("INSERT INTO limits_said (patient_id, said, said_at) VALUES (1, 'no line', now())")
    ward.connection.execute("UPDATE patient SET special_groups = '{pregnant}' WHERE patient_id IN (1, 2)")
    ward.connection.execute("UPDATE registry_version SET version = version + 1")
    limits = Limits()
    assert limits.turn(ward.desk) == 1
    assert {(each["event"], each["patient_id"]) for each in logs if each["log_level"] == "error"} == {
        ("limits_not_worked_out", 1)
    }
    assert [row.patient_id for row in ward.connection.execute("SELECT * FROM limits_dirty").fetchall()] == [1]
    ward.connection.execute("DELETE FROM limits_said WHERE patient_id = 1")
    assert limits.turn(ward.desk) == 1
    assert ward.connection.execute("SELECT count(*) AS n FROM limits_dirty").fetchone() == (0,)


def test_a_line_of_limits_that_can_not_be_read_stops_no_partition(ward: Ward, logs: Logs) -> None:
    with ward.connection.transaction():
        append(ward.connection, BatchKind.LIMITS, [(1, b"no line\n")], received_at=ward.now)
    both_fall(ward)
    assert sorted(raised(ward)) == [(1, "SPO2-CRIT"), (SAME_PARTITION, "SPO2-CRIT")]
    assert [each["line"] for each in logs if each["event"] == "limits_not_understood"] == ["no line"]
    ward.restarted()


def test_a_snapshot_that_can_not_be_read_is_loud_and_as_if_there_were_none(ward: Ward, logs: Logs) -> None:
    ward.spo2(1, [CRITICAL] * (FALL_S - 20))
    ward.judge.save_snapshots(ward.desk())
    ward.connection.execute("UPDATE engine_snapshot SET payload = 'no arrays'")
    ward.restarted()
    assert "snapshot_not_understood" in {each["event"] for each in logs}
    ward.spo2(1, [CRITICAL] * 20)
    assert raised(ward) == [(1, "SPO2-CRIT")]

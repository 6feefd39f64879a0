"""Readings that waited for a binding are judged when they are lifted: what is over goes to the worklist."""

from datetime import timedelta

from ingest.rejected.lift_waiting import LiftWaiting
from tests.alerting.ward import T0, Ward
from tests.ingest.county import SPO2, Home, connect, put, refused

SPARE = "C0:00:00:00:00:0A"


def test_a_fall_of_an_hour_ago_on_a_device_bound_now_is_told_without_paging(ward: Ward) -> None:
    waited(ward, [9700] * 60 + [8200] * 200 + [9700] * 900)
    ward.now = T0 + timedelta(hours=1)
    ward.spo2(1, [9700] * 30)
    bound(ward, patient_id=1)
    (episode,) = [each for each in ward.episodes() if not each.technical]
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-CRIT", "low", "cleared")
    urls = ward.connection.execute("SELECT DISTINCT channel_url FROM notice").fetchall()
    assert [each.channel_url for each in urls] == ["console:"]


def test_a_fall_of_a_patient_who_was_never_heard_of_before_alarms_whenever_it_is_lifted(ward: Ward) -> None:
    waited(ward, [9700] * 60 + [8200] * 200 + [9700] * 900)
    ward.now = T0 + timedelta(hours=1)
    bound(ward)
    (episode,) = [each for each in ward.episodes() if not each.technical]
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-CRIT", "high", "cleared")


def test_a_fall_that_goes_on_when_the_device_is_bound_pages(ward: Ward) -> None:
    waited(ward, [9700] * 60 + [8200] * 240)
    ward.now = T0 + timedelta(seconds=301)
    bound(ward)
    (episode,) = [each for each in ward.episodes() if not each.technical]
    assert (episode.rule, episode.priority, episode.condition) == ("SPO2-CRIT", "high", "present")


def waited(ward: Ward, values: list[int]) -> None:
    """Refuse a course, one value a second from T0 on: the device has no patient."""
    ward.connection.execute(
        "INSERT INTO device (device_id, key, kind, expected_every_s) VALUES (20, %s, 'oximeter', 1)", [SPARE]
    )
    ward.connection.execute("UPDATE registry_version SET version = version + 1")
    begin_ms, home = int(T0.timestamp() * 1000), Home()
    with connect(ward.dsn) as ingest:
        for first in range(0, len(values), 60):
            rows = [(second * 1000, SPO2, value) for second, value in enumerate(values[first : first + 60])]
            at_ms = begin_ms + first * 1000
            message = home.message(rows, devices=[SPARE], t0_ms=at_ms, sent_ms=at_ms + 60_000)
            assert sum(refused(put(ingest, message, received_ms=at_ms + 60_000)).values()) == len(rows)


def bound(ward: Ward, patient_id: int = 3) -> None:
    """Bind the device since before the course, lift what waited, and judge."""
    ward.connection.execute(
        "INSERT INTO binding (device_id, patient_id, valid) VALUES (20, %s, '[2020-01-01,)')", [patient_id]
    )
    ward.connection.execute("UPDATE registry_version SET version = version + 1")
    with connect(ward.dsn) as ingest:
        assert LiftWaiting(retention_days=90)(ingest, ward.now).done > 0
    ward.judge.catch_up(ward.desk)

"""Evidence is kept with its episode, and the engine always finds the log it needs."""

from datetime import timedelta

import pytest

from ingest.tend.retention import drop_samples, trim_log
from tests.alerting.streams import FALL_S
from tests.alerting.ward import T0, Ward

WELL, CRITICAL = [9700], [8400]
MARGIN = timedelta(minutes=5)


def windows(ward: Ward) -> list[tuple[object, object]]:
    rows = ward.connection.execute(
        "SELECT w.from_at, NULLIF(w.until_at, 'infinity') AS until_at FROM evidence_window w ORDER BY episode_id"
    ).fetchall()
    return [(row.from_at, row.until_at) for row in rows]


def test_the_window_is_open_while_the_condition_holds_and_ends_with_it(ward: Ward) -> None:
    ward.spo2(1, WELL * 300)
    assert windows(ward) == []
    ward.spo2(1, CRITICAL * FALL_S)
    (episode,) = ward.episodes()
    assert windows(ward) == [(episode.since, None)]
    ward.spo2(1, WELL * 900)
    (episode,) = ward.episodes()
    assert episode.condition == "cleared"
    assert windows(ward) == [(episode.since, episode.cleared_at)]
    ward.spo2(1, CRITICAL * 400)
    assert windows(ward) == [(episode.since, None)]


def test_a_late_fall_before_an_open_episode_widens_its_window(ward: Ward) -> None:
    ward.spo2(1, CRITICAL * FALL_S)
    early = T0 - timedelta(hours=2)
    ward.spo2(1, CRITICAL * 400 + WELL * 900, begin=early)
    assert len([e for e in ward.episodes() if not e.technical]) == 1
    assert "raised_again" in ward.history()
    assert windows(ward)[0][0] <= early + timedelta(seconds=20)  # the window's first whole bucket


def test_silence_has_no_evidence(ward: Ward) -> None:
    ward.spo2(1, WELL * 60)
    ward.pass_time(seconds=700)
    assert {episode.technical for episode in ward.episodes()} == {True}
    assert windows(ward) == []


def test_the_samples_about_an_episode_outlive_their_day(ward: Ward) -> None:
    ward.spo2(1, WELL * 900)
    ward.spo2(1, CRITICAL * FALL_S)
    ward.spo2(1, WELL * 900)
    ward.judge.save_snapshots(ward.desk())
    ward.connection.execute("SELECT intake_read('rollups', partition, head) FROM partition")
    (episode,) = ward.episodes()
    statement = "SELECT measured_at, value FROM reading WHERE patient_id = 1 ORDER BY measured_at"
    before = ward.connection.execute(statement).fetchall()
    ward.spo2(2, WELL, begin=T0 + timedelta(days=92), judged=False)
    turn = drop_samples(ward.connection, T0 + timedelta(days=92), kept=timedelta(days=90), margin=MARGIN)
    assert turn.done == 1
    first, last = episode.since - MARGIN, episode.cleared_at + MARGIN
    assert ward.connection.execute("SELECT count(*) AS n FROM sample WHERE patient_id = 1").fetchone() == (0,)
    assert ward.connection.execute(statement).fetchall() == [row for row in before if first <= row.measured_at <= last]
    assert len(before) == 900 + FALL_S + 900


@pytest.mark.parametrize("snapshot", [True, False])
def test_an_engine_that_begins_anew_finds_the_log_it_needs(ward: Ward, snapshot: bool) -> None:
    ward.spo2(1, WELL * 60)
    ward.judge.save_snapshots(ward.desk())
    ward.spo2(1, WELL * 240)
    ward.spo2(1, CRITICAL * (FALL_S // 2 + 1))
    ward.connection.execute("SELECT intake_read('rollups', partition, head) FROM partition")
    much_later = ward.now + timedelta(days=30)
    ward.spo2(2, WELL, begin=much_later, judged=False)
    trim_log(ward.connection, much_later, kept=timedelta(days=3))
    if not snapshot:
        ward.connection.execute("UPDATE engine_snapshot SET rules_hash = 'of another profile'")
    ward.restarted()
    ward.spo2(1, CRITICAL * (FALL_S // 2 + 1))
    assert [episode.rule for episode in ward.episodes()] == ["SPO2-CRIT"]

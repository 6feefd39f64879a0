"""What is let go of after its time, what is kept with an episode, and whom it waits for."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ingest.tend import rollups
from ingest.tend.columnstore import COMMUNITY, compress, licence_of
from ingest.tend.horizon import newest_received
from ingest.tend.retention import drop_rollups, drop_samples, forget_rejected, trim_log
from ingest.turn import Turn
from tests.ingest.county import NOW, NOW_MS, OXIMETER, PULSE, SPO2, Home, connect, heard_at, put, rows_of
from tests.ingest.rollup_oracle import expected, found
from tests.ingest.service import wait_until

DAY = timedelta(days=1)
DAY_MS = 86_400_000
KEPT, MARGIN = timedelta(days=90), timedelta(minutes=5)
LATER = NOW + timedelta(days=92)


@pytest.fixture
def kept(county: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The county with nothing dropped, kept or read yet."""
    county.execute(
        "TRUNCATE minute_rollup, hour_rollup, dirty_hour, evidence_window, sample_evidence;"
        " UPDATE intake_reader SET batch_id = 0; DELETE FROM dropped WHERE class <> 'sample';"
        " UPDATE dropped SET before = '-infinity'"
    )
    for whole in ("sample", "minute_rollup", "hour_rollup"):
        county.execute("SELECT drop_piece(%s, piece) FROM pieces_of(%s)", [whole, whole])
    rollups.prepare(county)
    return county


def everybody_has_read(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT intake_read('alerting', partition, head) FROM partition")
    while rollups.roll_minutes(connection, NOW).more:
        pass
    rollups.roll_hours(connection, NOW)


def minutes_of_stream(connection: psycopg.Connection[Any], begin: datetime, minutes: int) -> None:
    """Store one value a minute, from this instant on."""
    begin_ms = round(begin.timestamp() * 1000)
    readings = [(number * 60, SPO2, 9000 + number) for number in range(minutes)]
    message = Home().message(readings, t0_ms=begin_ms, unit_ms=1000)
    put(connection, message, received_ms=begin_ms + minutes * 60_000)


def drop_all(connection: psycopg.Connection[Any], now: datetime) -> list[str]:
    said = []
    while True:
        turn = drop_samples(connection, now, kept=KEPT, margin=MARGIN)
        said.append(turn.detail)
        if not turn.more:
            return said


def test_a_day_past_its_time_is_dropped_and_younger_ones_stay(kept: psycopg.Connection[Any]) -> None:
    for days in (2, 1, 0):
        minutes_of_stream(kept, NOW - days * DAY, 3)
    everybody_has_read(kept)
    before = found(kept, "minute_rollup")
    heard_at(kept, NOW + KEPT)
    assert drop_all(kept, NOW + KEPT) == ["dropped 2026-02-27 00:00 to 2026-02-28 00:00, kept 0 samples as evidence"]
    assert rows_of(kept, "SELECT count(*), min(measured_at)::date FROM sample WHERE patient_id = 1") == [
        (6, (NOW - DAY).date())
    ]
    assert found(kept, "minute_rollup") == before, "a roll-up outlives its samples"
    assert drop_all(kept, NOW + KEPT) == ["no day is older than 90 days"]


def test_the_evidence_of_an_episode_is_kept_with_its_margin_and_read_as_before(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 60)
    everybody_has_read(kept)
    kept.execute("SELECT keep_evidence(1, 1, %s, %s)", [NOW + timedelta(minutes=20), NOW + timedelta(minutes=30)])
    kept.execute("SELECT keep_evidence(2, 1, %s, %s)", [NOW + timedelta(minutes=28), NOW + timedelta(minutes=31)])
    kept.execute("SELECT keep_evidence(3, 2, %s, NULL)", [NOW])
    whole = rows_of(kept, "SELECT * FROM reading ORDER BY measured_at")
    assert len(whole) == 60
    heard_at(kept, LATER)
    assert drop_all(kept, LATER)[0].endswith("kept 22 samples as evidence")
    assert rows_of(kept, "SELECT * FROM reading WHERE patient_id = 1 ORDER BY measured_at") == whole[15:37]
    assert rows_of(kept, "SELECT count(*) FROM sample WHERE patient_id = 1") == [(0,)]


def test_an_episode_that_goes_on_keeps_every_day_of_its_patient(kept: psycopg.Connection[Any]) -> None:
    for days in range(4):
        minutes_of_stream(kept, NOW + days * DAY, 10)
    everybody_has_read(kept)
    kept.execute("SELECT keep_evidence(1, 1, %s, NULL)", [NOW + DAY])
    heard_at(kept, LATER + 4 * DAY)
    assert len(drop_all(kept, LATER + 4 * DAY)) == 4
    assert rows_of(kept, "SELECT count(*), min(measured_at) FROM sample_evidence") == [(30, NOW + DAY)]


@pytest.mark.parametrize("reader", ["alerting", "rollups"])
def test_no_day_is_dropped_while_somebody_may_still_have_to_read_of_it(
    kept: psycopg.Connection[Any], reader: str
) -> None:
    minutes_of_stream(kept, NOW, 3)
    kept.execute("SELECT intake_read(r, partition, head) FROM partition, unnest(ARRAY['alerting', 'rollups']) r"
                 " WHERE r <> %s", [reader])  # fmt: skip
    heard_at(kept, LATER)
    assert drop_all(kept, LATER) == [f"waits for {reader}, which has not read what came at 2026-03-01 12:03"]
    assert rows_of(kept, "SELECT count(*) FROM sample WHERE patient_id = 1") == [(3,)]


def test_a_day_that_somebody_reads_is_dropped_later_and_nothing_is_lost(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    everybody_has_read(kept)
    kept.execute("SELECT keep_evidence(1, 1, %s, NULL)", [NOW])
    heard_at(kept, LATER)
    with psycopg.connect(kept.info.dsn, user=kept.info.user) as reader:
        reader.execute("SELECT count(*) FROM sample").fetchone()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            drop_samples(kept, LATER, kept=KEPT, margin=MARGIN)
    counts = "SELECT (SELECT count(*) FROM sample WHERE patient_id = 1), (SELECT count(*) FROM sample_evidence)"
    assert rows_of(kept, counts) == [(3, 0)]
    drop_all(kept, LATER)
    assert rows_of(kept, counts) == [(0, 3)]


def test_what_is_stored_while_its_day_is_to_be_dropped_is_waited_for(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    everybody_has_read(kept)
    heard_at(kept, LATER)
    dsn = f"{kept.info.dsn} user={kept.info.user}"
    with ThreadPoolExecutor(1) as threads, connect(dsn) as writer, psycopg.connect(dsn, autocommit=True) as dropper:
        with writer.transaction():
            minutes_of_stream(writer, NOW + timedelta(hours=1), 3)
            dropping = threads.submit(drop_all, dropper, LATER)
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
            pid = [dropper.info.backend_pid]
            wait_until(lambda: kept.execute(waits, pid).fetchone() == (1,), "it waits for the writer")
        assert dropping.result() == ["waits for alerting, which has not read what came at 2026-03-01 13:03"]
    assert rows_of(kept, "SELECT count(*) FROM sample WHERE patient_id = 1") == [(6,)]


def let_go(connection: psycopg.Connection[Any], now: datetime) -> dict[str, str]:
    """Let every job that lets go of something do all that it would at `now`; give the first word of each."""
    turns: dict[str, Callable[[], Turn]] = {
        "raw": lambda: drop_samples(connection, now, kept=KEPT, margin=MARGIN),
        "minutes": lambda: drop_rollups(connection, now, whole="minute_rollup", kept=KEPT + 2 * DAY),
        "hours": lambda: drop_rollups(connection, now, whole="hour_rollup", kept=KEPT + 2 * DAY),
        "rejected": lambda: forget_rejected(connection, now, kept=3 * DAY),
        "log": lambda: trim_log(connection, now, kept=3 * DAY),
    }
    said = {}
    for name, turn in turns.items():
        first = last = turn()
        while last.more:
            last = turn()
        said[name] = first.detail
    return said


KEPT_ROWS = """
SELECT (SELECT count(*) FROM sample), (SELECT count(*) FROM minute_rollup), (SELECT count(*) FROM hour_rollup),
       (SELECT count(*) FROM rejected), (SELECT count(*) FROM intake_log)
"""


@pytest.mark.parametrize("ahead", [DAY + timedelta(hours=12), 200 * DAY, 36_500 * DAY])
def test_a_clock_that_is_ahead_lets_go_of_nothing_and_what_comes_then_is_rolled_up(
    kept: psycopg.Connection[Any], ahead: timedelta
) -> None:
    minutes_of_stream(kept, NOW, 3)
    put(kept, b"{broken")
    everybody_has_read(kept)
    dropped = rows_of(kept, "SELECT class, before::text FROM dropped")
    said = let_go(kept, NOW + timedelta(minutes=3) + ahead)
    assert rows_of(kept, KEPT_ROWS) == [(3, 3, 1, 1, 1)]
    assert rows_of(kept, "SELECT class, before::text FROM dropped") == dropped
    begins = f"the clock is {ahead / DAY:g} days ahead of the newest reading: "
    assert [detail for detail in said.values() if not detail.startswith(begins)] == []
    assert said["raw"] == begins + "no day is older than 90 days"
    minutes_of_stream(kept, NOW + timedelta(minutes=10), 2)
    everybody_has_read(kept)
    assert len(found(kept, "minute_rollup")) == 5


def test_a_clock_that_is_ahead_still_lets_go_of_what_is_old_beside_the_newest_reading(
    kept: psycopg.Connection[Any],
) -> None:
    minutes_of_stream(kept, NOW, 3)
    put(kept, b"{broken")
    everybody_has_read(kept)
    minutes_of_stream(kept, NOW + 120 * DAY, 2)
    everybody_has_read(kept)
    said = let_go(kept, NOW + 400 * DAY + timedelta(minutes=2))
    assert said["raw"].startswith("the clock is 280 days ahead of the newest reading: dropped 2026-03-01 00:00")
    assert said["log"] == "the clock is 280 days ahead of the newest reading: deleted 1 batches"
    [(samples, minutes, _, rejected, batches)] = rows_of(kept, KEPT_ROWS)
    assert (samples, minutes, rejected, batches) == (2, 2, 0, 1)


def test_up_to_a_day_without_readings_is_believed(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 1)
    everybody_has_read(kept)
    newest = NOW + KEPT + DAY + timedelta(hours=11)
    heard_at(kept, newest)
    assert drop_all(kept, newest) == ["no day is older than 90 days"]
    midnight = ["dropped 2026-03-01 00:00 to 2026-03-02 00:00, kept 0 samples as evidence"]
    assert drop_all(kept, newest + DAY) == midnight


def test_where_nothing_ever_came_nothing_is_let_go_of(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    put(kept, b"{broken")
    everybody_has_read(kept)
    kept.execute("DELETE FROM intake_log")
    assert {detail.partition(":")[0] for detail in let_go(kept, NOW + DAY).values()} == {"the intake log is empty"}
    assert rows_of(kept, KEPT_ROWS) == [(3, 3, 1, 1, 0)]


def test_an_hour_in_which_the_clock_of_intake_was_ahead_counts_no_longer_than_that(
    kept: psycopg.Connection[Any],
) -> None:
    home = Home()
    for days in (0, 60, 0):
        at_ms = NOW_MS + days * DAY_MS
        message = home.message([(home.next_row, PULSE, 7000)], devices=[OXIMETER])
        put(kept, message, received_ms=at_ms)
        assert newest_received(kept) == NOW + days * DAY


def test_roll_ups_go_after_their_own_time(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    everybody_has_read(kept)
    heard_at(kept, NOW + 738 * DAY)
    assert not drop_rollups(kept, NOW + 730 * DAY, whole="minute_rollup", kept=730 * DAY).done
    while drop_rollups(kept, NOW + 738 * DAY, whole="minute_rollup", kept=730 * DAY).more:
        pass
    assert rows_of(kept, "SELECT count(*) FROM minute_rollup") == [(0,)]
    assert list(found(kept, "hour_rollup")) == [(1, NOW)]
    heard_at(kept, NOW + 6_000 * DAY)
    while drop_rollups(kept, NOW + 6_000 * DAY, whole="hour_rollup", kept=5_479 * DAY).more:
        pass
    assert found(kept, "hour_rollup") == {}


def test_what_was_put_aside_goes_unless_it_came_again(kept: psycopg.Connection[Any]) -> None:
    put(kept, b"{broken", received_ms=NOW_MS)
    put(kept, b"{more broken", received_ms=NOW_MS)
    put(kept, b"{more broken", received_ms=NOW_MS + DAY_MS // 2)
    heard_at(kept, NOW + 181 * DAY)
    assert forget_rejected(kept, NOW + 180 * DAY, kept=180 * DAY).done == 0
    assert forget_rejected(kept, NOW + 180 * DAY + timedelta(hours=1), kept=180 * DAY).done == 1
    assert rows_of(kept, "SELECT times FROM rejected") == [(2,)]
    assert forget_rejected(kept, NOW + 181 * DAY, kept=180 * DAY).done == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_log_is_never_trimmed_past_a_cursor_nor_the_hour_before_it(
    kept: psycopg.Connection[Any], seed: int
) -> None:
    draw = random.Random(seed)
    home = Home()
    for number in range(40):
        at_ms = NOW_MS + number * 1_800_000
        put(kept, home.message([(0, PULSE, 7000)], t0_ms=at_ms, devices=[OXIMETER]), received_ms=at_ms)
    places = {reader: draw.randint(0, 40) for reader in ("alerting", "rollups")}
    for reader, place in places.items():
        kept.execute("SELECT intake_read(%s, 1::smallint, %s)", [reader, place])
    now = NOW + timedelta(days=3, hours=draw.randint(0, 25))
    hindmost = min(places.values())
    needed_from = NOW + timedelta(minutes=30 * max(hindmost - 1, 0) - 60)
    stays = [
        number
        for number in range(1, 41)
        for came in [NOW + timedelta(minutes=30 * (number - 1))]
        if number > hindmost or came >= needed_from or came >= now - 3 * DAY
    ]
    heard_at(kept, now)
    trim_log(kept, now, kept=3 * DAY)
    assert [
        row[0] for row in rows_of(kept, "SELECT batch_id FROM intake_log WHERE partition = 1 ORDER BY batch_id")
    ] == stays


def test_a_clock_that_was_set_back_does_not_trim_what_nobody_has_read(kept: psycopg.Connection[Any]) -> None:
    home = Home()
    for hours in (0, 0, -5, -5):
        at_ms = NOW_MS + hours * 3_600_000
        put(kept, home.message([(home.next_row, PULSE, 7000)], t0_ms=at_ms, devices=[OXIMETER]), received_ms=at_ms)
    kept.execute("SELECT intake_read(r, 1::smallint, 2) FROM unnest(ARRAY['alerting', 'rollups']) r")
    heard_at(kept, LATER)
    trim_log(kept, LATER, kept=3 * DAY)
    assert rows_of(kept, "SELECT batch_id FROM intake_log WHERE partition = 1 ORDER BY batch_id") == [
        (1,),
        (2,),
        (3,),
        (4,),
    ]


def test_a_reader_that_never_said_where_it_is_keeps_all_of_the_log(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    kept.execute("SELECT intake_read('rollups', partition, head) FROM partition")
    heard_at(kept, LATER)
    turn = trim_log(kept, LATER, kept=3 * DAY)
    assert (turn.done, turn.detail) == (0, "deleted 0 batches; alerting still needs what came at 2026-03-01 12:03")
    assert rows_of(kept, "SELECT count(*) FROM intake_log WHERE partition = 1") == [(1,)]


def test_without_the_community_edition_nothing_is_compressed_and_the_reason_is_said(
    kept: psycopg.Connection[Any],
) -> None:
    licence = licence_of(kept)
    if licence == COMMUNITY:
        pytest.skip("this is the Community edition")
    said = compress(kept, NOW, offline=30 * DAY).detail
    assert ("apache edition has no columnstore" if licence else "plain PostgreSQL has no columnstore") in said


def test_only_days_into_which_nothing_late_is_expected_are_compressed(kept: psycopg.Connection[Any]) -> None:
    if licence_of(kept) != COMMUNITY:
        pytest.skip("needs TimescaleDB's Community edition (SHOW timescaledb.license = timescale)")
    for days in (0, 40):
        minutes_of_stream(kept, NOW + days * DAY, 3)
    everybody_has_read(kept)
    while compress(kept, NOW + 41 * DAY, offline=30 * DAY).more:
        pass
    assert rows_of(
        kept,
        "SELECT range_start::date, is_compressed FROM timescaledb_information.chunks"
        " WHERE hypertable_name = 'sample' ORDER BY 1",
    ) == [(NOW.date(), True), ((NOW + 40 * DAY).date(), False)]
    minutes_of_stream(kept, NOW + timedelta(hours=1), 2)
    everybody_has_read(kept)
    assert found(kept, "minute_rollup") == expected(kept, 60_000)

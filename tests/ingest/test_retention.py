"""What is let go of after its time, what is kept with an episode, and whom it waits for."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ingest.tend import rollups
from ingest.tend.columnstore import COMMUNITY, compress, licence_of
from ingest.tend.retention import drop_rollups, drop_samples, forget_rejected, trim_log
from tests.ingest.county import NOW, NOW_MS, OXIMETER, PULSE, SPO2, Home, connect, put, rows_of
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
    assert drop_all(kept, NOW + KEPT) == ["dropped 2026-02-27 00:00 to 2026-02-28 00:00, kept 0 samples as evidence"]
    assert rows_of(kept, "SELECT count(*), min(measured_at)::date FROM sample") == [(6, (NOW - DAY).date())]
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
    assert drop_all(kept, LATER)[0].endswith("kept 22 samples as evidence")
    assert rows_of(kept, "SELECT * FROM reading ORDER BY measured_at") == whole[15:37]
    assert rows_of(kept, "SELECT count(*) FROM sample") == [(0,)]


def test_an_episode_that_goes_on_keeps_every_day_of_its_patient(kept: psycopg.Connection[Any]) -> None:
    for days in range(4):
        minutes_of_stream(kept, NOW + days * DAY, 10)
    everybody_has_read(kept)
    kept.execute("SELECT keep_evidence(1, 1, %s, NULL)", [NOW + DAY])
    assert len(drop_all(kept, LATER + 4 * DAY)) == 4
    assert rows_of(kept, "SELECT count(*), min(measured_at) FROM sample_evidence") == [(30, NOW + DAY)]


@pytest.mark.parametrize("reader", ["alerting", "rollups"])
def test_no_day_is_dropped_while_somebody_may_still_have_to_read_of_it(
    kept: psycopg.Connection[Any], reader: str
) -> None:
    minutes_of_stream(kept, NOW, 3)
    kept.execute("SELECT intake_read(r, partition, head) FROM partition, unnest(ARRAY['alerting', 'rollups']) r"
                 " WHERE r <> %s", [reader])  # fmt: skip
    assert drop_all(kept, LATER) == [f"waits for {reader}, which has not read what came at 2026-03-01 12:03"]
    assert rows_of(kept, "SELECT count(*) FROM sample") == [(3,)]


def test_a_day_that_somebody_reads_is_dropped_later_and_nothing_is_lost(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    everybody_has_read(kept)
    kept.execute("SELECT keep_evidence(1, 1, %s, NULL)", [NOW])
    with psycopg.connect(kept.info.dsn, user=kept.info.user) as reader:
        reader.execute("SELECT count(*) FROM sample").fetchone()
        with pytest.raises(psycopg.errors.LockNotAvailable):
            drop_samples(kept, LATER, kept=KEPT, margin=MARGIN)
    counts = "SELECT (SELECT count(*) FROM sample), (SELECT count(*) FROM sample_evidence)"
    assert rows_of(kept, counts) == [(3, 0)]
    drop_all(kept, LATER)
    assert rows_of(kept, counts) == [(0, 3)]


def test_what_is_stored_while_its_day_is_to_be_dropped_is_waited_for(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    everybody_has_read(kept)
    dsn = f"{kept.info.dsn} user={kept.info.user}"
    with ThreadPoolExecutor(1) as threads, connect(dsn) as writer, psycopg.connect(dsn, autocommit=True) as dropper:
        with writer.transaction():
            minutes_of_stream(writer, NOW + timedelta(hours=1), 3)
            dropping = threads.submit(drop_all, dropper, LATER)
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
            pid = [dropper.info.backend_pid]
            wait_until(lambda: kept.execute(waits, pid).fetchone() == (1,), "it waits for the writer")
        assert dropping.result() == ["waits for alerting, which has not read what came at 2026-03-01 13:03"]
    assert rows_of(kept, "SELECT count(*) FROM sample") == [(6,)]


def test_roll_ups_go_after_their_own_time(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    everybody_has_read(kept)
    assert not drop_rollups(kept, NOW + 730 * DAY, whole="minute_rollup", kept=730 * DAY).done
    while drop_rollups(kept, NOW + 738 * DAY, whole="minute_rollup", kept=730 * DAY).more:
        pass
    assert rows_of(kept, "SELECT count(*) FROM minute_rollup") == [(0,)]
    assert list(found(kept, "hour_rollup")) == [(1, NOW)]
    while drop_rollups(kept, NOW + 6_000 * DAY, whole="hour_rollup", kept=5_479 * DAY).more:
        pass
    assert found(kept, "hour_rollup") == {}


def test_what_was_put_aside_goes_unless_it_came_again(kept: psycopg.Connection[Any]) -> None:
    put(kept, b"{broken", received_ms=NOW_MS)
    put(kept, b"{more broken", received_ms=NOW_MS)
    put(kept, b"{more broken", received_ms=NOW_MS + DAY_MS // 2)
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
    trim_log(kept, now, kept=3 * DAY)
    assert [row[0] for row in rows_of(kept, "SELECT batch_id FROM intake_log ORDER BY batch_id")] == stays


def test_a_clock_that_was_set_back_does_not_trim_what_nobody_has_read(kept: psycopg.Connection[Any]) -> None:
    home = Home()
    for hours in (0, 0, -5, -5):
        at_ms = NOW_MS + hours * 3_600_000
        put(kept, home.message([(home.next_row, PULSE, 7000)], t0_ms=at_ms, devices=[OXIMETER]), received_ms=at_ms)
    kept.execute("SELECT intake_read(r, 1::smallint, 2) FROM unnest(ARRAY['alerting', 'rollups']) r")
    trim_log(kept, LATER, kept=3 * DAY)
    assert rows_of(kept, "SELECT batch_id FROM intake_log ORDER BY batch_id") == [(1,), (2,), (3,), (4,)]


def test_a_reader_that_never_said_where_it_is_keeps_all_of_the_log(kept: psycopg.Connection[Any]) -> None:
    minutes_of_stream(kept, NOW, 3)
    kept.execute("SELECT intake_read('rollups', partition, head) FROM partition")
    turn = trim_log(kept, LATER, kept=3 * DAY)
    assert (turn.done, turn.detail) == (0, "deleted 0 batches; alerting still needs what came at 2026-03-01 12:03")
    assert rows_of(kept, "SELECT count(*) FROM intake_log") == [(1,)]


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

"""Rebuilding the index of closed days: which are chosen, that nobody waits for it, and what a kill leaves behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ingest.tend.looseness import INDEX_BYTES_MIN, PACKED_BYTES_PER_ROW, Piece, closed, loose, uncounted
from ingest.tend.packing import NoRoom, Packing
from ingest.tend.retention import drop_samples
from ingest.tend.status import standing
from ingest.tend.tending import connect
from ingest.turn import Turn
from tests.ingest.county import NOW, REGISTRY, SPO2, Home, heard_at, put, rows_of
from tests.ingest.county import connect as connect_writer
from tests.ingest.service import wait_until
from tests.ingest.test_tending import Tend, dsn_of, rolled_up

pytestmark = pytest.mark.long

DAY = timedelta(days=1)
KEPT = 90 * DAY
LATER = NOW + 3 * DAY
PATIENTS, INSTANTS = 500, 400
ROWS = PATIENTS * INSTANTS
FILL = """
INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2, pulse)
SELECT at, at, patient, patient, 0, 9500, 7000
  FROM generate_series(%(begin)s::timestamptz, %(begin)s::timestamptz + INTERVAL '399 s', '1 s') AS at
 CROSS JOIN generate_series(1, 500) AS patient ORDER BY at
"""
INDEXES = """
SELECT c.relname::text, i.indisvalid, pg_relation_size(c.oid) FROM pieces_of('sample') p
  JOIN pg_index i ON i.indrelid = p.piece AND i.indisunique JOIN pg_class c ON c.oid = i.indexrelid ORDER BY 1
"""
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s"
REBUILDS = "SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database()"
SOUND = Piece(name="day", index="day_identity", ends_at=NOW - 2 * DAY, index_bytes=61_000_000, rows=1_000_000)


@pytest.fixture
def site(any_database: str) -> Iterator[psycopg.Connection[Any]]:
    """A database of its own with the county's registry."""
    with connect_writer(any_database) as connection:
        connection.execute(REGISTRY)
        yield connection


@pytest.fixture
def worker(site: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """A connection as time-driven work has it."""
    with connect(dsn_of(site)) as connection:
        yield connection


def fill(connection: psycopg.Connection[Any], begin: datetime = NOW) -> None:
    """Store a loose day as ingest does: by time, all patients at each instant."""
    connection.execute("SELECT sample_make_room(ARRAY[%s::date])", [begin])
    connection.execute(FILL.encode(), {"begin": begin})


def pack(connection: psycopg.Connection[Any], now: datetime = LATER) -> Turn:
    return Packing(kept=KEPT)(connection, now)


@contextmanager
def snapshot(site: psycopg.Connection[Any]) -> Iterator[None]:
    """Hold a transaction open that sees the database as it is now: a rebuild waits for it in the end."""
    with psycopg.connect(dsn_of(site)) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        reader.execute("SELECT count(*) FROM patient")
        yield


@contextmanager
def rebuild_held_up(site: psycopg.Connection[Any], worker: psycopg.Connection[Any]) -> Iterator[Future[Turn]]:
    """A rebuild in a thread that has built its new index and waits for a snapshot, for as long as this lasts."""
    with ThreadPoolExecutor(1) as threads, snapshot(site):
        packing = threads.submit(pack, worker)
        pid = [worker.info.backend_pid]
        wait_until(lambda: site.execute(WAITS, pid).fetchone() == (1,), "the rebuild waits")
        yield packing


def test_a_loose_closed_day_is_packed_and_then_left_alone(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    before = rows_of(site, INDEXES)
    packing = Packing(kept=KEPT)
    assert packing(worker, LATER).done == 1
    after = rows_of(site, INDEXES)
    assert [line[:2] for line in after] == [line[:2] for line in before], "the same name, and valid"
    assert before[0][2] > 50 * ROWS
    assert after[0][2] == pytest.approx(PACKED_BYTES_PER_ROW * ROWS, rel=0.01)
    for _ in range(8):  # also as often as makes the driver prepare its statements
        assert packing(worker, LATER).detail == "no index of a closed day is loose"
    with pytest.raises(psycopg.errors.UniqueViolation):
        fill(site)
    assert worker.execute("SHOW statement_timeout").fetchone() == ("10min",)
    assert worker.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_a_day_that_is_open_or_about_to_be_dropped_is_left_alone(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    for now in (NOW + timedelta(hours=35), NOW + KEPT + DAY):
        assert pack(worker, now).done == 0
    assert pack(worker, NOW + timedelta(hours=36)).done == 1


def test_of_two_days_each_turn_packs_one_and_a_packed_day_can_be_dropped(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    fill(site, NOW + DAY)
    assert pack(worker).detail.endswith("1 more are loose")
    assert pack(worker).detail.endswith("0 more are loose")
    assert pack(worker).done == 0
    much_later = NOW + KEPT + 4 * DAY
    heard_at(site, much_later)
    for _ in range(2):
        assert drop_samples(worker, much_later, kept=KEPT, margin=timedelta(0)).done == 1
    assert rows_of(site, "SELECT measured_at FROM sample") == [(much_later,)]
    assert len(rows_of(site, INDEXES)) == 1


def test_late_rows_loosen_a_packed_day_until_it_is_packed_again(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    pack(worker)
    fill(site, NOW + timedelta(seconds=7000))
    assert pack(worker).done == 1
    assert rows_of(site, INDEXES)[0][2] == pytest.approx(PACKED_BYTES_PER_ROW * 2 * ROWS, rel=0.01)


def test_who_reads_and_who_writes_goes_on_meanwhile(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    with rebuild_held_up(site, worker) as packing:
        site.execute("SET lock_timeout = '1ms'")  # whoever had to wait would fail
        put(site, Home().message([(0, SPO2, 9100), (1_000, SPO2, 9200)]))
        counted = rows_of(site, "SELECT count(*) FROM sample WHERE patient_id = 1")[0][0]
        assert counted == INSTANTS + 2
        site.execute("UPDATE sample SET pulse = 7100 WHERE patient_id = 2")
        assert not packing.done()
    assert packing.result().done == 1
    site.execute("SET enable_seqscan = off")
    assert rows_of(site, "SELECT count(*), sum(pulse) FROM sample WHERE patient_id = 2") == [(400, 400 * 7100)]
    assert rows_of(site, "SELECT spo2 FROM sample WHERE patient_id = 1 AND device_id = 11") == [(9100,), (9200,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        site.execute("INSERT INTO sample SELECT * FROM sample WHERE device_id = 11")


def test_readers_and_writers_without_a_pause_while_days_are_packed(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    for days in range(2):
        fill(site, NOW + days * DAY)
    stop = threading.Event()

    def write() -> int:
        home, sent = Home(), 0
        with connect_writer(dsn_of(site)) as writer:
            while not stop.is_set():
                put(writer, home.message([(sent * 10 + at, SPO2, 9300) for at in range(5)]))
                sent += 1
        return sent

    def read() -> int:
        done = 0
        with psycopg.connect(dsn_of(site), autocommit=True) as reader:
            while not stop.is_set():
                row = reader.execute("SELECT count(*) FROM sample WHERE patient_id = 400").fetchone()
                assert row == (2 * INSTANTS,)
                done += 1
        return done

    with ThreadPoolExecutor(2) as threads:
        writing, reading = threads.submit(write), threads.submit(read)
        try:
            assert [pack(worker).done for _ in range(2)] == [1, 1]
        finally:
            stop.set()
    assert reading.result() > 0
    counted = "SELECT count(*) FROM sample WHERE patient_id = 1 AND device_id = 11"
    for scan in ("enable_indexscan, enable_indexonlyscan, enable_bitmapscan", "enable_seqscan"):
        site.execute("".join(f"SET {name} = off;" for name in scan.split(", ")))
        assert rows_of(site, counted) == [(5 * writing.result(),)], f"without {scan}"
        site.execute("RESET ALL")


def killed(site: psycopg.Connection[Any], worker: psycopg.Connection[Any]) -> None:
    """Kill a worker's backend and wait until it is gone: it says goodbye before it lets its locks go."""
    assert rows_of(site, f"SELECT pg_terminate_backend({worker.info.backend_pid}, 20000)") == [(True,)]


def test_a_backend_that_is_killed_leaves_no_damage_and_the_rest_is_cleared_away(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    before = rows_of(site, INDEXES)
    with rebuild_held_up(site, worker) as packing:
        killed(site, worker)
        assert isinstance(packing.exception(), psycopg.OperationalError)
    assert [line[1] for line in rows_of(site, INDEXES)] == [True, False]
    with pytest.raises(psycopg.errors.UniqueViolation):
        fill(site)
    with connect(dsn_of(site)) as next_worker:
        said = pack(next_worker).detail
    assert f"dropped what a rebuild that was cut off had left: {_schema(site)}{before[0][0]}_ccnew" in said
    after = rows_of(site, INDEXES)
    assert [line[:2] for line in after] == [(before[0][0], True)]
    assert after[0][2] < before[0][2]


def test_an_old_index_that_was_replaced_and_not_yet_dropped_is_cleared_away(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    piece = rows_of(site, "SELECT piece::text FROM pieces_of('sample')")[0][0]
    with ThreadPoolExecutor(1) as threads, psycopg.connect(dsn_of(site)) as reader:
        reader.execute(f"LOCK TABLE {piece} IN ACCESS SHARE MODE")
        packing = threads.submit(pack, worker)
        wait_until(lambda: any("_ccold" in line[0] for line in rows_of(site, INDEXES)), "the new one took over")
        killed(site, worker)
        assert isinstance(packing.exception(), psycopg.OperationalError)
    with connect(dsn_of(site)) as next_worker:
        turn = pack(next_worker)
    assert turn.done == 0, "it is packed by then"
    assert "_ccold" in turn.detail
    assert [line[1] for line in rows_of(site, INDEXES)] == [True]


def test_a_day_that_somebody_else_rebuilds_is_left_alone(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    name = rows_of(site, INDEXES)[0][0]
    by_hand = f"REINDEX INDEX CONCURRENTLY {_schema(site)}{name}".encode()
    with ThreadPoolExecutor(1) as threads, connect(dsn_of(site)) as other:
        with snapshot(site):
            rebuilding = threads.submit(other.execute, by_hand)
            wait_until(lambda: site.execute(WAITS, [other.info.backend_pid]).fetchone() == (1,), "it waits")
            turn = pack(worker)
            assert (turn.done, turn.detail) == (0, "no index of a closed day is loose")
            assert not rebuilding.done()
        rebuilding.result()
    assert [line[:2] for line in rows_of(site, INDEXES)] == [(name, True)]


def test_a_rebuild_that_does_not_help_is_not_done_again(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    name = rows_of(site, INDEXES)[0][0]
    site.execute(f"ALTER INDEX {_schema(site)}{name} SET (fillfactor = 50)".encode())
    packing = Packing(kept=KEPT)
    assert packing(worker, LATER).done == 1
    assert packing(worker, LATER).done == 0
    fill(site, NOW + timedelta(seconds=7000))
    assert packing(worker, LATER).done == 1, "it has grown since"


def test_without_room_it_fails_with_its_name_and_does_not_fill_the_disk_again_at_once(
    site: psycopg.Connection[Any],
) -> None:
    fill(site)
    before = rows_of(site, INDEXES)
    packing = Packing(kept=KEPT)
    little = f"{dsn_of(site)} options='-c maintenance_work_mem=1MB -c temp_file_limit=64kB'"
    with psycopg.connect(little, autocommit=True) as worker, pytest.raises(NoRoom, match="temp_file_limit"):
        packing(worker, LATER)
    assert rows_of(site, INDEXES) == before
    with connect(dsn_of(site)) as worker:
        with pytest.raises(NoRoom, match="not again before 2026-03-04 18:00"):
            packing(worker, LATER + timedelta(hours=5))
        assert packing(worker, LATER + timedelta(hours=6)).done == 1


def test_it_is_not_begun_while_somebodys_transaction_has_been_open_for_long(
    site: psycopg.Connection[Any], worker: psycopg.Connection[Any]
) -> None:
    fill(site)
    with snapshot(site):
        turn = Packing(kept=KEPT, open_s_max=0)(worker, LATER)
    assert turn.done == 0
    assert "in a transaction since" in turn.detail
    assert pack(worker).done == 1


def test_roll_ups_go_on_during_a_rebuild_and_a_killed_process_is_made_up_for(
    site: psycopg.Connection[Any], tmp_path: Path
) -> None:
    begin = (datetime.now(UTC) - 3 * DAY).replace(hour=12)
    fill(site, begin)
    site.execute(FILL.encode(), {"begin": begin + timedelta(seconds=500)})
    with Tend(dsn_of(site), tmp_path, "killed") as tend, snapshot(site):
        wait_until(lambda: _waiting(site), "the rebuild waits for the snapshot")
        put(site, Home().message([(0, SPO2, 9500)]))
        wait_until(lambda: rolled_up(site), "roll-ups do not wait for it")
        assert _waiting(site)
        tend.kill()
        wait_until(lambda: not rows_of(site, REBUILDS), "the server has noticed")
    assert [line[1] for line in rows_of(site, INDEXES)].count(False) == 1
    with Tend(dsn_of(site), tmp_path, "next") as tend:
        wait_until(lambda: "packed the day" in _said(site), "the next one packs it")
        assert "_ccnew" in _said(site)
        assert tend.metrics()['hearthwatch_tend_work_total{job="packing"}'] == 1
    assert all(line[1] for line in rows_of(site, INDEXES))


def test_a_stop_does_not_wait_for_a_rebuild(site: psycopg.Connection[Any], tmp_path: Path) -> None:
    fill(site, (datetime.now(UTC) - 3 * DAY).replace(hour=12))
    with Tend(dsn_of(site), tmp_path, "stopped") as tend, snapshot(site):
        wait_until(lambda: _waiting(site), "the rebuild waits for the snapshot")
        tend.process.terminate()
        assert tend.process.wait(timeout=60) == 0
    assert [job.failures for job in standing(dsn_of(site)).jobs if job.job == "packing"] == []


def test_days_are_chosen_by_what_they_waste() -> None:
    worse = replace(SOUND, name="worse", index="worse_identity", index_bytes=70_000_000)
    packed = replace(SOUND, index="packed_identity", index_bytes=40_500_000)
    unknown = replace(SOUND, rows=None)
    small = replace(SOUND, index_bytes=INDEX_BYTES_MIN - 1, rows=1)
    today = replace(SOUND, ends_at=NOW - timedelta(hours=23))
    old = replace(SOUND, ends_at=NOW - KEPT)
    assert closed([SOUND, small, today, old], NOW, kept=KEPT) == [SOUND]
    assert uncounted([SOUND, unknown]) == [unknown]
    assert loose([SOUND, packed, unknown, worse], {}) == [worse, SOUND]
    assert loose([SOUND, worse], {"worse_identity": 69_000_000}) == [SOUND]
    assert loose([worse], {"worse_identity": 50_000_000}) == [worse]


def _waiting(connection: psycopg.Connection[Any]) -> bool:
    statement = f"SELECT count(*) FROM ({REBUILDS}) r JOIN pg_locks l USING (pid) WHERE NOT granted"  # noqa: S608
    return rows_of(connection, statement) == [(1,)]


def _said(connection: psycopg.Connection[Any]) -> str:
    lines = rows_of(connection, "SELECT detail FROM tending WHERE job = 'packing'")
    return str(lines[0][0]) if lines else ""


def _schema(connection: psycopg.Connection[Any]) -> str:
    name = rows_of(connection, "SELECT piece::text FROM pieces_of('sample')")[0][0]
    return name.rpartition(".")[0] + "." if "." in name else ""

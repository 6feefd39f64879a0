"""Migrations: forward only, once each, the same files on both flavours."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from hearthwatch.migration_files import (
    BadMigrationFile,
    ChangedMigration,
    DatabaseAhead,
    Edition,
    LateMigration,
    Migration,
    in_order,
    parse,
    statements,
)
from hearthwatch.migrations import FailedMigration, migrate, packaged, status

HYPERTABLE = b"""
CREATE TABLE reading (patient_id int NOT NULL, at timestamptz NOT NULL, UNIQUE (patient_id, at))
-- hearthwatch: when plain
PARTITION BY RANGE (at)
-- hearthwatch: always
;
-- hearthwatch: when timescale
SELECT create_hypertable('reading', by_range('at', INTERVAL '1 day'));
-- hearthwatch: when plain
CREATE TABLE reading_20260101 PARTITION OF reading FOR VALUES FROM ('2026-01-01') TO ('2026-01-02');
-- hearthwatch: always
CREATE TABLE edition AS SELECT current_setting('hearthwatch.timescale') AS timescale;
"""
FIRST = parse("care", "0001_first.sql", b"CREATE TABLE a (n int);")
SECOND = parse("care", "0002_second.sql", b"CREATE TABLE b (n int);")


def test_the_packaged_migrations_apply_to_both_flavours_and_once_only(empty_database: str) -> None:
    todo = in_order(packaged())
    assert migrate(empty_database) == todo
    assert migrate(empty_database) == []
    now = status(empty_database)
    assert now.pending == []
    assert [(row.room, row.number) for row in now.applied] == [(each.room, each.number) for each in todo]


def test_the_same_file_makes_a_hypertable_or_a_partitioned_table(empty_database: str) -> None:
    files = [parse("ingest", "0001_reading.sql", HYPERTABLE)]
    migrate(empty_database, files)
    with psycopg.connect(empty_database) as db:
        (timescale,) = db.execute("SELECT timescale FROM edition").fetchone() or ()
        kind = db.execute("SELECT relkind FROM pg_class WHERE relname = 'reading'").fetchone()
        db.execute("INSERT INTO reading VALUES (1, '2026-01-01T12:00Z') ON CONFLICT DO NOTHING")
    expected = {"on": (Edition.TIMESCALE, ("r",)), "off": (Edition.PLAIN, ("p",))}
    assert expected[timescale] == (status(empty_database, files).edition, kind)


def test_an_unmigrated_database_is_all_pending(empty_database: str) -> None:
    now = status(empty_database, [FIRST])
    assert (now.edition, now.applied, now.pending) == (None, [], [FIRST])


def test_a_file_changed_after_it_was_applied_is_refused(empty_database: str) -> None:
    migrate(empty_database, [FIRST])
    changed = parse("care", "0001_first.sql", b"CREATE TABLE a (n bigint);")
    for run in (migrate, status):
        with pytest.raises(ChangedMigration, match=r"care/schema/0001_first\.sql"):
            run(empty_database, [changed, SECOND])
    assert _tables(empty_database) >= {"a"}
    assert "b" not in _tables(empty_database)


def test_a_file_added_below_an_applied_one_is_refused(empty_database: str) -> None:
    migrate(empty_database, [SECOND])
    with pytest.raises(LateMigration, match=r"0001_first"):
        migrate(empty_database, [FIRST, SECOND])


def test_a_database_of_a_newer_program_is_refused(empty_database: str) -> None:
    migrate(empty_database, [FIRST, SECOND])
    with pytest.raises(DatabaseAhead, match=r"0002_second"):
        migrate(empty_database, [FIRST])


def test_a_failing_file_leaves_nothing_and_names_its_line(empty_database: str) -> None:
    broken = parse("care", "0002_broken.sql", b"CREATE TABLE c (n int);\n\nCREATE TABEL d (n int);")
    with pytest.raises(FailedMigration, match=r"care/schema/0002_broken\.sql line 3.*TABEL"):
        migrate(empty_database, [FIRST, broken])
    assert {"a", "c"} & _tables(empty_database) == {"a"}
    assert migrate(empty_database, [FIRST, SECOND]) == [SECOND]


def test_two_runners_at_once_apply_each_file_once(empty_database: str) -> None:
    files = [parse("care", f"{n:04}_t.sql", f"CREATE TABLE t{n} (n int);".encode()) for n in range(1, 13)]
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(empty_database, files), range(4)))
    assert sorted((each for part in applied for each in part), key=lambda each: each.number) == files


def test_rooms_are_run_in_the_order_in_which_they_build_on_each_other() -> None:
    rooms = ("dashboards", "alerting", "ingest", "care")
    files = [parse(room, "0001_x.sql", b"") for room in rooms]
    assert [each.room for each in in_order(files)] == ["care", "ingest", "alerting", "dashboards"]


def test_a_number_used_twice_is_refused() -> None:
    with pytest.raises(BadMigrationFile, match="same number"):
        in_order([FIRST, parse("care", "0001_other.sql", b"")])


@pytest.mark.parametrize("name", ["1_x.sql", "0001-x.sql", "0001_X.sql", "0001_.sql", "0001_x.SQL"])
def test_a_file_with_another_name_is_refused(name: str) -> None:
    with pytest.raises(BadMigrationFile, match="NNNN_what"):
        parse("care", name, b"")


def test_an_unknown_marker_is_refused_with_its_line() -> None:
    with pytest.raises(BadMigrationFile, match="line 2: 'when oracle'"):
        parse("care", "0001_x.sql", b"SELECT 1;\n-- hearthwatch: when oracle\nSELECT 2;")


def test_skipped_blocks_leave_the_lines_where_they_were() -> None:
    content = b"a\n-- hearthwatch: when plain\nb\n-- hearthwatch: when timescale\nc\n-- hearthwatch: always\nd"
    migration: Migration = parse("care", "0001_x.sql", content)
    assert statements(migration, Edition.PLAIN) == "a\n\nb\n\n\n\nd"
    assert statements(migration, Edition.TIMESCALE) == "a\n\n\n\nc\n\nd"


def _tables(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as db:
        return {name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

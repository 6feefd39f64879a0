"""Time-driven work as its own process: one of several works, a failing job stops no other, a kill costs nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from hearthwatch.doctor.tending import tending
from hearthwatch.services.ports import free_port
from hearthwatch.services.process import tied_to_parent
from ingest.commands import app
from ingest.settings import IngestSettings
from ingest.tend.app import jobs
from ingest.tend.due import RETRY_MOST_S, Schedule, retry_after_s
from ingest.tend.metrics import TendingMetrics
from tests.ingest.county import NOW_MS, REGISTRY, SPO2, UNBOUND, Home, connect, put, rows_of
from tests.ingest.rollup_oracle import expected, found
from tests.ingest.service import metrics_of, wait_until
from tests.ingest.test_rollups import Traffic
from vitals.finding import Verdict

WORKING = "hearthwatch_tend_working"


class Tend(AbstractContextManager["Tend"]):
    """`hearthwatch ingest tend` as a process of its own, with short periods."""

    def __init__(self, dsn: str, folder: Path, name: str) -> None:
        self.port = free_port()
        self._log = folder / f"{name}.log"
        own = {
            "MINUTES_EVERY_S": "0.05",
            "HOURS_EVERY_S": "0.05",
            "WAITING_EVERY_S": "0.05",
            "ACCOUNTS_EVERY_S": "0.05",
            "METRICS_PORT": str(self.port),
        }
        environment = {
            "HEARTHWATCH_DATABASE_DSN": dsn,
            "PATH": os.environ["PATH"],
            **{f"HEARTHWATCH_INGEST_TEND_{key}": value for key, value in own.items()},
        }
        command = (sys.executable, "-W", "error", "-m", "hearthwatch", "ingest", "tend")
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(tied_to_parent(command), env=environment, stdout=log, stderr=log)

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL it."""
        self.process.kill()
        self.process.wait()

    def metrics(self) -> dict[str, float]:
        """Read its figures."""
        return metrics_of(self.port)

    def works(self) -> bool:
        """Say whether it is the one that works."""
        return self.metrics().get(WORKING) == 1

    def levels(self, event: str) -> set[str]:
        """Say at which levels it has logged an event."""
        lines = self._log.read_text().splitlines(keepends=True)
        said = [json.loads(line) for line in lines if line.endswith("\n")]
        return {each["level"] for each in said if each["event"] == event}

    def stands_by(self) -> bool:
        """Say whether it waits for another one to end."""
        return self._log.exists() and "another one works" in self._log.read_text()


@pytest.fixture
def site(any_database: str) -> Iterator[psycopg.Connection[Any]]:
    """A database of its own with the county's registry."""
    with connect(any_database) as connection:
        connection.execute(REGISTRY)
        yield connection


def dsn_of(connection: psycopg.Connection[Any]) -> str:
    return f"{connection.info.dsn} user={connection.info.user}"


def rolled_up(connection: psycopg.Connection[Any]) -> bool:
    """Say whether the roll-ups have read everything and no hour waits."""
    row = connection.execute(
        "SELECT (SELECT sum(p.head - r.batch_id) FROM intake_reader r JOIN partition p USING (partition)"
        " WHERE reader = 'rollups') + (SELECT count(*) FROM dirty_hour)"
    ).fetchone()
    return row is not None and row[0] == 0


def test_a_database_that_is_away_is_a_warning(tmp_path: Path) -> None:
    with Tend(f"host=127.0.0.1 port={free_port()}", tmp_path, "alone") as tend:
        wait_until(lambda: tend.levels("database_unreachable"), "it says that the database is away")
        assert tend.levels("database_unreachable") == {"warning"}


def test_of_two_processes_one_works_and_the_other_takes_over(site: psycopg.Connection[Any], tmp_path: Path) -> None:
    dsn = dsn_of(site)
    with Tend(dsn, tmp_path, "first") as first:
        wait_until(first.works, "the first works")
        with Tend(dsn, tmp_path, "second") as second:
            wait_until(second.stands_by, "the second stands by")
            assert second.metrics()[WORKING] == 0
            put(site, Home().message([(0, SPO2, 9500)]))
            wait_until(lambda: rolled_up(site), "the first rolls up")
            first.kill()
            wait_until(second.works, "the second takes over")
            put(site, Home().message([(1_000, SPO2, 8900)]))
            wait_until(lambda: rolled_up(site), "the second rolls up")
            second.process.terminate()
            assert second.process.wait(timeout=20) == 0
    assert found(site, "minute_rollup") == expected(site, 60_000)


def test_kills_at_random_instants_of_the_whole_process(site: psycopg.Connection[Any], tmp_path: Path) -> None:
    traffic = Traffic(31)
    dsn = dsn_of(site)
    for number in range(4):
        with Tend(dsn, tmp_path, f"worker-{number}") as worker:
            wait_until(worker.works, "it works")
            for _ in range(traffic.random.randint(5, 15)):
                traffic.send(site)
    with ExitStack() as last:
        worker = last.enter_context(Tend(dsn, tmp_path, "last"))
        wait_until(lambda: worker.works() and rolled_up(site), "it has caught up")
    assert found(site, "minute_rollup") == expected(site, 60_000)
    assert found(site, "hour_rollup") == expected(site, 3_600_000)


def test_a_binding_added_later_lifts_what_waited_for_it(site: psycopg.Connection[Any], tmp_path: Path) -> None:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    put(site, Home().message([(0, SPO2, 9500)], devices=[UNBOUND], t0_ms=now_ms), received_ms=now_ms)
    with Tend(dsn_of(site), tmp_path, "only") as worker:
        wait_until(worker.works, "it works")
        site.execute("INSERT INTO binding (device_id, patient_id, valid) VALUES (19, 1, '[2020-01-01,)')")
        site.execute("UPDATE registry_version SET version = version + 1")
        done = 'hearthwatch_tend_work_total{job="waiting"}'
        wait_until(lambda: worker.metrics().get(done) == 1, "it has lifted the reading")
    assert rows_of(site, "SELECT patient_id, spo2 FROM sample") == [(1, 9500)]


def test_a_job_that_fails_is_named_and_the_others_go_on(
    site: psycopg.Connection[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = dsn_of(site)
    now = datetime.now(UTC)
    assert tending(dsn, now).verdict is Verdict.WARNING
    site.execute("ALTER TABLE minute_rollup ADD CONSTRAINT in_the_way CHECK (spo2_good IS NULL)")
    put(site, Home().message([(0, SPO2, 9500)]))
    with Tend(dsn, tmp_path, "only") as worker:
        failures = 'hearthwatch_tend_failures{job="minute_rollups"}'
        others = 'hearthwatch_tend_last_success_timestamp_seconds{job="compression"}'
        wait_until(lambda: worker.metrics().get(failures, 0) >= 1, "the job has failed")
        wait_until(lambda: worker.metrics().get(others, 0) > 0, "the other jobs have run")
        finding = tending(dsn, now)
        assert finding.verdict is Verdict.BROKEN
        assert "minute_rollups" in finding.found.en
        assert "in_the_way" in finding.found.en
        site.execute("ALTER TABLE minute_rollup DROP CONSTRAINT in_the_way")
        wait_until(lambda: rolled_up(site), "it is tried again", within_s=60)
        wait_until(lambda: tending(dsn, now).verdict is Verdict.FINE, "the doctor is content")
        monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", dsn)
        said = CliRunner().invoke(app, ["tend", "--status"]).stdout
        assert "at work since" in said
        assert "the roll-ups have 0 batches before them" in said
        lines = CliRunner().invoke(app, ["tend", "--status", "--json"]).stdout.splitlines()
        told = {line["job"]: line for line in map(json.loads, lines)}
        assert set(told) == set(jobs(IngestSettings(), TendingMetrics()))
        assert told["minute_rollups"]["left_s"] == 0
    assert tending(dsn, now + timedelta(days=1)).verdict is Verdict.BROKEN
    wait_until(lambda: "nobody is at work" in CliRunner().invoke(app, ["tend", "--status"]).stdout, "its lock is gone")


def test_it_survives_its_connection(site: psycopg.Connection[Any], tmp_path: Path) -> None:
    with Tend(dsn_of(site), tmp_path, "only") as worker:
        wait_until(worker.works, "it works")
        site.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'hearthwatch-tend' AND datname = current_database()"
        )
        put(site, Home().message([(0, SPO2, 9500)], t0_ms=NOW_MS))
        wait_until(lambda: rolled_up(site), "it goes on with a new connection")


def test_a_job_with_more_to_do_goes_behind_all_that_are_due() -> None:
    schedule = Schedule({"long": 60, "short": 10})
    assert schedule.next_due(100) == "long"
    schedule.went_well("long", 101, more=True)
    assert schedule.next_due(101) == "short"
    schedule.went_well("short", 102, more=False)
    assert schedule.next_due(102) == "long"
    schedule.went_well("long", 103, more=False)
    assert schedule.next_due(111.9) is None
    assert schedule.wait_s(110) == 2
    assert schedule.next_due(112) == "short"


def test_a_failing_job_waits_longer_each_time_up_to_a_bound() -> None:
    assert [retry_after_s(n) for n in (1, 2, 3, 100)] == [5, 10, 20, RETRY_MOST_S]
    schedule = Schedule({"bad": 60, "good": 10})
    assert schedule.failed("bad", 100) == 5
    assert schedule.failed("bad", 105) == 10
    assert schedule.next_due(105) == "good"
    schedule.went_well("bad", 115, more=False)
    assert schedule.failed("bad", 175) == 5


def test_roll_ups_must_outlive_what_they_are_made_of() -> None:
    with pytest.raises(ValueError, match="ingest_minute_rollup_days must be at least"):
        IngestSettings(ingest_retention_days=800)

"""Alerting as a process: waits for its database, judges what lies there, and ends when told to."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hearthwatch.migrations import migrate
from hearthwatch.services.postgres import Postgres
from tests.alerting.streams import FALL_S
from tests.alerting.ward import Ward

pytestmark = pytest.mark.long

WITHIN_S = 180


class Process(AbstractContextManager["Process"]):
    """`hearthwatch alerting run`, its log in a file; gone at the end of the block, whatever the test did."""

    def __init__(self, dsn: str, log: Path, command: str = "run", **settings: str) -> None:
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hearthwatch", "alerting", command],
                stderr=out,
                env=os.environ
                | {"HEARTHWATCH_DATABASE_DSN": dsn, "HEARTHWATCH_ALERTING_SITE_ALTITUDE_M": "50"}
                | settings,
            )

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """Ask it to end; gives its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def events(self) -> list[str]:
        """List what it has logged so far."""
        return [line["event"] for line in self.lines()]

    def senders(self) -> list[int]:
        """List the processes that it has let send, each as it began."""
        return [line["pid"] for line in self.lines() if line["event"] == "sender_begins"]

    def lines(self) -> list[dict[str, Any]]:
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


def eventually(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < limit, "did not come to pass"
        time.sleep(0.05)


@pytest.fixture
def missing_database(timescale_server: Postgres) -> Iterator[str]:
    """The name of a database that is not there yet."""
    name = "late_database"
    yield name
    with psycopg.connect(timescale_server.dsn(), autocommit=True) as db:
        db.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_it_waits_for_its_database_and_says_so(
    timescale_server: Postgres, missing_database: str, tmp_path: Path
) -> None:
    with Process(timescale_server.dsn(missing_database), tmp_path / "log") as alerting:
        eventually(lambda: "database_unreachable" in alerting.events())
        with psycopg.connect(timescale_server.dsn(), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {missing_database} TEMPLATE template0")
        migrate(timescale_server.dsn(missing_database))
        eventually(lambda: alerting.events().count("duty_begins") == 7)
        assert alerting.stop() == 0


def test_what_lies_in_the_log_is_judged_and_escalated_by_the_process(database: str, tmp_path: Path) -> None:
    with Ward(database) as ward:
        ward.spo2(1, [8400] * FALL_S, judged=False)
        with Process(database, tmp_path / "log") as first:
            eventually(lambda: any(not e.technical for e in ward.episodes()))
            assert first.stop() == 0
        ward.connection.execute("UPDATE episode SET due_at = now()")
        with Process(database, tmp_path / "log2") as again:
            eventually(lambda: any(e.step == 1 for e in ward.episodes() if not e.technical))
            assert again.stop() == 0
            assert {"duty_still_at_work", "duty_failed"}.isdisjoint(first.events() + again.events())
        assert ward.history().count("raised") == len(ward.episodes())


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_who_sends_is_replaced_when_killed_and_ends_with_who_began_it(database: str, tmp_path: Path) -> None:
    with Process(database, tmp_path / "log") as alerting:
        eventually(lambda: len(alerting.senders()) == 1)
        os.kill(alerting.senders()[0], signal.SIGKILL)
        eventually(lambda: len(alerting.senders()) == 2)
        assert "sender_ended" in alerting.events()
        alerting.process.kill()
        eventually(lambda: not lives(alerting.senders()[1]))


def test_a_sender_alone_sends_what_is_due(database: str, tmp_path: Path) -> None:
    with Ward(database) as ward:
        ward.spo2(1, [8400] * FALL_S)
        assert ward.episodes()
        tried = "SELECT count(*) FILTER (WHERE attempts > 0 AND outcome <> '') AS n FROM notice"
        assert ward.connection.execute(tried).fetchall() == [(0,)]
        with Process(database, tmp_path / "log", "send"):
            eventually(lambda: ward.connection.execute(tried).fetchall() != [(0,)])


def refused(**settings: str) -> str:
    """Run alerting under settings it can not use; gives what it says."""
    run = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "alerting", "run"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | settings,
    )
    assert run.returncode == 2
    return run.stderr


def test_a_profile_that_can_not_be_used_ends_it_with_the_reason(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('name = "x"', encoding="utf-8")
    assert "sustained is missing" in refused(HEARTHWATCH_ALERTING_PROFILE=str(wrong))


def test_a_misspelt_setting_is_refused_with_the_right_name() -> None:
    assert "did you mean HEARTHWATCH_ALERTING_PROFILE?" in refused(HEARTHWATCH_ALERTING_PROFIL="x.toml")


def test_nobody_is_watched_at_an_altitude_that_nobody_said() -> None:
    said = refused()
    assert "HEARTHWATCH_ALERTING_SITE_ALTITUDE_M is not set" in said
    assert len(said.splitlines()) == 1


def test_a_site_high_up_needs_a_table_of_its_own() -> None:
    said = refused(HEARTHWATCH_ALERTING_SITE_ALTITUDE_M="3650")
    assert "3650 m" in said
    assert "[variant.altitude]" in said
    assert len(said.splitlines()) == 1


def test_a_killed_workers_partitions_are_taken_over_when_its_lease_has_run_out(database: str, tmp_path: Path) -> None:
    def owned(ward: Ward) -> list[tuple[str, int]]:
        rows = ward.connection.execute("SELECT owner, count(*) AS n FROM engine_cursor GROUP BY owner ORDER BY owner")
        return [(row.owner, row.n) for row in rows.fetchall()]

    with (
        Ward(database) as ward,
        Process(database, tmp_path / "a", HEARTHWATCH_ALERTING_OWNER="a", HEARTHWATCH_ALERTING_LEASE_S="5") as first,
        Process(database, tmp_path / "b", HEARTHWATCH_ALERTING_OWNER="b", HEARTHWATCH_ALERTING_LEASE_S="5"),
    ):
        ward.judge.leave(ward.desk())
        eventually(lambda: owned(ward) == [("a", 16), ("b", 16)])
        first.process.kill()
        ward.spo2(1, [8400] * FALL_S, judged=False)
        ward.spo2(2, [8400] * FALL_S, judged=False)
        eventually(lambda: owned(ward) == [("b", 32)])
        eventually(lambda: sorted(e.patient_id for e in ward.episodes() if not e.technical) == [1, 2])

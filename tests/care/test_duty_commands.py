"""`hearthwatch care duty`: shows who is on and the holes, takes a duty over, notes leave; by whoever may say it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from care.commands import app
from care.loading import load
from tests.care.example import without_passwords

SOON = (datetime.now(UTC) + timedelta(hours=20)).strftime("%Y-%m-%dT%H:%M")
LATER = (datetime.now(UTC) + timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def connection(database: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", database)
    with psycopg.connect(database, autocommit=True) as opened:
        load(opened, without_passwords(), now=datetime.now(UTC))
        opened.execute("UPDATE person SET role = 'coordinator', organisation_id = 1 WHERE key = 'sun'")
        opened.execute(
            "UPDATE person SET organisation_id = (SELECT organisation_id FROM organisation WHERE key = 'heping-centre')"
            " WHERE key = 'sun'"
        )
        yield opened


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["duty", *words])


def test_who_is_on_duty_now_and_where_nobody_will_be(connection: Any) -> None:
    shown = run("show", "--days", "1")
    assert shown.exit_code == 0, shown.output
    assert "now   heping-centre  township_duty  赵医生(镇值班) (zhao) beyond" in shown.stdout
    connection.execute("UPDATE duty SET valid = tstzrange(NULL, now() + '2 hours') WHERE duty_role = 'township_duty'")
    shown = run("show", "--days", "1", "--at", "heping-centre")
    assert shown.exit_code == 1
    assert "HOLE  township_duty for the patients of liuzhuang-village: nobody from" in shown.stdout
    assert "county_expert" not in shown.stdout


def test_a_duty_is_taken_over_by_who_may_hold_it_or_by_who_keeps_the_roster(connection: Any) -> None:
    take = ["take-over", "--at", "heping-centre", "--role", "township_duty", "--until", SOON]
    done = run(*take, "--person", "chen", "--by", "chen", "--reason", "ill")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("change 1 holds")
    assert "now   heping-centre  township_duty  陈医生 (chen)" in run("show", "--days", "1").stdout
    row = connection.execute("SELECT reason, said_by = person_id FROM duty_change").fetchone()
    assert row == ("ill", True)
    assert run(*take, "--person", "li", "--by", "sun").exit_code == 0
    for by, said in (("chen", "chen may not say this of li"), ("nobody", "'nobody'")):
        refused = run(*take, "--person", "li", "--by", by)
        assert refused.exit_code == 1
        assert said in refused.output
    wrong = run(*take, "--person", "wang", "--by", "wang")
    assert "wrong_role: wang is county_expert; township_duty is held by: duty, family_doctor" in wrong.output
    assert connection.execute("SELECT count(*) FROM duty_change").fetchone()[0] == 2


def test_leave_with_a_substitute_and_a_time_that_is_none(connection: Any) -> None:
    away = run("leave", "--person", "li", "--from", SOON, "--until", LATER, "--substitute", "chen", "--by", "li")
    assert away.exit_code == 0, away.output
    kind = connection.execute("SELECT kind, substitute_id IS NOT NULL FROM duty_change").fetchone()
    assert kind == ("leave", True)
    for until, said in (
        ("tomorrow", "'tomorrow' is no time: write it as 2026-03-02T08:00"),
        ("2020-01-01T08:00", "empty:"),
    ):
        refused = run("leave", "--person", "li", "--until", until, "--by", "li")
        assert refused.exit_code == 1
        assert said in refused.output


@pytest.mark.parametrize("command", ["show", "take-over", "leave"])
def test_help_teaches(command: str) -> None:
    said = run(command, "--help")
    assert said.exit_code == 0
    assert "Usage" in said.output
    assert "docs/duty.md" in run("--help").output

"""Who is on duty, and when nobody will be: holes are seen days ahead; on real databases."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from care.commands import app
from care.duty import roster, roster_holes
from care.loading import load
from tests.care.example import without_passwords

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SHIFT = """[[duty]]
organisation = "heping-centre"
role = "township_duty"
person = "zhao"
"""


def shift(begin: str, end: str) -> str:
    return f"{SHIFT}from = {begin}\nuntil = {end}\n"


@pytest.fixture
def connection(any_database: str) -> Any:
    with psycopg.connect(any_database, autocommit=True) as opened:
        yield opened


def test_an_example_without_ends_has_no_hole(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords(), now=NOW)
    assert roster_holes(connection, NOW, NOW + 30 * DAY) == []
    assert {(each.duty_role, each.person) for each in roster(connection, NOW, NOW + DAY)} >= {
        ("township_duty", "zhao"),
        ("county_expert", "wang"),
        ("operations", "ops"),
    }


def test_a_gap_between_two_shifts_and_the_end_of_the_last_are_holes(connection: psycopg.Connection[Any]) -> None:
    first = shift("2026-11-22T08:00:00Z", "2026-11-23T08:00:00Z")
    second = shift("2026-11-23T09:00:00Z", "2026-11-24T08:00:00Z")
    load(connection, without_passwords((SHIFT, first + "\n" + second)), now=NOW)
    holes = roster_holes(connection, NOW, NOW + 3 * DAY)
    assert {(each.organisation, each.duty_role) for each in holes} == {("liuzhuang-village", "township_duty")}
    assert [(each.since, each.until) for each in holes] == [
        (datetime(2026, 11, 23, 8, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (datetime(2026, 11, 24, 8, tzinfo=UTC), NOW + 3 * DAY),
    ]


def test_somebody_above_fills_the_hole_below(connection: psycopg.Connection[Any]) -> None:
    load(connection, without_passwords((SHIFT, SHIFT.replace("heping-centre", "anping-county"))), now=NOW)
    assert roster_holes(connection, NOW, NOW + DAY) == []


def test_the_command_lists_shifts_and_holes_and_ends_with_1(
    connection: psycopg.Connection[Any], any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(connection, without_passwords((SHIFT, "")), now=NOW)
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", any_database)
    printed = CliRunner().invoke(app, ["roster", "--days", "2"])
    assert printed.exit_code == 1
    assert "NOBODY  township_duty for the patients of liuzhuang-village" in printed.stdout
    lines = [json.loads(line) for line in CliRunner().invoke(app, ["roster", "--json"]).stdout.splitlines()]
    assert [line["duty_role"] for line in lines if line["kind"] == "hole"] == ["township_duty"]

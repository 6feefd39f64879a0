"""Colours follow facts and birthdays upwards, say where they come from, and ask for a look; on real databases."""

import re
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from care.loading import load
from care.recolouring import Recoloured, look_at_colours
from care.registry import Registry
from care.registry_file import parse_registry
from tests.care.example import SOURCE, TEXT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def with_facts(key: str, *, disease: str, vaccination: str, colour: str = "yellow") -> Registry:
    """Give the example with facts for one patient, and without passwords, which take their time to hash."""
    head, tail = re.sub(r"(?m)^password = .*\n", "", TEXT).split(f"[patient.{key}]\n", 1)
    body, rest = tail.split("\n[", 1)
    body = body.replace('risk_colour = "yellow"', f'risk_colour = "{colour}"')
    facts = f'underlying_disease = "{disease}"\nvaccination = "{vaccination}"\n'
    return parse_registry(f"{head}[patient.{key}]\n{facts}{body}\n[{rest}", SOURCE)


@pytest.fixture
def connection(any_database: str) -> Any:
    with psycopg.connect(any_database, autocommit=True) as opened:
        yield opened


def colour(connection: psycopg.Connection[Any], key: str) -> str:
    row = connection.execute("SELECT risk_colour FROM patient WHERE key = %s", (key,)).fetchone()
    assert row is not None
    return str(row[0])


def assessments(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT was, colour, clause, points, review FROM risk_assessment ORDER BY assessment_id"
    ).fetchall()


def test_facts_raise_a_colour_with_their_clause_and_loading_again_changes_nothing(
    connection: psycopg.Connection[Any],
) -> None:
    registry = with_facts("p1", disease="unstable", vaccination="none")  # born in 1948: 78
    assert load(connection, registry, now=NOW).colours == 1
    assert colour(connection, "p1") == "red"
    assert assessments(connection) == [("yellow", "red", "red-2", 5, "")]
    assert load(connection, registry, now=NOW).changes == 0
    assert len(assessments(connection)) == 1


def test_better_facts_lower_nothing_and_ask_for_a_look(connection: psycopg.Connection[Any]) -> None:
    load(connection, with_facts("p1", disease="unstable", vaccination="none"), now=NOW)
    load(connection, with_facts("p1", disease="none", vaccination="full"), now=NOW)
    assert colour(connection, "p1") == "red"
    assert assessments(connection)[-1] == ("red", "red", "green-1", 1, "would_lower")
    waiting = connection.execute("SELECT colour, review FROM care_colour_to_review").fetchall()
    assert waiting == [("red", "would_lower")]


def test_a_score_above_the_table_asks_for_a_look(connection: psycopg.Connection[Any]) -> None:
    registry = with_facts("p1", disease="none", vaccination="none", colour="green")
    load(connection, registry, now=NOW)
    assert colour(connection, "p1") == "green"
    assert assessments(connection) == [("green", "green", "green-1", 3, "score_above_table")]


def test_a_person_may_lower_a_colour_as_far_as_the_facts_go(connection: psycopg.Connection[Any]) -> None:
    load(connection, with_facts("p1", disease="none", vaccination="full", colour="red"), now=NOW)
    assert colour(connection, "p1") == "red"
    load(connection, with_facts("p1", disease="none", vaccination="full", colour="green"), now=NOW)
    assert colour(connection, "p1") == "green"


def test_the_80th_birthday_raises_at_midnight_where_the_patient_lives(connection: psycopg.Connection[Any]) -> None:
    registry = with_facts("p4", disease="stable", vaccination="none")  # born on 1946-01-30, in Asia/Shanghai
    load(connection, registry, now=datetime(2026, 1, 29, 12, tzinfo=UTC))
    assert colour(connection, "p4") == "yellow"
    before = datetime(2026, 1, 29, 15, 59, tzinfo=UTC)
    assert look_at_colours(connection, now=before) == Recoloured(assessed=1)
    after = datetime(2026, 1, 29, 16, 0, tzinfo=UTC)
    version = connection.execute("SELECT version FROM registry_version").fetchone()
    assert look_at_colours(connection, now=after) == Recoloured(assessed=1, raised=1)
    assert colour(connection, "p4") == "red"
    assert connection.execute("SELECT version FROM registry_version").fetchone() != version

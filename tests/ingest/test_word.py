"""Ingest's own word in the database: that it lives, and whether it hears a broker."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from care.sql import load_queries
from hearthwatch.services.mosquitto import Mosquitto
from tests.ingest.county import connect, rows_of
from tests.ingest.service import Service, wait_until

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SAY = load_queries("ingest")["say_word"]


def test_a_running_ingest_says_that_it_hears_and_that_it_hears_no_more(
    database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    def word() -> Any:
        return rows_of(county, "SELECT hears, said_at, since FROM ingest_word")

    with connect(database) as county, Service(database, own_broker, tmp_path):
        wait_until(lambda: [row[0] for row in word()] == [True], "it says that it hears")
        ((_, first, since),) = word()
        wait_until(lambda: word()[0][1] > first, "it says so again")
        assert word()[0][2] == since
        own_broker.kill()
        wait_until(lambda: not word()[0][0], "it says that it hears no broker")
        assert word()[0][2] > since


def said(connection: psycopg.Connection[Any], at_s: float, *, hears: bool) -> float:
    """Say a word so many seconds after NOW; gives since when, in the same seconds."""
    at = NOW + timedelta(seconds=at_s)
    connection.execute(SAY, {"process": "ingest", "now": at, "every_s": 5.0, "hears": hears})
    (row,) = connection.execute("SELECT since FROM ingest_word").fetchall()
    return float((row[0] - NOW).total_seconds())


@pytest.mark.parametrize("hears", [True, False])
def test_since_when_is_of_the_present_state(any_database: str, hears: bool) -> None:
    with connect(any_database) as connection:
        assert [said(connection, at, hears=hears) for at in (0, 5, 10)] == [0, 0, 0]
        assert said(connection, 15, hears=not hears) == 15


def test_who_comes_back_hearing_hears_since_now_and_who_comes_back_deaf_was_deaf_all_along(any_database: str) -> None:
    with connect(any_database) as connection:
        assert said(connection, 0, hears=True) == 0
        assert said(connection, 600, hears=True) == 600
        assert said(connection, 605, hears=False) == 605
        assert said(connection, 1200, hears=False) == 605

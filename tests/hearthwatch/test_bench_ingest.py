"""The benches of ingest, each once in very small: what must be exact is, and the comparison that says so can fail."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from care.loading import load
from care.registry_file import parse_registry
from hearthwatch.bench.ingest import chaos as ingest_chaos
from hearthwatch.bench.ingest import day as ingest_day
from hearthwatch.bench.ingest import fuzz as ingest_fuzz
from hearthwatch.bench.ingest import measure as ingest
from hearthwatch.bench.ingest.county_traffic import County, Form
from hearthwatch.bench.ingest.oracle import FEED_ROW_BYTES, compare, made
from hearthwatch.bench.ingest.publisher import Plan

pytestmark = pytest.mark.long

COUNTY = County(gateways=5, devices=2)
BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
SENT = Plan(
    form=Form.PACKED,
    county=COUNTY,
    readings=10 * COUNTY.rows,
    rows_per_s=0,
    open_max=1000,
    run="small",
    t0_ms=int(BEGIN.timestamp() * 1000),
    seed=5,
)
WELL = {"in_database": 400, "missing": 0, "wrong": 0, "unexpected": 0, "doubled_in_feed": 0}


@pytest.fixture
def held(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A database that holds what was sent, written here by SQL."""
    with psycopg.connect(database, autocommit=True) as connection:
        load(connection, parse_registry(ingest.registry_text(COUNTY), "test"), now=datetime.now(UTC))
        devices = dict(connection.execute("SELECT device_key, device_id FROM care_device").fetchall())
        readings = made(SENT, devices)
        connection.execute("SELECT sample_make_room(ARRAY[%s::date])", [BEGIN])
        for (device, at_ms, signal), spo2 in readings.items():
            if signal == 1:
                connection.execute(
                    "INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2, pulse)"
                    " VALUES (to_timestamp(%s / 1000.0), now(), 1, %s, 0, %s, %s)",
                    [at_ms, device, spo2, readings[device, at_ms, 2]],
                )
        log(connection, readings=len(readings))
        yield connection


def log(connection: psycopg.Connection[Any], *, readings: int) -> None:
    connection.execute(
        "INSERT INTO intake_log SELECT 0, coalesce(max(batch_id), 0) + 1, now(), %s FROM intake_log",
        [bytes(readings * FEED_ROW_BYTES)],
    )


FIRST = "ctid = (SELECT min(ctid) FROM sample) AND tableoid = (SELECT min(tableoid) FROM sample)"


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("SELECT", {}),
        ("DELETE FROM sample WHERE {first}", {"in_database": 398, "missing": 2, "doubled_in_feed": 2}),
        ("UPDATE sample SET pulse = pulse + 1 WHERE {first}", {"wrong": 1}),
        ("UPDATE sample SET spo2 = NULL WHERE {first}", {"in_database": 399, "missing": 1, "doubled_in_feed": 1}),
        (
            "UPDATE sample SET measured_at = measured_at + INTERVAL '1 ms' WHERE {first}",
            {"missing": 2, "unexpected": 2},
        ),
        ("UPDATE sample SET spo2 = pulse, pulse = spo2", {"wrong": 400}),
    ],
)
def test_the_comparison_counts_what_is_missing_wrong_and_unexpected(
    held: psycopg.Connection[Any], database: str, harm: str, found: dict[str, int]
) -> None:
    held.execute(harm.format(first=FIRST).encode())
    assert compare(database, SENT) == {**WELL, **found}


def test_the_comparison_counts_what_the_feed_says_twice(held: psycopg.Connection[Any], database: str) -> None:
    log(held, readings=3)
    assert compare(database, SENT) == {**WELL, "doubled_in_feed": 3}


def test_ingest_in_small(tmp_path: Path) -> None:
    plan = ingest.Plan(
        packed=3200, json=1600, json_single=200, packed_four_signals=1600, paced_seconds=0.5, county=COUNTY
    )
    document = ingest.measure(tmp_path, plan, print)
    goals = exact(document)
    assert [goal for goal in goals if goal.startswith("readings stored")] == [
        "readings stored, of those sent packed at full speed",
        "readings stored, of those sent as JSON columns",
        "readings stored, of those sent as JSON, one a message",
        "readings stored, of those sent packed at half the rate",
        "readings stored, of those sent packed with four signals",
    ]
    assert document["forms"][0]["in_database"] == 3200


def test_ingest_under_kills_in_small(tmp_path: Path) -> None:
    plan = ingest_chaos.Plan(rounds=3, pause_s=(0.2, 0.6), rows_per_s=2000, county=COUNTY)
    document = ingest_chaos.measure(tmp_path, plan, print)
    assert len(exact(document)) == 8
    assert sorted(document["kills"].values()) == [1, 1, 1]


def test_ingest_beside_malformed_messages_in_small(tmp_path: Path) -> None:
    plan = ingest_fuzz.Plan(malformed=300, good_per_s=2000, good_seconds=1, county=COUNTY)
    document = ingest_fuzz.measure(tmp_path, plan, print)
    assert len(exact(document)) == 5
    assert sum(document["by_reason"].values()) == 300


def test_a_day_of_ingest_in_small(tmp_path: Path) -> None:
    document = ingest_day.measure(tmp_path, ingest_day.Plan(patients=40, hours=0.1), print)
    assert len(exact(document)) == 3
    assert document["samples"] == 40 * 72


def exact(document: dict[str, Any]) -> list[str]:
    """Name the goals of a document that ask for a number; none of them is missed."""
    exact = [goal for goal in document["goals"] if "=" not in goal["asked"]]
    assert [goal for goal in exact if not goal["met"]] == []
    assert document["machine"]["cores"] >= 1
    return [goal["goal"] for goal in exact]

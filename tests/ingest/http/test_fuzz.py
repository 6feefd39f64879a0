"""The HTTP intake against what nobody would send: by its own description (schemathesis), and by made-up bodies."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.county import LENT, OXIMETER, REGISTRY, THERMOMETER, UNBOUND, connect, rows_of
from tests.ingest.http.server import HttpService, Phone, make_token, now_ms
from vitals.quality import Quality, Reason
from vitals.signals import Signal

WITHIN_S = 110
CONFIG = """
[parameters]
"query.gateway" = "gw-1"
[checks]
# 400: that the columns are of one length is more than a JSON schema can say.
positive_data_acceptance.expected-statuses = [200, 207, 400, 409]
"""

pytestmark = pytest.mark.timeout(240)
bounded = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def county(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as connection:
        connection.execute(REGISTRY)
        yield connection


@pytest.fixture
def phone(database: str, county: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Phone]:
    with HttpService(database, tmp_path, requests_per_s="100000", requests_burst="100000") as service:
        yield Phone(service, make_token(county))


def schemathesis(phone: Phone, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Try every operation of the description with data that fit and data that do not."""
    command = (sys.executable, "-m", "schemathesis.cli", *options, "run", f"{phone.service.url}/openapi.json")
    fixed = ("--generation-deterministic", "--workers", "1", "--no-color")
    return subprocess.run(
        (*command, *fixed, "--max-examples", "60", "--header", f"Authorization: Bearer {phone.token}"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def test_the_service_does_what_its_description_says(
    county: psycopg.Connection[Any], phone: Phone, tmp_path: Path
) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    tried = schemathesis(phone, tmp_path, "--config-file", "schemathesis.toml")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "Tested: 3" in tried.stdout
    # It has come past the door: bodies were read and refused, each kept by its reason.
    reasons = {reason for (reason,) in rows_of(county, "SELECT DISTINCT reason FROM rejected")}
    assert {"not_json", "wrong_type", "out_of_range", "unequal_columns", "missing_field"} <= reasons
    assert 'problem": "internal"' not in phone.service.log.read_text()


def test_no_gateway_that_is_made_up_comes_past_the_door(
    county: psycopg.Connection[Any], phone: Phone, tmp_path: Path
) -> None:
    tried = schemathesis(phone, tmp_path)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert rows_of(county, "SELECT count(*) FROM rejected WHERE source <> 'gw-1'") == [(0,)]
    assert 'problem": "internal"' not in phone.service.log.read_text()


DEVICES = [OXIMETER, THERMOMETER, LENT, UNBOUND, "nobody's", "体"]
ROW = st.tuples(
    st.integers(0, 20) | st.integers(0, 2**31 - 1),
    st.integers(0, len(DEVICES) - 1),
    st.sampled_from(list(Signal)),
    st.none() | st.floats(0, 200, allow_nan=False) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    st.sampled_from(list(Quality)),
    st.sampled_from(list(Reason)),
)
MESSAGE = st.fixed_dictionaries(
    {
        "rows": st.lists(ROW, min_size=1, max_size=40),
        "first_row": st.integers(0, 60) | st.integers(0, 2**62),
        "t0_ms": st.integers(-3_600_000, 600_000).map(lambda late: now_ms() + late) | st.integers(-(2**53), 2**53),
        "synchronised": st.booleans(),
        "backlog": st.booleans(),
        "outbox": st.integers(0, 3),
        "acquisition": st.sampled_from(["continuous", "spot", "stored"]),
        "packed": st.booleans(),
    }
)


@bounded
@given(message=MESSAGE)
def test_whatever_a_phone_measures_each_row_is_settled_once(
    county: psycopg.Connection[Any], phone: Phone, message: dict[str, Any]
) -> None:
    document = document_of(message, outboxes_of(phone))
    before = settled(county)
    answer = phone.send(document, packed=message["packed"])
    assert answer.status in (200, 207, 409), answer.body
    told = [
        row
        for each in answer.body["outcomes"]
        for part in each["ranges"]
        for row in range(part["first_row"], part["last_row"] + 1)
    ]
    first = message["first_row"]
    assert sorted(told) == list(range(first, first + len(message["rows"])))
    stored, aside = settled(county)
    assert (stored - before[0], aside - before[1]) == (answer.body["stored"], answer.body["rejected"])
    again = phone.send(document)
    assert (again.status, again.body["duplicates"]) == (409, len(message["rows"]))
    assert settled(county) == (stored, aside)


@bounded
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda part: st.lists(part, max_size=5) | st.dictionaries(st.text(max_size=10), part, max_size=5),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode()),
    packing=st.sampled_from(["plain", "gzip", "said to be gzip"]),
)
def test_a_body_that_is_none_is_a_problem_with_a_name(phone: Phone, body: bytes, packing: str) -> None:
    sent = gzip.compress(body) if packing == "gzip" else body
    answer = phone.send(sent, headers={} if packing == "plain" else {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert answer.name != "internal"


def outboxes_of(phone: Phone) -> list[str]:
    """Four outboxes that stay the same for a phone."""
    kept: list[str] = phone.__dict__.setdefault("outboxes", [str(uuid4()) for _ in range(4)])
    return kept


def document_of(message: dict[str, Any], outboxes: list[str]) -> dict[str, Any]:
    """Write a made-up message down as JSON."""
    rows = message["rows"]
    return {
        "version": 1,
        "outbox_id": outboxes[message["outbox"]],
        "first_row": message["first_row"],
        "boot_id": 7,
        "t0_ms": message["t0_ms"],
        "sent_ms": now_ms(),
        "synchronised": message["synchronised"],
        "backlog": message["backlog"],
        "devices": [{"device": name, "acquisition": message["acquisition"]} for name in DEVICES],
        "offset_ms": [row[0] for row in rows],
        "device": [row[1] for row in rows],
        "signal": [row[2] for row in rows],
        "value": [row[3] for row in rows],
        "quality": [row[4].name.lower() for row in rows],
        "reason": [row[5].name.lower() for row in rows],
    }


def settled(county: psycopg.Connection[Any]) -> tuple[int, int]:
    """Count the readings in the feed and those put aside."""
    [(stored, aside)] = rows_of(
        county,
        "SELECT (SELECT coalesce(sum(octet_length(payload)) / 24, 0) FROM intake_log),"
        " (SELECT coalesce(sum(readings), 0) FROM rejected)",
    )
    return int(stored), int(aside)

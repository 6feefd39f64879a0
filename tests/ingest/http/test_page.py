"""docs/http-intake.md, followed to the letter: its commands are run, its answers come, its numbers are ours."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from ingest.http.problems import Problem
from ingest.settings import IngestSettings
from tests.conftest import REPOSITORY
from tests.ingest.county import REGISTRY, connect
from tests.ingest.http.server import HttpService, make_token, now_ms
from vitals.wire_json import PAYLOAD_BYTES_MAX

PAGE = (REPOSITORY / "docs" / "http-intake.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sh\n(.*?)^```\n\n^```json (\d+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PHONE = "INSERT INTO gateway (gateway_id, organisation_id) VALUES ('phone-17', 1)"


def test_the_examples_are_answered_as_the_page_says(database: str, tmp_path: Path) -> None:
    assert len(EXAMPLES) == PAGE.count("```sh") == 4
    with connect(database) as county, HttpService(database, tmp_path) as service:
        county.execute(REGISTRY)
        county.execute(PHONE)
        words = {"INTAKE": service.url, "TOKEN": make_token(county), "NOW": str(now_ms() - 10_000)}
        for command, status, expected in EXAMPLES:
            said = subprocess.run(
                ("sh", "-eu", "-c", command),
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], **words},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            body, _, code = said.strip().rpartition("\n")
            assert (code, json.loads(body)) == (status, json.loads(expected)), command


@pytest.mark.parametrize(
    ("said", "setting", "value"),
    [
        ("At most 32 requests are inside", "requests_max", 32),
        ("four of them at the database", "writers", 4),
        ("waited out for 8 s", "patience_s", 8),
        ("longer than 15 s", "body_s", 15),
        ("more than 20 requests a second (60 at once)", "requests_per_s", 20),
        ("more than 20 requests a second (60 at once)", "requests_burst", 60),
        ("Beyond 500 connections", "connections_max", 500),
        ("127.0.0.1:8090", "port", 8090),
    ],
)
def test_the_page_s_bounds_are_the_settings(said: str, setting: str, value: float) -> None:
    assert said in PAGE
    assert IngestSettings.model_fields[f"ingest_http_{setting}"].default == value


def test_the_page_names_the_problems_that_a_sender_decides_on() -> None:
    assert "over 2 MiB" in PAGE
    assert PAYLOAD_BYTES_MAX == 2 * 1024 * 1024
    told_by_status_alone = {
        Problem.BAD_GATEWAY_ID, Problem.BAD_GZIP, Problem.BODY_CUT_SHORT, Problem.NOT_FOUND, Problem.INTERNAL,
        Problem.METHOD_NOT_ALLOWED, Problem.BODY_TOO_SLOW, Problem.CONTENT_TYPE, Problem.CONTENT_ENCODING,
        Problem.TOO_MANY_REQUESTS,
    }  # fmt: skip
    for problem in set(Problem) - told_by_status_alone:
        assert f"`{problem}`" in PAGE, problem

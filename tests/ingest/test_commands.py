"""The command line of ingest."""

import json
import os
import socket
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ingest.commands import app
from ingest.judging.rejection import Rejection
from tests.ingest.county import REGISTRY, SPO2, UNBOUND, Home, connect, put


def test_what_was_refused_and_what_is_missing_can_be_browsed(
    any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", any_database)
    run = CliRunner().invoke
    assert run(app, ["rejected"]).stdout == "nothing was refused\n"
    home = Home()
    with connect(any_database) as county:
        county.execute(REGISTRY)
        put(county, home.message([(0, SPO2, 8200)], devices=[UNBOUND]), b"XX")
        put(county, home.message([(1, SPO2, 9700)], first_row=5), b"XX")
    shown = run(app, ["rejected"]).stdout
    assert "gw-1  unbound_device  1 reading\n    device 'C0:00:00:00:00:09' had no patient at 2026-03-01" in shown
    assert "测量时该设备未绑定任何患者。 No patient was bound to the device when it measured." in shown
    [line] = run(app, ["rejected", "--reason", "wrong_magic", "--json"]).stdout.splitlines()
    assert (json.loads(line)["payload_bytes"], json.loads(line)["times"]) == (2, 2)
    assert "2 times, last 2026-03-01 12:00:00" in shown
    assert "gw-1  wrong_magic  1 message, came 2 times, last" in shown
    counted = run(app, ["rejected", "--count"]).stdout
    assert "unbound_device  1 reading in 1 row, came 1 time, 2026" in counted
    assert "wrong_magic  1 message, came 2 times, 2026" in counted
    assert run(app, ["rejected", "--gateway", "nobody"]).stdout == "nothing matches\n"
    helped = run(app, ["rejected", "--help"], env={"COLUMNS": "80", "TERM": "dumb"}).stdout
    assert "REASON" in helped
    assert all(reason.value in helped for reason in Rejection)
    [line] = run(app, ["account", "--json"]).stdout.splitlines()
    account = json.loads(line)
    assert (account["gateway_id"], account["outbox_id"]) == ("gw-1", str(home.outbox_id))
    assert (account["taken"], account["taken_ranges"]) == (2, [[0, 1], [5, 6]])
    assert (account["missing"], account["missing_ranges"], account["repeated"]) == (4, [[1, 5]], 0)
    assert (
        "taken 2  missing 4, unexplained 4\n    rows 1-4: unknown\n"
        in run(app, ["account", "--gateway", "gw-1"]).stdout
    )
    nothing = "in all: thinned 0, on the way 0, lost 0, unexplained 0\n"
    assert run(app, ["account", "--gateway", "gw-2"]).stdout == nothing


def test_a_missing_database_and_a_wrong_setting_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", "host=127.0.0.1 port=1")
    result = CliRunner().invoke(app, ["account"])
    assert (result.exit_code, "the database cannot be reached" in result.output) == (1, True)
    monkeypatch.setenv("HEARTHWATCH_INGEST_WINDOW", "1")
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 1
    assert "HEARTHWATCH_INGEST_WINDOW is no setting of ingest" in result.output


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        ("run", "HEARTHWATCH_INGEST_METRICS_PORT"),
        ("serve", "HEARTHWATCH_INGEST_HTTP_METRICS_PORT"),
        ("serve", "HEARTHWATCH_INGEST_HTTP_PORT"),
        ("tend", "HEARTHWATCH_INGEST_TEND_METRICS_PORT"),
    ],
)
def test_a_taken_port_is_told_in_one_line_and_nothing_is_said_to_have_started(command: str, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = subprocess.run(
            (sys.executable, "-m", "hearthwatch", "ingest", command),
            env={"PATH": os.environ["PATH"], setting: str(port), "HEARTHWATCH_DATABASE_DSN": "host=127.0.0.1 port=1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    said = f"hearthwatch ingest: port {port} is taken: choose another {setting}\n"
    assert (ended.returncode, ended.stderr, ended.stdout) == (2, said, "")


@pytest.mark.parametrize(
    ("variables", "lines"),
    [
        ({"INGEST_WINDOW_MS": "abc"}, ["HEARTHWATCH_INGEST_WINDOW_MS: 'abc' is not a whole number"]),
        (
            {"INGEST_METRICS_PORT": "65536", "BROKER_PORT": "0", "CLOCK_SPEED": "x"},
            [
                "HEARTHWATCH_BROKER_PORT: '0' is less than 1",
                "HEARTHWATCH_CLOCK_SPEED: 'x' is not a number",
                "HEARTHWATCH_INGEST_METRICS_PORT: '65536' is more than 65535",
            ],
        ),
        (
            {"DATABASE_DSN": "nonsense"},
            ["HEARTHWATCH_DATABASE_DSN is no connection string: 'host=... dbname=...' or 'postgresql://...'"],
        ),
        (
            {"CLOCK_SPEED": "60"},
            ["HEARTHWATCH_CLOCK_ORIGIN, HEARTHWATCH_CLOCK_SPEED: a clock speed of 60 needs an origin (ISO 8601, UTC)"],
        ),
    ],
    ids=["a number", "three at once", "connection string", "clock"],
)
@pytest.mark.parametrize("command", ["run", "serve", "tend", "account", "rejected"])
def test_a_setting_of_a_wrong_value_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, command: str, variables: dict[str, str], lines: list[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"HEARTHWATCH_{name}", value)
    result = CliRunner().invoke(app, [command])
    assert (result.exit_code, result.output.splitlines()) == (1, [f"hearthwatch ingest: {line}" for line in lines])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("CERTIFICATE_FILE", "ingest_broker_certificate_file needs ingest_broker_ca_file and ingest_broker_key_file"),
        ("CA_FILE", "/nowhere/x.pem is not there, or this user may not read it"),
    ],
)
def test_a_file_for_tls_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, setting: str, said: str) -> None:
    monkeypatch.setenv(f"HEARTHWATCH_INGEST_BROKER_{setting}", "/nowhere/x.pem")
    result = CliRunner().invoke(app, ["run"])
    assert result.exit_code == 1
    assert said in result.output

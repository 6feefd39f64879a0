"""The command line of ingest."""

import json

import pytest
from typer.testing import CliRunner

from ingest.commands import app
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
    assert "gw-1  unbound_device  1 readings\n    device 'C0:00:00:00:00:09' had no patient at 2026-03-01" in shown
    assert "测量时该设备未绑定任何患者。 No patient was bound to the device when it measured." in shown
    [line] = run(app, ["rejected", "--reason", "wrong_magic", "--json"]).stdout.splitlines()
    assert (json.loads(line)["payload_bytes"], json.loads(line)["times"]) == (2, 2)
    assert "2 times, last 2026-03-01 12:00:00" in shown
    [line] = run(app, ["account", "--json"]).stdout.splitlines()
    account = json.loads(line)
    assert (account["gateway_id"], account["outbox_id"]) == ("gw-1", str(home.outbox_id))
    assert (account["taken"], account["taken_ranges"]) == (2, [[0, 1], [5, 6]])
    assert (account["missing"], account["missing_ranges"], account["repeated"]) == (4, [[1, 5]], 0)
    assert (
        "taken 2  missing 4, unexplained 4\n    [1, 5, 'unknown']" in run(app, ["account", "--gateway", "gw-1"]).stdout
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

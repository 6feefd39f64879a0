"""`hearthwatch ingest token`: made and shown once, listed, revoked."""

import json

import pytest
from typer.testing import CliRunner, Result

from ingest.commands import app
from ingest.http.token_form import bearer, fingerprint
from tests.ingest.county import REGISTRY, connect, rows_of


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", *arguments])


def test_a_token_is_shown_once_listed_without_itself_and_revoked(
    any_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", any_database)
    with connect(any_database) as county:
        county.execute(REGISTRY)
        assert run("list").stdout == "there are no tokens\n"
        made = run("add", "county", "cloud of maker X")
        token = made.stdout.strip()
        assert bearer(f"Bearer {token}") == token
        assert "it is shown only now" in made.stderr
        [(number, kept)] = rows_of(county, "SELECT token_id, sha256 FROM intake_token")
        assert bytes(kept) == fingerprint(token)
        [line] = run("list", "--json").stdout.splitlines()
        assert token not in line
        shown = json.loads(line)
        assert (shown["token_id"], shown["organisation"], shown["name"]) == (number, "county", "cloud of maker X")
        assert (shown["last_used_at"], shown["revoked_at"]) == (None, None)
        again = run("add", "county", "cloud of maker X")
        assert (again.exit_code, "revoke that one" in again.output) == (1, True)
        revoked = run("revoke", str(number)).stdout
        assert f"token {number}, 'cloud of maker X', is revoked since " in revoked
        assert run("revoke", str(number)).stdout == revoked
        assert "revoked" in run("list").stdout
        assert run("add", "county", "cloud of maker X").exit_code == 0


def test_what_is_not_there_is_named(any_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", any_database)
    for arguments, said in (
        (("add", "nowhere", "x"), "there is no organisation 'nowhere'"),
        (("add", "county", " "), "' ' is no name"),
        (("revoke", "7"), "there is no token 7"),
    ):
        result = run(*arguments)
        assert (result.exit_code, said in result.output) == (1, True), result.output
    monkeypatch.setenv("HEARTHWATCH_DATABASE_DSN", "host=127.0.0.1 port=1")
    assert "the database cannot be reached" in run("list").output


def test_a_certificate_without_its_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_INGEST_HTTP_KEY_FILE", "/nowhere")
    result = CliRunner().invoke(app, ["serve"])
    assert (result.exit_code, "need each other" in result.output) == (1, True)

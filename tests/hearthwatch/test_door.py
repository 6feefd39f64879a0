"""What stands at the door: the lock, `./run`, and the development servers it starts."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hearthwatch.doctor.broker import broker
from vitals.finding import Verdict

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
LOCK = (REPOSITORY / "requirements.lock").read_text()


def test_the_lock_pins_every_dependency_with_hashes_and_names_no_host() -> None:
    locked = {name for name, _ in re.findall(r"^([a-z0-9._-]+)==(\S+)", LOCK, re.MULTILINE)}
    wanted = [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *(each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[<>=! ;]", each)[0].lower().replace("_", "-") for each in wanted}
    assert names <= locked
    assert LOCK.count("--hash=sha256:") >= len(locked)
    assert "://" not in LOCK


def test_help_teaches_and_goes_to_stdout() -> None:
    done = _run("help")
    assert done.returncode == 0
    for command in ("demo", "test", "check", "services up", "hearthwatch"):
        assert command in done.stdout


def test_an_unknown_command_is_refused_with_the_help() -> None:
    done = _run("tset")
    assert done.returncode == 1
    assert "no command 'tset'" in done.stderr
    assert done.stdout == ""


def test_the_commands_own_words_are_alone_on_stdout() -> None:
    done = _run("hearthwatch", "--version")
    assert done.stdout.strip() == PROJECT["project"]["version"]


@pytest.fixture
def development() -> Iterator[dict[str, str]]:
    """An environment in which the development servers are this test's own."""
    environment = {"HEARTHWATCH_SERVICES": f"test-{os.getpid()}"}
    yield environment
    _services("down", "--forget", **environment)


@pytest.mark.usefixtures("timescale_server", "plain_server")
def test_development_servers_go_up_stay_and_go_down(development: dict[str, str]) -> None:
    assert _services("status", **development).returncode == 1
    first = json.loads(_services("up", "--json", **development).stdout)
    with psycopg.connect(first["database_dsn"], autocommit=True) as db:
        assert db.execute("SELECT count(*) > 0 FROM schema_migration").fetchone() == (True,)
        db.execute("CREATE TABLE kept AS SELECT 1 AS n")
    assert broker(first["broker_host"], first["broker_port"]).verdict is Verdict.FINE
    assert json.loads(_services("up", "--json", **development).stdout) == first
    assert "stopped" in _services("down", **development).stdout
    second = json.loads(_services("up", "--json", **development).stdout)
    assert second["database_dsn"] == first["database_dsn"]
    with psycopg.connect(second["database_dsn"]) as db:
        assert db.execute("SELECT n FROM kept").fetchone() == (1,)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(REPOSITORY / "run"), *arguments], capture_output=True, text=True, check=False)


def _services(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hearthwatch", "services", *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )

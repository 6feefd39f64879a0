"""The command line: help without importing rooms, missing extras in one line, logs as JSON."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from hearthwatch.__main__ import ROOMS

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER_LIBRARIES = ("psycopg", "fastapi", "numpy", "uvicorn", "jinja2", "apprise", "bumble")

# A machine without these libraries: importing one fails as if it were not installed.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder
missing = {missing!r}
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from hearthwatch.__main__ import main
main({arguments!r})
"""


def test_help_lists_the_rooms_that_are_there() -> None:
    done = _hearthwatch("--help")
    assert done.returncode == 0
    for name in ("gateway", "db", "doctor", "services"):
        assert name in done.stdout


def test_version_is_that_of_the_package() -> None:
    assert _hearthwatch("--version").stdout.strip() == version("hearthwatch")


def test_an_unknown_room_is_refused() -> None:
    done = _hearthwatch("gatway")
    assert done.returncode == 2
    assert "gatway" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["gateway", "--help"]])
def test_a_gateway_needs_no_library_of_the_server(arguments: list[str]) -> None:
    done = _without(SERVER_LIBRARIES, arguments)
    assert done.returncode == 0, done.stderr
    assert "gateway" in done.stdout


@pytest.mark.parametrize("room", ["db", "services"])
def test_a_missing_extra_is_one_line_that_says_how_to_get_it(room: str) -> None:
    done = _without(SERVER_LIBRARIES, [room])
    assert done.returncode == 1
    assert done.stderr.strip().count("\n") == 0
    assert "pip install 'hearthwatch[server" in done.stderr


def test_a_room_that_is_not_there_says_so() -> None:
    done = _without(("care",), ["care", "load"])
    assert done.returncode == 1
    assert "not part of this installation" in done.stderr


def test_every_extra_that_a_room_names_exists() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for room in ROOMS.values():
        assert set(room.extra.split(",")) <= set(extras)


@pytest.mark.parametrize("command", ["migrate", "status"])
def test_a_wrong_connection_string_and_a_wrong_setting_are_a_line_each(command: str) -> None:
    form = "hearthwatch db: that is no connection string: 'host=... dbname=...' or 'postgresql://...' is wanted\n"
    assert _hearthwatch("db", command, HEARTHWATCH_DATABASE_DSN="nonsense").stderr == form
    number = "hearthwatch db: HEARTHWATCH_BROKER_PORT: 'x' is not a whole number\n"
    assert _hearthwatch("db", command, HEARTHWATCH_BROKER_PORT="x").stderr == number


def test_migrate_and_status_by_command(empty_database: str) -> None:
    assert _hearthwatch("db", "status", "--dsn", empty_database).returncode == 1
    first = _hearthwatch("db", "migrate", HEARTHWATCH_DATABASE_DSN=empty_database)
    again = _hearthwatch("db", "migrate", HEARTHWATCH_DATABASE_DSN=empty_database)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "applied care/schema/0001_" in first.stdout
    assert "up to date" in again.stdout
    assert _hearthwatch("db", "status", "--dsn", empty_database).returncode == 0


def test_an_unreachable_database_is_one_line_and_no_traceback() -> None:
    done = _hearthwatch("db", "migrate", "--dsn", "host=127.0.0.1 port=1")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


LOGGING = """
import logging, structlog
from hearthwatch.logs import configure_logs
configure_logs()
structlog.get_logger("ours").info("stored", rows=3, patient="张")
logging.getLogger("theirs").warning("slow %s", "query")
structlog.get_logger("ours").debug("hidden")
"""


def test_every_log_line_is_json_on_stderr() -> None:
    done = _python(LOGGING)
    ours, theirs = (json.loads(line) for line in done.stderr.splitlines())
    assert (ours["event"], ours["rows"], ours["patient"], ours["level"]) == ("stored", 3, "张", "info")
    assert (theirs["event"], theirs["logger"]) == ("slow query", "theirs")
    assert done.stdout == ""


def test_the_log_level_is_a_setting_and_a_wrong_one_is_refused() -> None:
    assert "hidden" in _python(LOGGING, HEARTHWATCH_LOG_LEVEL="debug").stderr
    done = _hearthwatch("--version", HEARTHWATCH_LOG_LEVEL="loud")
    assert done.returncode == 1
    assert "'LOUD'" in done.stderr


def _without(libraries: tuple[str, ...], arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return _python(WITHOUT.format(missing=libraries, arguments=arguments))


def _hearthwatch(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return _run(["-m", "hearthwatch", *arguments], env)


def _python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return _run(["-c", code], env)


def _run(arguments: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )

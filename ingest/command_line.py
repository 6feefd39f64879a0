"""What the commands of ingest have in common: settings or a word why not, a connection, errors in one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from pydantic import ValidationError

from ingest.listening import PortRefused
from ingest.settings import IngestSettings
from vitals.clock import ClinicalClock
from vitals.setting_faults import in_lines
from vitals.setting_names import UnknownSetting


def settings_or_exit() -> IngestSettings:
    """Read the settings, or end the process with what is wrong with them: a line for each."""
    try:
        settings = IngestSettings.from_environment()
    except UnknownSetting as exc:
        sys.exit(f"hearthwatch ingest: {exc}")
    except ValidationError as exc:
        sys.exit("\n".join(f"hearthwatch ingest: {line}" for line in in_lines(exc.errors())))
    if wrong := _wrong_in_form(settings):
        sys.exit("\n".join(f"hearthwatch ingest: {line}" for line in wrong))
    return settings


@contextmanager
def database() -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Connect for one command, or end the process with what is wrong; committed at the end."""
    settings = settings_or_exit()
    with (
        errors_in_one_line(),
        psycopg.connect(settings.database_dsn, row_factory=dict_row, connect_timeout=5) as connection,
    ):
        yield connection


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """End the process with a line where the database is away or has no tables."""
    try:
        yield
    except psycopg.OperationalError as exc:
        sys.exit(f"hearthwatch ingest: the database cannot be reached: {str(exc).strip()}")
    except psycopg.errors.UndefinedTable:
        sys.exit("hearthwatch ingest: tables are missing: run 'hearthwatch db migrate'")


@contextmanager
def ports_in_one_line() -> Iterator[None]:
    """End the process with a line, and 2, where a port can not be listened on."""
    try:
        yield
    except PortRefused as exc:
        print(f"hearthwatch ingest: {exc}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def _wrong_in_form(settings: IngestSettings) -> list[str]:
    """Find what is a text to pydantic, and of no use; the connection string is not shown: it may hold a password."""
    wrong = []
    try:
        conninfo_to_dict(settings.database_dsn)
    except psycopg.ProgrammingError:
        wrong.append("HEARTHWATCH_DATABASE_DSN is no connection string: 'host=... dbname=...' or 'postgresql://...'")
    try:
        ClinicalClock.parse(settings.clock_origin, settings.clock_speed)
    except ValueError as exc:
        wrong.append(f"HEARTHWATCH_CLOCK_ORIGIN, HEARTHWATCH_CLOCK_SPEED: {exc}")
    return wrong

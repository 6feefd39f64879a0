"""What the commands of ingest have in common: settings or a word why not, a connection, errors in one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import ValidationError

from ingest.settings import IngestSettings
from vitals.setting_names import UnknownSetting


def settings_or_exit() -> IngestSettings:
    """Read the settings, or end the process with what is wrong with them."""
    try:
        return IngestSettings.from_environment()
    except (UnknownSetting, ValidationError) as exc:
        sys.exit(f"hearthwatch ingest: {exc}")


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

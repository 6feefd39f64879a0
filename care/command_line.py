"""What every command of care begins with: the clinical now, and a connection or one line on why there is none."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

from care.settings import CareSettings
from vitals.clock import ClinicalClock


def clinical_now() -> datetime:
    """Give the clinical now, as every process has it."""
    settings = CareSettings()
    return ClinicalClock.parse(settings.clock_origin, settings.clock_speed).at(datetime.now(UTC))


@contextmanager
def connected() -> Iterator[psycopg.Connection[Any]]:
    """Give a connection whose work is committed at the end; without a database the command ends with one line."""
    try:
        with psycopg.connect(CareSettings().database_dsn, connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError as exc:
        sys.exit(f"hearthwatch care: the database cannot be reached: {str(exc).strip()}")
    except psycopg.errors.UndefinedTable:
        sys.exit("hearthwatch care: tables are missing: run 'hearthwatch db migrate'")

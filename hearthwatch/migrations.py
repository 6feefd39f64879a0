"""The migrations runner: brings a database to this version of the program, forward only.

Each room owns `<room>/schema/NNNN_what.sql`. Rooms are run in the order care, ingest, alerting, dashboards; each
file runs in a transaction of its own and is recorded in `schema_migration` in the same transaction. An advisory
lock lets one runner through at a time. A file that was changed after it had been applied is refused.

The same files serve TimescaleDB and plain PostgreSQL. A line of exactly one of these forms opens a block:

    -- hearthwatch: when timescale     the block runs only where the TimescaleDB extension is
    -- hearthwatch: when plain         the block runs only on PostgreSQL without it
    -- hearthwatch: always             the block runs everywhere (as does what stands before the first marker)

for example

    CREATE TABLE sample (patient_id int NOT NULL, measured_at timestamptz NOT NULL)
    -- hearthwatch: when plain
    PARTITION BY RANGE (measured_at)
    -- hearthwatch: always
    ;
    -- hearthwatch: when timescale
    SELECT create_hypertable('sample', by_range('measured_at', INTERVAL '1 day'));

The edition is decided when the first migration runs: the extension is created where the server offers it. Later
runs keep to what the database is. During a migration the setting `hearthwatch.timescale` is `on` or `off`, for
`current_setting('hearthwatch.timescale')` in a DO block.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

import psycopg
from psycopg.rows import class_row

from hearthwatch.migration_files import (
    ROOMS,
    Applied,
    Edition,
    Migration,
    MigrationError,
    in_order,
    parse,
    pending,
    statements,
)

_LOCK_KEY = 0x4865_6172_7468  # "Hearth": one runner at a time in one database

_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        room       text        NOT NULL,
        number     integer     NOT NULL,
        name       text        NOT NULL,
        sha256     text        NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (room, number)
    )
"""


class FailedMigration(MigrationError):
    """The database refused a statement; nothing of that file was kept, the files before it were."""


class ExtensionNotAllowed(MigrationError):
    """The server offers TimescaleDB, and the role may not create the extension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """How far a database is; the edition is None before the first migration."""

    edition: Edition | None
    applied: list[Applied]
    pending: list[Migration]


def migrate(dsn: str, migrations: Iterable[Migration] | None = None) -> list[Migration]:
    """Apply what is missing and answer what was applied; running it again changes nothing."""
    known = in_order(packaged() if migrations is None else migrations)
    with psycopg.connect(dsn, autocommit=True, options="-c client_min_messages=warning") as db:
        db.execute("SELECT pg_advisory_lock(%s)", [_LOCK_KEY])  # released when the connection is
        db.execute(_TABLE)
        applied = _applied(db)
        todo = pending(known, applied)
        edition = _edition(db) if applied else _first_edition(db)
        db.execute("SELECT set_config('hearthwatch.timescale', %s, false)", [_on_off(edition)])
        for migration in todo:
            _apply(db, migration, edition)
        return todo


def status(dsn: str, migrations: Iterable[Migration] | None = None) -> MigrationStatus:
    """Say how far the database is, without changing it; raise MigrationError where it does not fit these files."""
    known = in_order(packaged() if migrations is None else migrations)
    with psycopg.connect(dsn, autocommit=True) as db:
        applied = _applied(db) if _has_table(db) else []
        return MigrationStatus(
            edition=_edition(db) if applied else None, applied=applied, pending=pending(known, applied)
        )


def packaged() -> list[Migration]:
    """Read the files that lie in the rooms."""
    folders = [(room, files(room) / "schema") for room in ROOMS]
    return [
        parse(room, file.name, file.read_bytes())
        for room, folder in folders
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]


def _apply(db: psycopg.Connection, migration: Migration, edition: Edition) -> None:
    script = statements(migration, edition)
    try:
        with db.transaction():
            db.execute(script.encode())
            db.execute(
                "INSERT INTO schema_migration (room, number, name, sha256) VALUES (%s, %s, %s, %s)",
                [migration.room, migration.number, migration.name, migration.sha256],
            )
    except psycopg.Error as error:
        raise FailedMigration(f"{migration.label}{_line(script, error)}: {error}") from error


def _line(script: str, error: psycopg.Error) -> str:
    """Say in which line the database saw the error, where it tells: skipped lines are empty, so it is the file's."""
    position = error.diag.statement_position
    if position is None:
        return ""
    return f" line {script.count(chr(10), 0, int(position) - 1) + 1}"


def _first_edition(db: psycopg.Connection) -> Edition:
    """Create the extension where the server offers it, and say what the database is."""
    offered = db.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'").fetchone()
    if offered is not None and _edition(db) is Edition.PLAIN:
        try:
            db.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        except psycopg.errors.InsufficientPrivilege as error:
            raise ExtensionNotAllowed(
                "this role may not create the extension: as the database's administrator run "
                "CREATE EXTENSION timescaledb in this database, then migrate again"
            ) from error
    return _edition(db)


def _edition(db: psycopg.Connection) -> Edition:
    present = db.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    return Edition.TIMESCALE if present is not None else Edition.PLAIN


def _on_off(edition: Edition) -> str:
    return "on" if edition is Edition.TIMESCALE else "off"


def _has_table(db: psycopg.Connection) -> bool:
    row = db.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    return row is not None and bool(row[0])


def _applied(db: psycopg.Connection) -> list[Applied]:
    with db.cursor(row_factory=class_row(Applied)) as rows:
        return rows.execute(
            "SELECT room, number, name, sha256, applied_at FROM schema_migration ORDER BY applied_at, room, number"
        ).fetchall()

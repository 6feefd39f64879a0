"""`hearthwatch db`: bring the database to this version of the program, and say how far it is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer
from pydantic import ValidationError

from hearthwatch import migrations
from hearthwatch.migration_files import MigrationError
from hearthwatch.settings import Settings
from vitals.setting_faults import in_lines

app = typer.Typer(no_args_is_help=True, help="Migrate the database and say how far it is.")

Dsn = Annotated[
    str | None,
    typer.Option("--dsn", help="libpq connection string; HEARTHWATCH_DATABASE_DSN where not given."),
]


@app.command()
def migrate(dsn: Dsn = None) -> None:
    """Apply the migrations that are missing; running it again changes nothing."""
    with _errors_in_one_line():
        applied = migrations.migrate(dsn or Settings().database_dsn)
    for migration in applied:
        typer.echo(f"applied {migration.label}")
    if not applied:
        typer.echo("nothing to do: the database is up to date")


@app.command()
def status(dsn: Dsn = None) -> None:
    """List what is applied and what is pending; exit code 1 where something is pending."""
    with _errors_in_one_line():
        now = migrations.status(dsn or Settings().database_dsn)
    typer.echo(f"edition: {now.edition or 'not migrated yet'}")
    for row in now.applied:
        typer.echo(f"applied {row.applied_at:%F %T %Z}  {row.label}")
    for migration in now.pending:
        typer.echo(f"pending                      {migration.label}")
    if now.pending:
        raise typer.Exit(1)


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        sys.exit(f"hearthwatch db: the database cannot be reached: {str(error).strip()}")
    except ValidationError as error:
        sys.exit("\n".join(f"hearthwatch db: {line}" for line in in_lines(error.errors())))
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:  # the server's word on a statement of ours
            raise
        sys.exit("hearthwatch db: that is no connection string: 'host=... dbname=...' or 'postgresql://...' is wanted")
    except MigrationError as error:
        sys.exit(f"hearthwatch db: {error}")

"""`hearthwatch services`: a real broker and a real database for development, in the background."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from hearthwatch.services import background

app = typer.Typer(no_args_is_help=True, help="Run a broker and a database for development, in the background.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def up(as_json: AsJson = False) -> None:
    """Start a migrated database and a broker, and print the settings that point to them.

    Nothing else is started: in a shell that has read the settings, run by hand what is to be worked on, as
    `hearthwatch ingest run` (from the broker), `hearthwatch ingest serve` (readings over HTTP), `hearthwatch ingest
    tend` (roll-ups, retention), `HEARTHWATCH_ALERTING_SITE_ALTITUDE_M=50 hearthwatch alerting run`, `hearthwatch
    console run`.
    """
    try:
        running = background.up()
    except background.ServicesError as error:
        sys.exit(f"hearthwatch services: {error}")
    _print(running, as_json=as_json)


@app.command()
def down(
    forget: Annotated[bool, typer.Option("--forget", help="Remove what they stored, too.")] = False,
) -> None:
    """Stop them; what they stored stays for the next `up`."""
    try:
        stopped = background.down()
        if forget:
            background.forget()
    except background.ServicesError as error:
        sys.exit(f"hearthwatch services: {error}")
    typer.echo("stopped" if stopped else "nothing was running")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say whether they run and where; exit code 1 where they do not."""
    running = background.status()
    if running is None:
        typer.echo("null" if as_json else "nothing is running; start with: services up")
        raise typer.Exit(1)
    _print(running, as_json=as_json)


@app.command(hidden=True)
def keep() -> None:
    """Be the process that `up` starts."""
    try:
        background.keep()
    except background.ServicesError as error:
        sys.exit(str(error))


def _print(running: background.Running, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(running)))
        return
    typer.echo(f"# {running.database_edition} database and Mosquitto run under process {running.pid}")
    typer.echo(f"# logs: {running.log_dir}")
    typer.echo(f"export HEARTHWATCH_DATABASE_DSN='{running.database_dsn}'")
    typer.echo(f"export HEARTHWATCH_BROKER_HOST={running.broker_host}")
    typer.echo(f"export HEARTHWATCH_BROKER_PORT={running.broker_port}")

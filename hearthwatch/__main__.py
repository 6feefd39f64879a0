"""The command line: `hearthwatch <room> <command>`; a room is imported only when it is asked for.

A gateway has neither a database driver nor a web server installed: help lists every room without importing it, and
a room whose libraries are missing answers with the line that installs them.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated

import typer
from typer.main import get_command, get_group

from hearthwatch.logs import BadLogLevel, configure_logs


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One group of commands (or one command) and where it lives."""

    module: str
    does: str
    extra: str
    one_command: bool = False


ROOMS = {
    "gateway": Room(
        module="gateway.commands", extra="gateway", does="Read devices and send what they say (on the Pi)."
    ),
    "ingest": Room(module="ingest.commands", extra="server", does="Take readings from the broker and store them."),
    "care": Room(module="care.commands", extra="server", does="Keep the registry: patients, devices, duty."),
    "alerting": Room(module="alerting.commands", extra="server", does="Find episodes, escalate, notify."),
    "console": Room(module="dashboards.commands", extra="server", does="Serve the console and the wall display."),
    "db": Room(module="hearthwatch.db_commands", extra="server", does="Migrate the database and say how far it is."),
    "site": Room(
        module="hearthwatch.site.commands",
        extra="server",
        does="Sign the certificates of a site: its broker, its gateways.",
    ),
    "demo": Room(
        module="hearthwatch.demo.commands",
        extra="gateway,server,stubs,embedded",
        does="Run the whole way, from simulated devices to a decision.",
        one_command=True,
    ),
    "services": Room(
        module="hearthwatch.services.commands",
        extra="server,embedded",
        does="Run a broker and a database for development.",
    ),
    "drill": Room(
        module="hearthwatch.drill.commands",
        extra="server,embedded",
        does="Rehearse escalation on a virtual clock.",
        one_command=True,
    ),
    "bench": Room(
        module="hearthwatch.bench.commands",
        extra="gateway,server,stubs,embedded",
        does="Measure on real parts and print JSON.",
    ),
    "doctor": Room(
        module="hearthwatch.doctor.commands",
        extra="server",
        does="Say in words what is wrong with this installation.",
        one_command=True,
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line of this process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        configure_logs()
    except BadLogLevel as error:
        raise SystemExit(f"hearthwatch: {error}") from None
    if given and given[0] in ROOMS:
        _run(given[0], given[1:])
    else:
        _overview()(given, prog_name="hearthwatch")


def _run(name: str, arguments: list[str]) -> None:
    room = ROOMS[name]
    try:
        app = importlib.import_module(room.module).app
    except ModuleNotFoundError as error:
        raise SystemExit(_what_is_missing(name, room, error)) from None
    command = get_command(app) if room.one_command else get_group(app)
    command.main(arguments, prog_name=f"hearthwatch {name}")


def _what_is_missing(name: str, room: Room, error: ModuleNotFoundError) -> str:
    missing = error.name or str(error)
    if room.module == missing or room.module.startswith(f"{missing}."):
        return f"hearthwatch {name}: not part of this installation"
    if missing.partition(".")[0] == room.module.partition(".")[0]:
        raise error  # a fault of ours, not of the installation
    return f"hearthwatch {name} needs {missing}, which is not installed: pip install 'hearthwatch[{room.extra}]'"


def _overview() -> typer.Typer:
    """Build the command line of help and --version: the rooms stand in it by name only."""
    app = typer.Typer(
        help="Home telemonitoring: from a device's bytes to a doctor's decision.",
        no_args_is_help=True,
        add_completion=False,
    )

    @app.callback()
    def options(
        show_version: Annotated[
            bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
        ] = False,
    ) -> None:
        """Take what stands before the name of a room."""

    for name, room in ROOMS.items():
        if _is_there(room.module):
            app.command(name, help=room.does)(_named_for_help)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("hearthwatch"))
        raise typer.Exit


def _named_for_help() -> None:
    """Stand for a room in the overview; `main` runs the room itself."""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    main()

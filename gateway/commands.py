"""The gateway's command line: run, decode, status."""

import asyncio
import json
import logging
import os
import signal
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer

from gateway.decode_command import decode
from gateway.devices_command import devices_app
from gateway.enrol_command import enrol
from gateway.outbox import OutboxError, read_account, set_aside_count
from gateway.quiet_command import quiet
from gateway.selftest_command import selftest
from gateway.settings import GatewaySettings, SettingsError, load_settings
from gateway.tls import client_context
from vitals.clock import ClinicalClock

app = typer.Typer(no_args_is_help=True, help="The gateway: reads devices, keeps readings, sends them until stored.")
app.command()(decode)
app.command()(enrol)
app.command()(selftest)
app.command()(quiet)
app.add_typer(devices_app, name="devices")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="settings file (TOML)")]


class LogFormat(Enum):
    """How the log is written: for people or for machines."""

    CONSOLE = "console"
    JSON = "json"


@app.command()
def run(
    config: ConfigOption = None,
    log_format: Annotated[LogFormat, typer.Option(help="how the log is written")] = LogFormat.CONSOLE,
) -> None:
    """Read devices and send readings until told to stop (SIGTERM, SIGINT)."""
    try:
        settings = load_settings(config)
        clock = clinical_clock()
        if settings.broker_ca_file:
            client_context(settings.broker_ca_file, settings.broker_certificate_file, settings.broker_key_file)
    except ValueError as exc:
        _fail(str(exc), code=2)
    configure_logging(log_format)
    try:
        asyncio.run(_run_until_signalled(settings, clock))
    except OutboxError as exc:
        _fail(str(exc), code=1)
    except OSError as exc:
        if exc.filename is None:
            raise
        _fail(f"{exc.filename}: {exc.strerror}", code=1)


@app.command()
def status(config: ConfigOption = None) -> None:
    """Print as JSON what lies in the outbox, also while the gateway runs."""
    try:
        settings = load_settings(config)
        account, undecoded = read_account(settings.outbox_path, bytes_max=settings.outbox_bytes_max)
    except (SettingsError, OutboxError) as exc:
        _fail(str(exc), code=2)
    document = {
        "outbox_id": str(account.outbox_id),
        "accepted": account.accepted,
        "stored": account.stored,
        "thinned": account.thinned,
        "depth": account.depth,
        "salvaged": account.salvaged,
        "repeated": account.repeated,
        "undecoded": account.undecoded,
        "first_row": account.first_row,
        "end_row": account.end_row,
        "used_bytes": account.used_bytes,
        "bytes_max": account.bytes_max,
        "hours_left": account.hours_left,
        "set_aside": set_aside_count(settings.outbox_path),
        "thinned_kinds": account.thinned_kinds,
        "thinned_rows": [[r.first, r.end, r.rows] for r in account.thinned_rows],
        "newest_undecoded": [
            {"device": u.device, "characteristic": u.characteristic, "payload": u.payload.hex(), "error": u.error}
            for u in undecoded
        ],
    }
    typer.echo(json.dumps(document))


def clinical_clock() -> ClinicalClock:
    """Read the clock every process of a drill shares. Raises ValueError."""
    speed = os.environ.get("HEARTHWATCH_CLOCK_SPEED", "1")
    return ClinicalClock.parse(os.environ.get("HEARTHWATCH_CLOCK_ORIGIN", ""), float(speed))


def configure_logging(log_format: LogFormat) -> None:
    """Write structured lines to stderr, from INFO up."""
    renderers: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format is LogFormat.JSON
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def _run_until_signalled(settings: GatewaySettings, clock: ClinicalClock) -> None:
    from gateway import app as gateway_app  # the radio's libraries: the other commands start faster without them

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gateway_app.run(settings, clock=clock, stop=stop)


def _fail(message: str, *, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)

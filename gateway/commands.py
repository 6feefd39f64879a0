"""The gateway's command line: `run`, and the commands of the files beside it."""

import asyncio
import logging
import os
import signal
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import structlog
import typer

from gateway.command.decode import decode
from gateway.command.devices import devices_app
from gateway.command.end import fail
from gateway.command.enrol import enrol
from gateway.command.quiet import quiet
from gateway.command.selftest import selftest
from gateway.command.status import status
from gateway.outbox.outbox import OutboxError
from gateway.settings import GatewaySettings, load_settings
from vitals.clock import ClinicalClock

app = typer.Typer(no_args_is_help=True, help="The gateway: reads devices, keeps readings, sends them until stored.")
app.command()(decode)
app.command()(enrol)
app.command()(selftest)
app.command()(quiet)
app.command()(status)
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
    except ValueError as exc:
        fail(str(exc), code=2)
    configure_logging(log_format)
    try:
        asyncio.run(_run_until_signalled(settings, clock))
    except OutboxError as exc:
        fail(str(exc), code=1)
    except OSError as exc:
        if exc.filename is None:
            raise
        fail(f"{exc.filename}: {exc.strerror}", code=1)


def clinical_clock() -> ClinicalClock:
    """Read the clock every process of a drill shares. Raises ValueError."""
    speed = os.environ.get("HEARTHWATCH_CLOCK_SPEED", "1")
    return ClinicalClock.parse(os.environ.get("HEARTHWATCH_CLOCK_ORIGIN", ""), float(speed))


def configure_logging(log_format: LogFormat) -> None:
    """Write structured lines to stderr, from INFO up; what libraries warn of stands among them, in the same form."""
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
    logging.basicConfig(level=logging.WARNING, handlers=[_FromLibraries()], force=True)


class _FromLibraries(logging.Handler):
    """Hands a library's line of the standard log to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            max(record.levelno, logging.DEBUG), record.getMessage(), logger=record.name, exc_info=record.exc_info
        )


async def _run_until_signalled(settings: GatewaySettings, clock: ClinicalClock) -> None:
    from gateway import app as gateway_app  # the radio's libraries: the other commands start faster without them

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gateway_app.run(settings, clock=clock, stop=stop)

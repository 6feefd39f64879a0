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

from gateway import app as gateway_app
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.gatt.decoders import decode as decode_payload
from gateway.outbox import OutboxError, read_account
from gateway.settings import GatewaySettings, SettingsError, load_settings
from vitals.clock import ClinicalClock
from vitals.reading import unscaled
from vitals.signals import SIGNALS

app = typer.Typer(no_args_is_help=True, help="The gateway: reads devices, keeps readings, sends them until stored.")

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
        _fail(str(exc), code=2)
    configure_logging(log_format)
    try:
        asyncio.run(_run_until_signalled(settings, clock))
    except OutboxError as exc:
        _fail(str(exc), code=1)


@app.command()
def decode(
    uuid: Annotated[str, typer.Argument(help="characteristic, as 2a5f or in 128 bits")],
    payload: Annotated[str, typer.Argument(help="its bytes in hex, as 0061004800")],
) -> None:
    """Print as JSON what a payload means; a malformed one ends with 2 and names the byte."""
    try:
        raw = bytes.fromhex(payload.removeprefix("0x"))
    except ValueError as exc:
        _fail(f"payload: {exc}", code=2)
    try:
        decoded = decode_payload(uuid, raw)
    except DecodeError as exc:
        _fail(str(exc), code=2)
    typer.echo(json.dumps(described(decoded), ensure_ascii=False))


@app.command()
def status(config: ConfigOption = None) -> None:
    """Print as JSON what lies in the outbox, also while the gateway runs."""
    try:
        account, undecoded = read_account(load_settings(config).outbox_path)
    except (SettingsError, OutboxError) as exc:
        _fail(str(exc), code=2)
    document = {
        "outbox_id": str(account.outbox_id),
        "accepted": account.accepted,
        "stored": account.stored,
        "thinned": account.thinned,
        "depth": account.depth,
        "undecoded": account.undecoded,
        "first_row": account.first_row,
        "end_row": account.end_row,
        "used_bytes": account.used_bytes,
        "thinned_rows": [[r.first, r.end] for r in account.thinned_rows],
        "newest_undecoded": [
            {"device": u.device, "characteristic": u.characteristic, "payload": u.payload.hex(), "error": u.error}
            for u in undecoded
        ],
    }
    typer.echo(json.dumps(document))


def described(decoded: Decoded) -> dict[str, object]:
    """Give a decoded payload as the JSON document of `decode`."""
    return {
        "readings": [
            {
                "signal": m.signal.value,
                "value": None if m.value is None else unscaled(m.signal, m.value),
                "unit": SIGNALS[m.signal].unit,
                "quality": m.quality.name.lower(),
                "reasons": [reason.name.lower() for reason in m.reasons],
            }
            for m in decoded.measurements
        ],
        "measured_at": decoded.device_time.isoformat() if decoded.device_time else None,
        "status": list(decoded.status),
    }


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
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gateway_app.run(settings, clock=clock, stop=stop)


def _fail(message: str, *, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)

"""`hearthwatch gateway devices`: what is read, what is near, and a technician's claims, without broker or radio."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gateway.claims.book import BookUnavailable, ClaimBook, book_path
from gateway.claims.claims import Book, ClaimError, all_claims, parse_address, with_claim, without_claim
from gateway.claims.device_list import document_of, listed, text_of
from gateway.command.end import fail
from gateway.drivers.table import DRIVER_BY_NAME
from gateway.report.status_file import StatusFile, status_path
from gateway.settings import GatewaySettings, SettingsError, load_settings

devices_app = typer.Typer(help="What this gateway reads and what is near: list, claim, release.")

Config = Annotated[Path | None, typer.Option("--config", help="settings file (TOML)", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object, for programs")]
Address = Annotated[str, typer.Argument(help="the device's Bluetooth address, AA:BB:CC:DD:EE:FF")]


@devices_app.callback(invoke_without_command=True)
def devices(context: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    """List what is read and what is near; `claim` and `release` change it at this box alone."""
    context.obj = config
    if context.invoked_subcommand is None:
        list_devices(context, config, as_json)


@devices_app.command("list")
def list_devices(context: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    """List the devices that are read, and health devices nearby that nobody has claimed.

    It reads what the running gateway wrote last (at most 10 s ago) and says how
    old that is. A signal strength stands only where it is fresh.
    """
    settings = _settings(context, config)
    try:
        book = _book(settings).read()
    except BookUnavailable as exc:
        fail(str(exc), code=1)
    last = StatusFile(status_path(settings.outbox_path, settings.status_file)).read()
    claims = all_claims(settings.devices, book, devices_max=settings.devices_max).claims
    found = listed(claims, last.payload if last else None, last.age_s if last else None)
    if as_json:
        typer.echo(json.dumps(document_of(found), ensure_ascii=False))
        return
    for line in text_of(found):
        typer.echo(line)


@devices_app.command()
def claim(
    context: typer.Context,
    address: Address,
    driver: Annotated[
        str | None,
        typer.Option(help=f"how to read it, where the gateway guesses wrong: {', '.join(DRIVER_BY_NAME)}"),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Read a device from now on; a running gateway takes it up within seconds."""
    if driver is not None and driver not in DRIVER_BY_NAME:
        fail(f"--driver {driver}: there is none of this name; there are {', '.join(DRIVER_BY_NAME)}", code=2)
    settings, which = _settings(context, config), _address(address)
    _change(settings, lambda book: _claimed(settings, book, which, driver))
    done = {"address": which, "driver": driver, "claimed": True}
    typer.echo(json.dumps(done) if as_json else f"{which} is claimed here")


@devices_app.command()
def release(context: typer.Context, address: Address, config: Config = None, as_json: AsJson = False) -> None:
    """Take back a claim that was made at this box."""
    settings, which = _settings(context, config), _address(address)
    if which in settings.devices:
        fail(f"{which} is named in the settings: take it out of `devices` there", code=1)
    _change(settings, lambda book: without_claim(book, which))
    typer.echo(json.dumps({"address": which, "claimed": False}) if as_json else f"{which} is released")


def _claimed(settings: GatewaySettings, book: Book, address: str, driver: str | None) -> Book:
    """Add a claim for which there is room. Raises ClaimError."""
    after = with_claim(book, address, driver)
    left_out = all_claims(settings.devices, after, devices_max=settings.devices_max).left_out
    if any(each.address == address for each in left_out):
        raise ClaimError(f"{address} not claimed: {settings.devices_max} devices are read already (devices_max)")
    return after


def _change(settings: GatewaySettings, how: Callable[[Book], Book]) -> None:
    try:
        _book(settings).change(how)
    except (ClaimError, BookUnavailable) as exc:
        fail(str(exc), code=1)


def _book(settings: GatewaySettings) -> ClaimBook:
    return ClaimBook(book_path(settings.outbox_path))


def _settings(context: typer.Context, config: Path | None) -> GatewaySettings:
    """Read the settings; `--config` may stand before or behind the command."""
    try:
        return load_settings(config or context.obj)
    except SettingsError as exc:
        fail(str(exc), code=2)


def _address(text: str) -> str:
    try:
        return parse_address(text)
    except ClaimError as exc:
        fail(str(exc), code=2)

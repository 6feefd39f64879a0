"""`hearthwatch doctor`: look at an installation and say in words what is wrong with it, and the way out."""

import json
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from gateway.settings import PREFIX, GatewaySettings, SettingsError, load_settings
from hearthwatch.doctor import machine
from hearthwatch.doctor.mosquitto_settings import not_looked_at
from hearthwatch.settings import Settings
from vitals.clock import ClinicalClock
from vitals.finding import Finding, Language, as_plain, as_text, is_broken, unknown
from vitals.setting_faults import in_lines

app = typer.Typer(add_completion=False)


class Role(StrEnum):
    """What this machine is for."""

    SERVER = "server"
    GATEWAY = "gateway"


@app.command()
def doctor(
    role: Annotated[
        Role | None, typer.Option("--role", help="What this machine is for; else what is installed tells.")
    ] = None,
    mosquitto_conf: Annotated[
        Path | None, typer.Option("--mosquitto-conf", help="The broker's configuration, to be checked too.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="The gateway's settings file (TOML), for the role gateway.")
    ] = None,
    language: Annotated[Language | None, typer.Option("--lang", help="en or zh; else LANG tells.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Say in words what is wrong with this installation; exit code 1 when something is broken."""
    try:
        settings = Settings()
    except ValidationError as error:
        sys.exit("\n".join(f"hearthwatch doctor: {line}" for line in in_lines(error.errors())))
    findings = examine(settings, role or _installed_role(), mosquitto_conf, config)
    spoken = language or _language_of(os.environ)
    if as_json:
        typer.echo(json.dumps(as_plain(findings, spoken), ensure_ascii=False))
    else:
        typer.echo(as_text(findings, spoken))
    raise typer.Exit(1 if is_broken(findings) else 0)


def examine(
    settings: Settings, role: Role, mosquitto_conf: Path | None = None, config: Path | None = None
) -> list[Finding]:
    """Run every check that makes sense on this machine, in the order in which one would repair."""
    findings = [
        machine.python_version(),
        machine.wall_clock(),
        machine.clinical_clock(settings.clock_origin, settings.clock_speed),
    ]
    if role is Role.GATEWAY:
        return [*findings, *_gateway(config), *_mosquitto(mosquitto_conf)]
    findings += [*_broker(settings), *(_mosquitto(mosquitto_conf) or [not_looked_at()])]
    return [*findings, *_server(settings, findings)]


def _broker(settings: Settings) -> list[Finding]:
    from hearthwatch.doctor.broker import broker, secured
    from ingest.settings import IngestSettings
    from vitals.setting_names import UnknownSetting

    try:
        ingest = IngestSettings.from_environment()
    except UnknownSetting as error:
        return [machine.ingest_settings_wrong(str(error))]
    except ValidationError as error:
        return [machine.ingest_settings_wrong("; ".join(in_lines(error.errors())))]
    if ingest.ingest_broker_ca_file is None:
        return [broker(settings.broker_host, settings.broker_port)]
    own = (ingest.ingest_broker_certificate_file, ingest.ingest_broker_key_file)
    return [secured(settings.broker_host, settings.broker_port, ingest.ingest_broker_ca_file, own=own)]


def _mosquitto(file: Path | None) -> list[Finding]:
    from hearthwatch.doctor.broker import broker_settings, installed_version

    return [] if file is None else [*installed_version(), *broker_settings(file)]


def _server(settings: Settings, before: list[Finding]) -> list[Finding]:
    from hearthwatch.doctor import database
    from hearthwatch.doctor.judging import CHECK as JUDGING
    from hearthwatch.doctor.judging import judging
    from hearthwatch.doctor.notices import links
    from hearthwatch.doctor.registry import registry
    from hearthwatch.doctor.tending import CHECK, tending

    dsn, of_the_time = settings.database_dsn, (JUDGING, "patients", "duty")
    found = [links(os.environ), database.reachable(dsn)]
    if is_broken(found[-1:]):
        return [*found, *(unknown(check, because="database") for check in ("migrations", CHECK, *of_the_time))]
    found += [database.same_time(dsn), database.edition(dsn), database.migrated(dsn)]
    if is_broken(found[-1:]):
        return [*found, *(unknown(check, because="migrations") for check in (CHECK, *of_the_time))]
    found.append(tending(dsn, datetime.now(UTC)))
    if is_broken([each for each in before if each.check == "clinical clock"]):
        return [*found, *(unknown(check, because="clinical clock") for check in of_the_time)]
    clock = ClinicalClock.parse(settings.clock_origin, settings.clock_speed)
    now = clock.at(datetime.now(UTC))
    return [*found, judging(dsn, now), *registry(dsn, now)]


def _gateway(config: Path | None) -> list[Finding]:
    from hearthwatch.doctor.adapter import adapter

    try:
        settings = load_settings(config)
    except SettingsError as error:
        after = [unknown(check, because=machine.GATEWAY_SETTINGS) for check in ("broker", "outbox")]
        return [machine.gateway_settings_wrong(error), *after, adapter()]
    return [_gateway_broker(settings), machine.outbox(settings), adapter()]


def _gateway_broker(settings: GatewaySettings) -> Finding:
    from hearthwatch.doctor.broker import broker, listens, secured

    if settings.broker_ca_file:
        own = (settings.broker_certificate_file, settings.broker_key_file)
        return secured(settings.broker_host, settings.broker_port, settings.broker_ca_file, own=own)
    check = listens if settings.broker_username else broker
    return check(settings.broker_host, settings.broker_port, settings=f"{PREFIX}BROKER")


def _installed_role() -> Role:
    return Role.SERVER if find_spec("psycopg") is not None else Role.GATEWAY


def _language_of(environment: "os._Environ[str]") -> Language:
    spoken = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return Language.ZH if spoken.startswith("zh") else Language.EN

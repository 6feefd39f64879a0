"""`hearthwatch gateway selftest`: what a technician runs beside the box; English and Chinese, line by line."""

import asyncio
import grp
import json
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gateway.selftest.findings import as_document, as_lines
from gateway.selftest.findings import settings as settings_finding
from gateway.settings import CONFIG, GatewaySettings, SettingsError, load_settings
from vitals.finding import Finding, is_broken

LISTEN_S = 20.0
SERVICE = "hearthwatch-gateway.service"
ASKED_S_MAX = 5.0


def selftest(
    config: Annotated[Path | None, typer.Option("--config", help="settings file (TOML)", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON list, for programs")] = False,
    listen_s: Annotated[float, typer.Option(min=0.1, max=600, help="how long to listen to the air, s")] = LISTEN_S,
    sound: Annotated[
        bool, typer.Option("--sound", help="sound and light the alarm once, as it would be at home")
    ] = False,
) -> None:
    """Try everything this box needs, and say what to do where it fails; exit code 1 on a FAIL.

    As root it goes on as the user to whom the outbox's folder belongs: what that user can not do counts. A running
    gateway is not disturbed.
    """
    findings: list[Finding] = []

    def take(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            typer.echo("\n".join(as_lines([finding])))

    asyncio.run(_all(config, take=take, listen_s=listen_s, is_loud=sound))
    if as_json:
        typer.echo(json.dumps(as_document(findings), ensure_ascii=False))
    raise typer.Exit(1 if is_broken(findings) else 0)


async def _all(config: Path | None, *, take: Callable[[Finding], None], listen_s: float, is_loud: bool) -> None:
    try:
        settings = load_settings(config)
    except SettingsError as exc:
        take(settings_finding(str(exc), gateway_id="", file=""))
        return
    named = str(config or os.environ.get(CONFIG, ""))
    take(settings_finding(None, gateway_id=settings.gateway_id, file=named))
    from gateway.selftest.selftest import (
        selftest as tried,  # the radio's libraries: late, and before the rights are given away
    )

    _go_on_as_the_service(settings)

    async for finding in tried(settings, listen_s=listen_s, is_loud=is_loud):
        take(finding)


def _go_on_as_the_service(settings: GatewaySettings) -> None:
    """Give root's rights away for good, where the outbox's folder belongs to another user."""
    folder = settings.outbox_path.absolute().parent
    if os.geteuid() != 0 or not folder.exists() or folder.stat().st_uid == 0:
        return
    user = pwd.getpwuid(folder.stat().st_uid)
    groups = [*os.getgrouplist(user.pw_name, user.pw_gid), *service_groups()]
    os.setgroups(groups)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def service_groups() -> list[int]:
    """Ask systemd for the groups that the service has beyond its user's: the sound card's, with --alarm-output."""
    ask = ["systemctl", "show", SERVICE, "--property=SupplementaryGroups", "--value"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=ASKED_S_MAX).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    return [known[name] for name in answer.split() if name in known]

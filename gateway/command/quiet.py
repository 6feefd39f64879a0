"""`hearthwatch gateway quiet`: people in the home pause the sound of its alarm, always with an end."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.alarm.files import AlarmFiles
from gateway.alarm.quiet import MINUTES_MAX, Quiet, QuietError, Reason
from gateway.command.end import fail
from gateway.report.running import is_running
from gateway.settings import SettingsError, load_settings


def quiet(
    minutes: Annotated[int, typer.Option(help="how long; more than 2 only with a reason")] = MINUTES_MAX[None],
    reason: Annotated[
        Reason | None, typer.Option(help="why it may be long, at most 12 h: somebody is there and knows")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="settings file (TOML)")] = None,
) -> None:
    """Pause the sound of the alarm at home for some minutes.

    The light stays, sending and everything at the centre go on, and a new danger ends the pause.
    """
    try:
        asked = Quiet(minutes=minutes, reason=reason)
        settings = load_settings(config)
        if not is_running(settings):
            fail(f"{settings.outbox_path}: no gateway runs here, so no alarm sounds here; nothing is paused", code=1)
        AlarmFiles(settings.outbox_path).ask_for_quiet(asked)
    except (QuietError, SettingsError) as exc:
        fail(str(exc))
    except OSError as exc:
        fail(f"{exc.filename}: {exc.strerror}", code=1)
    typer.echo(f"quiet for {asked.minutes} min; a new danger sounds all the same")

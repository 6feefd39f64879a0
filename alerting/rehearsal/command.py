"""`hearthwatch alerting rehearse`: what a changed clinical profile would have paged, of what is stored."""

import json
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.lines import line_of
from alerting.profile.profile import Profile
from alerting.profile.site import at_site
from alerting.rehearsal.panel import Asked, rehearse_panel, timed
from alerting.rehearsal.progress import Progress
from alerting.rehearsal.reading import NobodyToRehearse, connect_to_read, newest_profile, patient_ids
from alerting.rehearsal.report_text import report_lines
from alerting.settings import AlertingSettings
from alerting.text_file import read_text

STDIN = "-"
DAYS_MAX = 400
TELL_EVERY_S = 2.0

WRONG = (ProfileError, NobodyToRehearse, ValueError, OSError, psycopg.Error)


def rehearse(
    *,
    profile: Annotated[str, typer.Option(help="the changed clinical profile, a TOML file; - reads it from stdin")],
    patient: Annotated[str, typer.Option(help="one patient, by the key in the registry")] = "",
    panel: Annotated[str, typer.Option(help="all patients of an organisation and of those below it, by its key")] = "",
    days: Annotated[int, typer.Option(help="how many days back from now")] = 30,
    standing: Annotated[
        str, typer.Option(help="a profile to compare with; without it, the one that alerting last worked under")
    ] = "",
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="as if nobody answered: a lesser alarm after a louder one only counts")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the whole report as one JSON document")] = False,
) -> None:
    """Say what a changed profile would have paged, before anyone is held to it: nothing is written or sent.

    Take the standing profile's text, change it, and hold both against the last month of a township:

        hearthwatch alerting profile --toml > new.toml

        (edit new.toml: [sustained.SPO2-REFER] window_s = 240)

        hearthwatch alerting rehearse --panel qingshi --days 30 --profile new.toml

    With what it would no longer page stands what people had decided: "real" is what it costs, "false_alarm" what it
    gains. Exit 2 names what is wrong: a patient, an organisation, the line of a profile.
    """
    elapsed = timed()
    try:
        if bool(patient) == bool(panel):
            raise ValueError("name either --patient or --panel")
        if not 1 <= days <= DAYS_MAX:
            raise ValueError(f"--days {days}: not within 1 to {DAYS_MAX}")
        settings = AlertingSettings.from_environment()
        altitude_m = settings.alerting_site_altitude_m or 0
        new = _read(profile, altitude_m)
        with connect_to_read(settings.database_dsn) as connection:
            compared = _read(standing, altitude_m) if standing else _standing(newest_profile(connection), altitude_m)
            chosen = patient_ids(connection, patient=patient, panel=panel)
            now = settings.now().replace(microsecond=0)
            asked = Asked(
                begins_at=now - timedelta(days=days),
                ends_at=now,
                standing=compared,
                new=new,
                site_altitude_m=altitude_m,
                answered=not unanswered,
            )
            report = rehearse_panel(connection, chosen, asked, _teller(elapsed))
    except WRONG as exc:
        typer.echo(f"rehearse: {exc}", err=True)
        raise typer.Exit(2) from exc
    document = report.document(seconds=elapsed())
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    for line in report_lines(document):
        typer.echo(line)


def _read(path: str, altitude_m: int) -> Profile:
    """Read a profile; an error names the file and the line."""
    body = sys.stdin.read() if path == STDIN else read_text(Path(path))
    try:
        return at_site(parse_profile(body), altitude_m)
    except ProfileError as exc:
        line = line_of(body, str(exc))
        named = "the profile" if path == STDIN else path
        raise ProfileError(f"{named}{f', line {line}' if line else ''}: {exc}") from exc


def _standing(body: str | None, altitude_m: int) -> Profile:
    try:
        return at_site(parse_profile(body if body is not None else standard_adult()), altitude_m)
    except ProfileError as exc:
        raise ProfileError(f"the standing profile of the database: {exc} (give one with --standing)") from exc


def _teller(elapsed: Callable[[], float]) -> Callable[[Progress], None]:
    told_s = [time.monotonic()]

    def tell(progress: Progress) -> None:
        if time.monotonic() - told_s[0] >= TELL_EVERY_S:
            told_s[0] = time.monotonic()
            typer.echo(progress.line(elapsed()), err=True)

    return tell


if __name__ == "__main__":  # the console runs it apart, so that nobody waits for its arithmetic
    typer.run(rehearse)

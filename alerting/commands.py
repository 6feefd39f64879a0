"""Command line of alerting: run it, look at a profile, list what is open."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from alerting.derived.commands import night
from alerting.order_commands import limits, order, revoke
from alerting.page_test_command import page_test
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.patient import Held, LimitRefused, PatientFacts, held_to
from alerting.profile.profile import Profile
from alerting.profile.site import at_site
from alerting.profile_page import as_document, print_profile
from alerting.rehearsal.command import rehearse
from alerting.replay.command import replay
from alerting.settings import AlertingSettings
from alerting.text_file import UnreadableFile, read_text
from alerting.trace_command import trace
from care.registry import SpecialGroup
from vitals.reading import ScaleError, scaled
from vitals.signals import Signal

app = typer.Typer(no_args_is_help=True, help="Rules, episodes, escalation: from a stored reading to a decision.")
for command in (replay, rehearse, night, order, revoke, limits, trace, page_test):
    app.command()(command)


@app.command()
def run() -> None:
    """Judge readings, escalate episodes and send notices until stopped (settings: HEARTHWATCH_…)."""
    from alerting.app import run as run_app

    run_app(*_settings_and_profile())


@app.command()
def send(
    while_stdin_is_open: Annotated[bool, typer.Option(help="end when stdin does, as the one that `run` keeps")] = False,
) -> None:
    """Send notices only, until stopped: `run` keeps one such process by itself; more may help, on any machine."""
    from alerting.app import run_sender

    run_sender(*_settings_and_profile(), while_stdin_is_open=while_stdin_is_open)


def _settings_and_profile() -> tuple[AlertingSettings, Profile]:
    from alerting.app import load_profile

    try:
        settings = AlertingSettings.from_environment()
        return settings, load_profile(settings)
    except (ValueError, OSError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(2) from exc


@app.command()
def watchdog() -> None:
    """See that alerting works, and tell operations where it does not: run it beside, best on another machine.

    It tells of a database that is gone, deadlines that pass, notices that are not sent and readings that are not
    judged, each after 30 s, again every 5 min, and when it is over; by HEARTHWATCH_ALERTING_WATCHDOG_CHANNELS.
    """
    from alerting.watchdog import run as run_watchdog

    try:
        settings = AlertingSettings.from_environment()
    except ValueError as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(2) from exc
    if not settings.watchdog_urls:
        typer.echo(
            "alerting: HEARTHWATCH_ALERTING_WATCHDOG_CHANNELS is empty: there is nobody to tell;"
            " write apprise addresses, e.g. ntfys://ntfy.example/operations",
            err=True,
        )
        raise typer.Exit(2)
    run_watchdog(settings)


@app.command()
def profile(
    path: Annotated[Path | None, typer.Argument(help="a clinical profile; without it, the one that ships")] = None,
    patient_age: Annotated[str, typer.Option(help="show what a patient of this age is held to: 40d, 5mo, 3y")] = "",
    group: Annotated[list[SpecialGroup] | None, typer.Option(help="... of this special group (repeatable)")] = None,
    on_oxygen: Annotated[bool, typer.Option("--on-oxygen", help="... who is on oxygen")] = False,
    baseline: Annotated[float | None, typer.Option(help="... with this SpO2 baseline, in %")] = None,
    altitude_m: Annotated[int | None, typer.Option(help="check it for a site at this altitude")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="the profile's text, to begin a county's own with")] = False,
) -> None:
    """Check a clinical profile and print its hash, rules and variants; exit 2 names what is wrong with it."""
    try:
        found = parse_profile(read_text(path) if path else standard_adult())
        found = found if altitude_m is None else at_site(found, altitude_m)
        asked = bool(patient_age or group or on_oxygen or baseline is not None)
        held = _held(found, patient_age or ADULT, group or [], on_oxygen, baseline)
    except (ProfileError, LimitRefused, ScaleError, UnreadableFile) as exc:
        typer.echo(f"profile: {exc}", err=True)
        raise typer.Exit(2) from exc
    if as_toml:
        typer.echo(found.body, nl=False)
    elif as_json:
        typer.echo(json.dumps(as_document(found, held, asked=asked), ensure_ascii=False, indent=1))
    else:
        print_profile(found, held, asked=asked)


AGE = re.compile(r"(\d{1,5})\s*(d|mo|y)")
DAYS = {"d": 1.0, "mo": 30.4375, "y": 365.25}
ADULT = "50y"


def _held(found: Profile, age: str, groups: list[SpecialGroup], on_oxygen: bool, baseline: float | None) -> Held:
    said = AGE.fullmatch(age)
    if said is None or (days := int(said[1]) * DAYS[said[2]]) > 150 * DAYS["y"]:
        raise ProfileError(f"--patient-age {age!r} is no age: 40d, 5mo, 3y")
    today = datetime.now(UTC).date()
    facts = PatientFacts(
        born_on=today - timedelta(days=round(days)),
        special_groups=frozenset(groups),
        on_oxygen=on_oxygen,
        baseline=None if baseline is None else scaled(Signal.SPO2, baseline),
    )
    return held_to(found, facts, on=today)


@app.command()
def episodes(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line an episode")] = False,
) -> None:
    """List the open episodes, most urgent first."""
    from alerting.desk import connect

    try:
        connection = connect(AlertingSettings.from_environment().database_dsn, "alerting-episodes")
    except (ValueError, psycopg.OperationalError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(1) from exc
    with connection:
        rows = connection.execute(
            "SELECT episode_id, COALESCE(initials, gateway_id, subject) AS initials, COALESCE(bed, '') AS bed,"
            " rule, priority, condition, state, step, due_at, since"
            " FROM open_episode ORDER BY rank, due_at"
        ).fetchall()
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row._asdict(), default=str, ensure_ascii=False))
        return
    table = Table("episode", "who", "rule", "priority", "condition", "state", "since", "due")
    for row in rows:
        state = f"{row.state}/{row.step}"
        who = f"{row.initials} {row.bed}"
        times = (f"{row.since:%F %T}", f"{row.due_at:%F %T}")
        table.add_row(str(row.episode_id), who, row.rule, row.priority, row.condition, state, *times)
    Console().print(table)

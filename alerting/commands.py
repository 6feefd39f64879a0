"""Command line of alerting: run it, look at a profile, list what is open."""

import json
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from alerting.derived.commands import night
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.profile import TIMER_NAMES, described
from alerting.settings import AlertingSettings
from alerting.words import RULES

app = typer.Typer(no_args_is_help=True, help="Rules, episodes, escalation: from a stored reading to a decision.")
app.command()(night)


@app.command()
def run() -> None:
    """Judge readings, escalate episodes and send notices until stopped (settings: HEARTHWATCH_…)."""
    from alerting.app import load_profile
    from alerting.app import run as run_app

    try:
        settings = AlertingSettings.from_environment()
        found = load_profile(settings)
    except (ValueError, OSError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(2) from exc
    run_app(settings, found)


@app.command()
def profile(
    path: Annotated[Path | None, typer.Argument(help="a clinical profile; without it, the one that ships")] = None,
) -> None:
    """Check a clinical profile and print its hash and rules; exit 2 names what is wrong with it."""
    try:
        found = parse_profile(path.read_text(encoding="utf-8") if path else standard_adult())
    except (ProfileError, OSError) as exc:
        typer.echo(f"profile: {exc}", err=True)
        raise typer.Exit(2) from exc
    console = Console()
    table = Table(title=f"{found.name} version {found.version}, in force from {found.effective_from}")
    for heading in ("rule", "judged", "condition", "persistence", "priority", "tier 3"):
        table.add_column(heading)
    for line in described(found):
        table.add_row(*line)
    console.print(table)
    timers = Table("priority", *(name.removesuffix("_s") for name in TIMER_NAMES), title="deadlines, in minutes")
    for priority, each in found.timers.items():
        timers.add_row(priority, *(f"{getattr(each, name) / 60:g}" for name in TIMER_NAMES))
    console.print(timers)
    console.print(f"sha256 {found.profile_hash}")
    for rule in sorted(found.consequences.keys() - RULES.keys()):
        console.print(f"note: {rule} has no words yet (alerting/words.py); notices will show its id")


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

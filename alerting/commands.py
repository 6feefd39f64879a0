"""Command line of alerting: run it, look at a profile, list what is open."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from alerting.profile_file import ProfileError, parse_profile, standard_adult
from alerting.settings import AlertingSettings

app = typer.Typer(no_args_is_help=True, help="Rules, episodes, escalation: from a stored reading to a decision.")


@app.command()
def run() -> None:
    """Judge readings, escalate episodes and send notices until stopped (settings: HEARTHWATCH_…)."""
    from alerting.app import load_profile
    from alerting.app import run as run_app

    settings = AlertingSettings()
    try:
        found = load_profile(settings)
    except (ProfileError, OSError) as exc:
        typer.echo(f"profile: {exc}", err=True)
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
    table = Table(title=f"{found.name} version {found.version}, {found.profile_hash[:12]}…")
    for heading in ("rule", "family", "priority", "emergency", "tier 3"):
        table.add_column(heading)
    for rule in found.consequences.values():
        table.add_row(rule.rule, rule.family, rule.priority, str(rule.emergency), str(rule.tier3))
    Console().print(table)


@app.command()
def episodes(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line an episode")] = False,
) -> None:
    """List the open episodes, most urgent first."""
    from alerting.desk import connect

    with connect(AlertingSettings().database_dsn, "alerting-episodes") as connection:
        rows = connection.execute(
            "SELECT episode_id, initials, bed, rule, priority, condition, state, step, due_at, since"
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

"""Command line: one episode's chain, from the reading to the return home."""

import json
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from alerting.desk import Desk, connect
from alerting.profile.file import parse_profile, standard_adult
from alerting.settings import AlertingSettings
from alerting.trace import Trace
from alerting.trace import trace as trace_episode


def trace(
    episode: Annotated[
        int, typer.Argument(help="the episode's number: `hearthwatch alerting episodes` lists the open")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a link")] = False,
) -> None:
    """Print an episode's chain, reading to closing, with every instant, and the first link that is missing.

    Exit 1 where a link is missing, 2 where there is no such episode.
    """
    try:
        settings = AlertingSettings.from_environment()
        with connect(settings.database_dsn, "alerting-trace") as connection:
            desk = Desk(connection=connection, profile=parse_profile(standard_adult()), now=settings.now())
            found = trace_episode(desk, episode)
    except (ValueError, psycopg.OperationalError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(2) from exc
    if found is None:
        typer.echo(f"alerting: there is no episode {episode}", err=True)
        raise typer.Exit(2)
    if as_json:
        _print_lines(found)
    else:
        _print_table(found)
    raise typer.Exit(1 if found.missing else 0)


def _print_lines(found: Trace) -> None:
    begun = found.links[0].at
    for each in found.links:
        after_s = round((each.at - begun).total_seconds(), 3) if each.at and begun else None
        line = {
            "episode": found.episode_id,
            "link": each.link,
            "at": each.at.isoformat() if each.at else None,
            "after_s": after_s,
            "detail": each.detail,
            "missing": each.link is found.missing,
            "silence": found.silence,
        }
        typer.echo(json.dumps(line, ensure_ascii=False))


def _print_table(found: Trace) -> None:
    table = Table(
        "link", "at", "after", "", title=f"episode {found.episode_id}: {found.rule}, {found.whose}, {found.state}"
    )
    begun = found.links[0].at
    for each in found.links:
        after = f"{(each.at - begun).total_seconds():.1f} s" if each.at and begun else ""
        at = f"{each.at:%F %T.%f}"[:-3] if each.at else "MISSING" if each.link is found.missing else "-"
        table.add_row(each.link, at, after, each.detail if each.at else "")
    Console().print(table)
    if found.silence:
        typer.echo(found.silence)
    if found.missing:
        due = f"; somebody is told at {found.due_at:%F %T} UTC" if found.due_at and not found.silence else ""
        typer.echo(f"first missing link: {found.missing}{due}")

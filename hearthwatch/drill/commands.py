"""`hearthwatch drill`: escalation rehearsed on a virtual clock, each scenario as a timeline."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hearthwatch.drill.scenarios import SCENARIOS, complaints
from hearthwatch.drill.stage import Line, database, stage

app = typer.Typer(help="Rehearse escalation on a virtual clock.")


@app.command()
def drill(
    only: Annotated[str, typer.Option(help=f"these alone, with commas between: {', '.join(SCENARIOS)}")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line an event")] = False,
) -> None:
    """Play what may happen to an alarm, second by virtual second: the real tick and acts over a real database.

    Nobody is really told: notices are written, and sent only where a worker is killed, to the drill itself. Ends with 1
    where something expected did not happen. Takes some four minutes, most of them for a hundred kills.
    """
    wanted = [name for name in only.split(",") if name] or list(SCENARIOS)
    if unknown := sorted(set(wanted) - SCENARIOS.keys()):
        typer.echo(f"drill: there is no {', '.join(unknown)}; there are {', '.join(SCENARIOS)}", err=True)
        raise typer.Exit(2)
    missed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="hearthwatch-drill-") as folder, database(Path(folder)) as server:
        for name in wanted:
            missed += [f"{name}: {each}" for each in _play(server, name, as_json=as_json)]
    for each in missed:
        typer.echo(f"MISSED {each}", err=True)
    typer.echo(f"drill: {len(wanted)} scenarios, {len(missed)} expectations missed", err=True)
    raise typer.Exit(1 if missed else 0)


def _play(server: str, name: str, *, as_json: bool) -> list[str]:
    scenario = SCENARIOS[name]
    if not as_json:
        typer.echo(f"\n{name}: {scenario.does}")
    with stage(server, name) as played:
        scenario.play(played)
        for line in played.lines:
            typer.echo(_json(name, line) if as_json else _text(line))
        return complaints(scenario, played)


def _json(scenario: str, line: Line) -> str:
    said = asdict(line)
    ordered = {"t_s": said.pop("t_s"), "scenario": scenario, **said}
    return json.dumps(ordered, ensure_ascii=False)


def _text(line: Line) -> str:
    minutes, seconds = divmod(int(line.t_s), 60)
    tier = f"tier {line.service_tier}" if line.service_tier else ""
    return f"  {minutes:3d}:{seconds:02d}  {line.event:<16} {tier:<7} {line.to}  {line.detail}".rstrip()

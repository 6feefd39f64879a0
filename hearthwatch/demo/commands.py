"""`hearthwatch demo`: the whole way on simulated devices, for a person to look at or as JSON lines for a program."""

import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from hearthwatch.demo.milestones import Milestone
from hearthwatch.demo.play import Expectation, Play, Verdict, expectation
from hearthwatch.demo.stage import Script, Stage
from hearthwatch.demo.telling import human_line, introduction

app = typer.Typer()

RECORDED = frozenset({("p3", "SPO2-CRIT")})
EVERYBODY_ELSE = frozenset({"p1", "p2", "p4", "p5", "p6"})
CHAOS_SPEED = 5.0
SPEED = 20.0


@app.command(
    epilog="Examples:  demo   ·   demo --until tier3 --json   ·   demo --chaos --json   ·   demo --recording FILE.csv",
)
def demo(
    *,
    speed: Annotated[
        float | None, typer.Option(help="clinical seconds per second (20; with --chaos 5)", min=0.1, max=60)
    ] = None,
    until: Annotated[
        Literal["tier3"] | None, typer.Option(help="end once tier 3 has been told; a county expert then decides")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a milestone")] = False,
    chaos: Annotated[
        bool, typer.Option(help="kill gateway, ingest, alerting, PostgreSQL and Mosquitto on the way")
    ] = False,
    recording: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="play this CSV of a real oximeter in the third home"),
    ] = None,
    port: Annotated[int, typer.Option(help="the console's port; 0: a free one", min=0, max=65535)] = 0,
    keep: Annotated[Path | None, typer.Option(help="keep logs and the outbox in this folder")] = None,
) -> None:
    """Run the whole way on this machine: six homes' devices, gateway, broker, database, alerting, console.

    Without --until it runs until Ctrl-C: open the address it prints, sign in, acknowledge, decide. With --until
    tier3 it ends by itself, with status 0 only if everything that must happen has happened and the summary adds up.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    script = Script(speed=speed or (CHAOS_SPEED if chaos else SPEED), recording=recording, console_port=port)
    with tempfile.TemporaryDirectory(prefix="hearthwatch-demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "outbox.sqlite").exists():
            earlier = f"{folder} holds an earlier run's outbox: choose another folder"
            raise typer.BadParameter(earlier, param_hint="--keep")
        ends_by_itself = until is not None or chaos
        with _interrupted(ends_by_itself), Stage(folder, script, _progress) as stage:
            if not (until or chaos):
                typer.echo(introduction(stage))
            play = Play(stage, _json_line if as_json else _line)
            if not (until or chaos):
                play.for_ever()
            verdict = play.until_tier3(_expectation(script, chaos=chaos), chaos=chaos)
            _conclude(stage, verdict, as_json=as_json)
            raise typer.Exit(0 if verdict.is_good else 1)
    _progress("stopped")


@contextmanager
def _interrupted(ends_by_itself: bool) -> Iterator[None]:
    """Ctrl-C is how the open-ended demo is stopped; a run that was to prove something has then proved nothing."""
    try:
        yield
    except KeyboardInterrupt:
        if ends_by_itself:
            _progress("interrupted before the end")
            raise typer.Exit(130) from None


def _expectation(script: Script, *, chaos: bool) -> Expectation:
    wanted = expectation(speed=script.speed, chaos=chaos)
    if script.recording is None:
        return wanted
    return Expectation(
        reach_tier3=RECORDED, raised=RECORDED, quiet=EVERYBODY_ELSE, within_s=45 * 60 / script.speed + 60
    )


def _progress(what: str) -> None:
    typer.echo(f"demo: {what}", err=True)


def _line(milestone: Milestone) -> None:
    typer.echo(human_line(milestone))


def _json_line(milestone: Milestone) -> None:
    typer.echo(json.dumps(milestone.as_line(), ensure_ascii=False))
    sys.stdout.flush()


def _conclude(stage: Stage, verdict: Verdict, *, as_json: bool) -> None:
    assert verdict.summary is not None, "until_tier3 always adds up"
    summary = Milestone(t_s=stage.t_s(), name="summary", fields=dict(verdict.summary.as_line()))
    (_json_line if as_json else _line)(summary)
    for complaint in verdict.complaints:
        _progress(f"NOT AS EXPECTED: {complaint}")

"""`hearthwatch bench`: measure on real parts, print JSON."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from hearthwatch.bench import gateway as gateway_bench

app = typer.Typer(no_args_is_help=True, help="Measure on real parts and print JSON. Machines differ: read ratios.")


@app.callback()
def _room() -> None:
    """Keep `bench NAME` a group, however many benchmarks there are."""


@app.command()
def gateway(
    *,
    devices: Annotated[int, typer.Option(help="oximeters, five to an adapter", min=1, max=10)] = 8,
    seconds: Annotated[float, typer.Option(help="how long each speaks once a second", min=1)] = 60,
    rates: Annotated[str, typer.Option(help="then so many notifications a second in all")] = "100,200,400,800",
    as_json: Annotated[bool, typer.Option("--json", help="print the document and nothing else")] = False,
) -> None:
    """The gateway on bleak's own BlueZ backend: processor, memory, card wear, time to the disk, saturation.

    The devices are simulated behind a stand-in for bluetoothd; broker, ingest and database are real. Takes about
    four minutes.
    """
    plan = gateway_bench.Plan(
        devices=devices, seconds=seconds, rates=tuple(int(rate) for rate in rates.split(",") if rate)
    )
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        document = asyncio.run(gateway_bench.measure(Path(folder), plan, _quiet if as_json else _say))
    typer.echo(json.dumps(document, indent=None if as_json else 1))


@app.command()
def gateway_faults(
    *,
    only: Annotated[str, typer.Option(help="these alone, by name, with commas between")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print the document and nothing else")] = False,
) -> None:
    """Troubles of radio, bluetoothd, broker, disk and clock: time to an action, a rung, data. About fifteen minutes.

    Bluetooth is a stand-in for bluetoothd. Ends with 1 where data did not flow again, a row is lost or doubled, the
    gateway died of it, or an answer took longer than a minute.
    """
    from hearthwatch.bench import gateway_faults as faults

    names = [name for name in only.split(",") if name]
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        try:
            document = asyncio.run(faults.measure(Path(folder), names, _quiet if as_json else _say))
        except KeyError as exc:
            typer.echo(exc.args[0], err=True)
            raise typer.Exit(2) from exc
    typer.echo(json.dumps(document, indent=None if as_json else 1))
    if not document["well"]:
        raise typer.Exit(1)


@app.command()
def gateway_outbox(
    *,
    seconds: Annotated[float, typer.Option(help="how long at each rate", min=1)] = 30,
    rates: Annotated[str, typer.Option(help="readings a second")] = "1,8,10,100,1000",
    backlog: Annotated[int, typer.Option(help="readings to drain", min=1000)] = 500_000,
    as_json: Annotated[bool, typer.Option("--json", help="print the document and nothing else")] = False,
) -> None:
    """Outbox and courier without a radio: time to the disk, card wear, saturation, backlog. About five minutes.

    The drain is measured twice: to a peer that only acknowledges, and to ingest with its database.
    """
    from hearthwatch.bench import gateway_outbox as bench

    plan = bench.Plan(rates=tuple(int(rate) for rate in rates.split(",") if rate), seconds=seconds, backlog=backlog)
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        document = bench.measure(Path(folder), plan, _quiet if as_json else _say)
    typer.echo(json.dumps(document, indent=None if as_json else 1))


@app.command()
def gateway_kill(
    *,
    kills: Annotated[int, typer.Option(help="kills at each rate", min=1)] = 200,
    rates: Annotated[str, typer.Option(help="readings a second")] = "10,100,1000",
    as_json: Annotated[bool, typer.Option("--json", help="print the document and nothing else")] = False,
) -> None:
    """SIGKILL at random instants: what was accepted and is lost, what is doubled, what was open. About six minutes.

    Intake, outbox, courier, broker, ingest and database are real; only the radio is not there. Ends with 1 if anything
    was lost or doubled.
    """
    from hearthwatch.bench import gateway_kill as killing

    plan = killing.Plan(kills=kills, rates=tuple(int(rate) for rate in rates.split(",") if rate))
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        document = killing.measure(Path(folder), plan, _quiet if as_json else _say)
    typer.echo(json.dumps(document, indent=None if as_json else 1))
    if not document["well"]:
        raise typer.Exit(1)


@app.command()
def rollups(
    *,
    patients: Annotated[
        int, typer.Option(help="patients, each with a sample of four signals every 5 s", min=5)
    ] = 10_000,
    live_minutes: Annotated[int, typer.Option(help="minutes rolled up as they come", min=1)] = 5,
    away_minutes: Annotated[int, typer.Option(help="minutes rolled up at once afterwards", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print the document and nothing else")] = False,
) -> None:
    """Roll-ups on a real database: what a county's minute costs, how fast a time away is caught up. About a minute."""
    from hearthwatch.bench import rollups as rollups_bench

    plan = rollups_bench.Plan(patients=patients, live_minutes=live_minutes, away_minutes=away_minutes)
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        document = rollups_bench.measure(Path(folder), plan, _quiet if as_json else _say)
    typer.echo(json.dumps(document, indent=None if as_json else 1))
    if not document["equal"]:
        raise typer.Exit(1)


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _quiet(line: str) -> None:
    del line

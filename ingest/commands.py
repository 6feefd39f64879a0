"""`hearthwatch ingest`: run the services and their time-driven work, see what was refused and what was delivered."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from care.sql import load_queries
from ingest.account import Why, missing, why_missing
from ingest.command_line import database, errors_in_one_line, ports_in_one_line, settings_or_exit
from ingest.http import commands as token_commands
from ingest.rejected import commands as rejected_commands
from ingest.tend.status import JobStatus, standing

app = typer.Typer(no_args_is_help=True, help="Take readings from the broker, or over HTTP, and store them.")
app.add_typer(token_commands.app, name="token")
app.command(epilog=rejected_commands.REASONS)(rejected_commands.rejected)
app.command(epilog=rejected_commands.REASONS)(rejected_commands.replay)

_QUERIES = load_queries("ingest")
KINDS = ("thinned", "on_the_way", "lost", "unexplained")
HOLES_SHOWN = 10
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command()
def run() -> None:
    """Take readings from the broker and store them, until SIGTERM or Ctrl-C.

    Set first, in the environment: HEARTHWATCH_DATABASE_DSN (host=127.0.0.1 dbname=hearthwatch), HEARTHWATCH_BROKER_HOST
    (127.0.0.1), HEARTHWATCH_BROKER_PORT (1883). The database is one that 'hearthwatch db migrate' has made ready.

    /ready, /healthz and /metrics are off until HEARTHWATCH_INGEST_METRICS_PORT (0) is set.

    All settings: docs/ingest-settings.md. What becomes of each reading: docs/ingest.md.
    """
    from ingest.broker.app import run as run_service

    with ports_in_one_line():
        run_service(settings_or_exit())


@app.command()
def serve() -> None:
    """Take readings over HTTP and store them, until SIGTERM or Ctrl-C.

    Set first, in the environment: HEARTHWATCH_DATABASE_DSN (host=127.0.0.1 dbname=hearthwatch),
    HEARTHWATCH_INGEST_HTTP_HOST (127.0.0.1), HEARTHWATCH_INGEST_HTTP_PORT (8090), and a certificate where no proxy does
    TLS. Who may send: 'hearthwatch ingest token add'.

    /ready and /healthz are on the same port; /metrics are off until HEARTHWATCH_INGEST_HTTP_METRICS_PORT (0) is set.

    All settings: docs/ingest-settings.md. How to send: docs/http-intake.md.
    """
    from ingest.http.server import serve as serve_http

    with ports_in_one_line():
        serve_http(settings_or_exit())


@app.command()
def account(
    gateway: Annotated[str | None, typer.Option(help="Only this gateway.")] = None, as_json: AsJson = False
) -> None:
    """Show for each outbox what was accepted, what is here, and what is missing, where and since when."""
    total: Counter[str] = Counter()
    for line in _rows("accounts", {"gateway_id": gateway}):
        shown = _account(line)
        total.update({kind: shown[kind] for kind in KINDS})
        if as_json:
            typer.echo(json.dumps(shown, default=str))
            continue
        parts = "".join(f", {kind.replace('_', ' ')} {shown[kind]}" for kind in KINDS if shown[kind])
        since = f" since {shown['since']['lost']}" if "lost" in shown["since"] else ""
        copy = "  (a copy of another gateway's)" if shown["is_copy"] else ""
        typer.echo(
            f"{shown['gateway_id']}  {shown['outbox_id']}  taken {shown['taken']}  missing {shown['missing']}"
            f"{parts}{since}{copy}" + "".join(f"\n    {line}" for line in _hole_lines(shown["holes"]))
        )
    if not as_json:
        typer.echo("in all: " + ", ".join(f"{kind.replace('_', ' ')} {total[kind]}" for kind in KINDS))


@app.command()
def tend(
    status: Annotated[bool, typer.Option("--status", help="Do nothing; show how the work is getting on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Do what is driven by time (roll-ups, retention) until SIGTERM; of several processes one works.

    Set first, in the environment: HEARTHWATCH_DATABASE_DSN (host=127.0.0.1 dbname=hearthwatch). How long what is kept:
    HEARTHWATCH_INGEST_RETENTION_DAYS (90), HEARTHWATCH_INGEST_MINUTE_ROLLUP_DAYS (730).

    /metrics are off until HEARTHWATCH_INGEST_TEND_METRICS_PORT (0) is set.

    All settings: docs/ingest-settings.md. What the jobs are: docs/time-driven-work.md.
    """
    settings = settings_or_exit()
    if not status:
        from ingest.tend.app import run as run_tending

        with ports_in_one_line():
            return run_tending(settings)
    with errors_in_one_line():
        found = standing(settings.database_dsn)
    if as_json:
        for job in found.jobs:
            typer.echo(json.dumps({**asdict(job), "left_s": job.left_s}, default=str, ensure_ascii=False))
        return None
    at_work = f"at work since {found.worker_since:%F %T}" if found.worker_since else "nobody is at work"
    waits = f", the oldest came {found.behind_since:%F %T}" if found.behind_since else ""
    typer.echo(f"{at_work}; the roll-ups have {found.behind_batches} batches before them{waits}")
    for job in found.jobs:
        typer.echo(_job_line(job))
    return None


def _account(line: dict[str, Any]) -> dict[str, Any]:
    taken = [(part.lower, part.upper) for part in line["taken_ranges"] or ()]
    thinned = [(part.lower, part.upper) for part in line["thinned_rows"] or ()]
    # a copy is told nothing, and nothing of it is missing
    holes = [] if line["is_copy"] else missing(taken, is_told=line["is_told"])
    why = {hole: why_missing(hole, thinned=thinned, is_told=line["is_told"]) for hole in holes}
    copied = ("is_copy", "accepted", "taken", "stored", "repeated", "rejected", *KINDS)
    return {
        "gateway_id": line["gateway_id"],
        "outbox_id": str(line["outbox_id"]),
        **{name: line[name] for name in copied},
        "taken_ranges": taken,
        "missing": sum(line[kind] for kind in KINDS),
        "missing_ranges": [hole for hole in holes if why[hole] in (Why.THINNED, Why.UNKNOWN)],
        "holes": [[*hole, why[hole].value] for hole in holes],
        "since": {kind: since.isoformat() for kind, since in zip(line["kinds"], line["since"], strict=True)},
        "said_at": line["said_at"] and line["said_at"].isoformat(),
        "received_at": line["received_at"] and line["received_at"].isoformat(),
    }


def _hole_lines(holes: Sequence[tuple[int, int, str]]) -> list[str]:
    """Say where holes are, by their first and last row: so many that they can be read, and how many more there are."""
    shown = [
        f"row {first}: {why}" if first + 1 == end else f"rows {first}-{end - 1}: {why}"
        for first, end, why in holes[:HOLES_SHOWN]
    ]
    return [*shown, f"and {len(holes) - HOLES_SHOWN} more"] if len(holes) > HOLES_SHOWN else shown


def _job_line(job: JobStatus) -> str:
    well = f"{job.last_success:%F %T}" if job.last_success else "never"
    pace = f", {job.work_per_s:,.0f} a second" if job.work_per_s else ""
    left = f", {job.work_left:,} left" if job.work_left else ""
    eta = f", {job.left_s:.0f} s to go" if job.work_left and job.left_s is not None else ""
    failed = f", FAILED {job.failures} times in a row" if job.failures else ""
    return f"{job.job}  last well {well}, took {job.duration_ms} ms{pace}{left}{eta}{failed}\n    {job.detail}"


def _rows(query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with database() as connection:
        return connection.execute(_QUERIES[query], values).fetchall()

"""`hearthwatch ingest rejected` and `replay`: browse what was not taken, count it, judge it again."""

import getpass
import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row

from care.sql import load_queries
from ingest.command_line import database, errors_in_one_line, settings_or_exit
from ingest.judging.rejection import EXPLANATION, Rejection
from ingest.rejected.lift_waiting import ROWS_MAX, bounded
from ingest.rejected.lifting import Lifter, Verdict
from ingest.store.storing import prepare
from vitals.clock import ClinicalClock

_QUERIES = load_queries("ingest", "rejected.sql")
_FILTERS = b"""(%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(gateway)s::text IS NULL OR source = %(gateway)s)
   AND (%(device)s::text IS NULL OR device = %(device)s)
   AND (%(since)s::timestamptz IS NULL OR last_received_at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received_at < %(until)s)"""
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
_TIME = "2026-03-01 or 2026-03-01T12:00, UTC"
REASONS = f"Reasons: {', '.join(Rejection)}. What each means, and when it is taken after all: docs/rejected.md."

Reason = Annotated[Rejection | None, typer.Option(metavar="REASON", help="Only this reason; below are all.")]
Gateway = Annotated[str | None, typer.Option(help="Only what this gateway sent.")]
Device = Annotated[str | None, typer.Option(help="Only this device, by its id on the wire.")]
Since = Annotated[
    datetime | None, typer.Option(formats=_FORMATS, metavar="TIME", help=f"Only what came at or after this: {_TIME}.")
]
Until = Annotated[datetime | None, typer.Option(formats=_FORMATS, metavar="TIME", help="Only what came before this.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def rejected(
    reason: Reason = None,
    gateway: Gateway = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    count: Annotated[bool, typer.Option("--count", help="Count by reason instead.")] = False,
    lifted: Annotated[bool, typer.Option("--lifted", help="Also what has been lifted wholly since.")] = False,
    as_json: AsJson = False,
) -> None:
    """Browse what was not taken, newest first, with the reason in words."""
    filters = _filters(reason, gateway, device, since, until)
    values = {**filters, "limit": limit, "lifted": lifted}
    with database() as connection:
        lines = connection.execute(_query("count" if count else "browse"), values).fetchall()
    for line in lines:
        if as_json:
            typer.echo(json.dumps(line, default=str, ensure_ascii=False))
        else:
            typer.echo(_counted(line) if count else _browsed(line))
    if not lines and not as_json:
        typer.echo("nothing matches" if any(filters.values()) else "nothing was refused")


def replay(
    reason: Reason = None,
    gateway: Gateway = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of each, and keep nothing of it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge what was refused again, by the registry of now, and lift what can be taken: once, and in order.

    Ends with what was lifted and what is still refused. Progress goes to stderr.
    """
    settings = settings_or_exit()
    clock = ClinicalClock.parse(settings.clock_origin, settings.clock_speed)
    now_ms = int(clock.at(datetime.now(UTC)).timestamp() * 1000)
    lifter = Lifter(by=getpass.getuser(), retention_days=settings.ingest_retention_days, dry_run=dry_run)
    total: Counter[str] = Counter()
    filters = _filters(reason, gateway, device, since, until)
    with errors_in_one_line(), psycopg.connect(settings.database_dsn, autocommit=True, connect_timeout=5) as connection:
        prepare(connection)
        for verdict in _replayed(connection, lifter, filters, now_ms):
            total.update(_tally(verdict))
            if as_json:
                typer.echo(json.dumps(_told(verdict)))
            elif dry_run:
                typer.echo(_said(verdict))
    if not as_json:
        would = "would be " if dry_run else ""
        still = ", ".join(f"{name} {count}" for name, count in sorted(total.items()) if name not in _TAKEN)
        typer.echo(
            f"{_number(total['stored'], 'reading')} {would}lifted, {total['repeated']} equal what is stored;"
            f" still refused: {still or 'none'}"
        )


_TAKEN = ("stored", "repeated")


def _replayed(
    connection: psycopg.Connection[Any], lifter: Lifter, filters: dict[str, Any], now_ms: int
) -> Iterator[Verdict]:
    """Go once through what lies there now, in bounded steps."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_query("lying_count"), filters).fetchone()
    assert found is not None, "an aggregate gives a row"
    after, done = 0, 0
    while True:
        values = {**filters, "after": after, "up_to": found["up_to"], "limit": ROWS_MAX}
        lines = connection.execute(_query("lying"), values).fetchall()
        ids = bounded([(rejected_id, Rejection(why), readings) for rejected_id, why, readings in lines])
        if not ids:
            return
        yield from lifter.lift(connection, ids, now_ms)
        after, done = ids[-1][0], done + len(ids)
        print(f"{done} of {found['rows']} rows judged again", file=sys.stderr, flush=True)  # noqa: T201


def _query(name: str) -> bytes:
    return _QUERIES[name].replace(b"{filters}", _FILTERS)


def _filters(
    reason: Rejection | None, gateway: str | None, device: str | None, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    return {
        "reason": reason and reason.value,
        "gateway": gateway,
        "device": device,
        "since": since and since.replace(tzinfo=UTC),
        "until": until and until.replace(tzinfo=UTC),
    }


def _browsed(line: dict[str, Any]) -> str:
    zh, en = EXPLANATION[Rejection(line["reason"])]
    is_message = line["readings"] == 0 and line["lifted_at"] is None
    what = "1 message" if is_message else _number(line["readings"], "reading")
    again = f", came {line['times']} times, last {line['last_received_at']:%F %T}" if line["times"] > 1 else ""
    lifted = f"  {line['lifted']} lifted {line['lifted_at']:%F %T} by {line['lifted_by']}" if line["lifted_at"] else ""
    return (
        f"{line['received_at']:%F %T}  {line['source']}  {line['reason']}  {what}{again}{lifted}\n"
        f"    {line['detail']}\n    {zh} {en}"
    )


def _counted(line: dict[str, Any]) -> str:
    lifted = f", {line['lifted']} lifted" if line["lifted"] else ""
    return (
        f"{line['reason']}  {_what_lies(line)}, came {_number(line['times'], 'time')}{lifted},"
        f" {line['first_received_at']:%F %T} to {line['last_received_at']:%F %T}"
    )


def _what_lies(line: dict[str, Any]) -> str:
    """Count what lies there of a reason: readings in rows, and whole messages that could not be read."""
    messages, rows = line["messages"], line["rows"] - line["messages"]
    readings = [f"{_number(line['readings'], 'reading')} in {_number(rows, 'row')}"] if rows else []
    return ", ".join([*readings, *([_number(messages, "message")] if messages else [])])


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _tally(verdict: Verdict) -> dict[str, int]:
    refused = {reason.value: count for reason, count in verdict.refused.items()}
    if verdict.unreadable and not verdict.refused.total():
        refused = {f"{verdict.was.value} (messages)": 1}
    return {"stored": verdict.stored, "repeated": verdict.repeated, **refused}


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "rejected_id": verdict.rejected_id,
        "gateway": verdict.source,
        "device": verdict.device,
        "was": verdict.was.value,
        "stored": verdict.stored,
        "repeated": verdict.repeated,
        "refused": {reason.value: count for reason, count in verdict.refused.items() if count},
        "unreadable": verdict.unreadable,
    }


def _said(verdict: Verdict) -> str:
    head = f"{verdict.rejected_id}  {verdict.source}  {verdict.device or '-'}  {verdict.was.value}:"
    if verdict.unreadable:
        return f"{head} stays as it is"
    refused = "".join(f", {count} {reason.value}" for reason, count in verdict.refused.items())
    return f"{head} {verdict.stored} would be lifted, {verdict.repeated} equal what is stored{refused}"

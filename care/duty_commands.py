"""`hearthwatch care duty`: who is on duty and when nobody is; take a duty over; be away."""

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import psycopg
import typer

from care import duty
from care.changing_duty import keeps_roster_of, override, person_of, place_of, take_leave
from care.command_line import clinical_now, connected
from care.duty_changes import DutyRefused, Leave, Override, span_of
from care.registry import DutyRole

app = typer.Typer(
    no_args_is_help=True,
    help="Say who is on duty. What is said lies over the registry file's roster, holds at once, and is told to those"
    " whom it concerns (docs/duty.md).",
    epilog="Organisations and people are named by their keys in the registry: `hearthwatch care export --kind people`.",
)
_Until = Annotated[str, typer.Option(help="Until when, as 2026-03-02T08:00, in the organisation's own time.")]
_From = Annotated[str | None, typer.Option("--from", help="From when, in the same form. Left out: from now on.")]
_By = Annotated[str, typer.Option(help="Who says so: himself, or a coordinator or admin there or above.")]


@app.command()
def show(
    days: Annotated[int, typer.Option(help="How far to look ahead.", min=1, max=366)] = 2,
    at: Annotated[str | None, typer.Option(help="One organisation alone.")] = None,
) -> None:
    """Show who is on duty now, who comes next, and when nobody would be asked. Exit 1 where there is such a hole."""
    begin = clinical_now()
    end = begin + timedelta(days=days)
    with connected() as connection:
        place = None if at is None else place_of(connection, at)
        shifts = duty.roster(connection, begin, end, None if place is None else [place.organisation_id])
        holes = duty.roster_holes(connection, begin, end)
    if place is not None:
        holes = [each for each in holes if place.organisation_id in (each.organisation_id, each.roster_of)]
    for shift in shifts:
        when = "now " if shift.since <= begin else "next"
        since = "" if shift.since <= begin else f" from {_local(shift.since, shift.time_zone)}"
        until = " to" if shift.until < end else " beyond"
        said = f"  ({shift.kind} {shift.change_id})" if shift.change_id else ""
        name = f"{shift.organisation}  {shift.duty_role}  {shift.name} ({shift.person})"
        typer.echo(f"{when}  {name}{since}{until} {_local(shift.until, shift.time_zone)}{said}")
    for hole in holes:
        times = f"{_local(hole.since, hole.time_zone)} to {_local(hole.until, hole.time_zone)}"
        typer.echo(f"HOLE  {hole.duty_role} for the patients of {hole.organisation}: nobody from {times}")
    typer.echo(f"{len(shifts)} on duty, {len(holes)} holes until {end:%F %H:%M} UTC", err=True)
    raise typer.Exit(1 if holes else 0)


@app.command("take-over")
def take_over(
    at: Annotated[str, typer.Option(help="At which organisation.")],
    role: Annotated[DutyRole, typer.Option(help="Which duty.")],
    person: Annotated[str, typer.Option(help="Who holds it.")],
    until: _Until,
    by: _By,
    since: _From = None,
    in_place_of: Annotated[
        str | None, typer.Option(help="In whose place. Left out: of whoever is on the roster.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Put somebody on a duty from ... until; who is replaced and who comes on are told.

    Example: hearthwatch care duty take-over --at heping-centre --role township_duty --person zhao
    --until 2026-03-02T08:00 --by li --reason "ill"
    """

    def change(connection: psycopg.Connection[Any], said_by: int, now: datetime) -> int:
        span = span_of(_time(since), _needed(until), place_of(connection, at).time_zone, now=now)
        wish = Override(
            organisation=at, duty_role=role, person=person, span=span, in_place_of=in_place_of, reason=reason
        )
        return override(connection, wish, said_by=said_by, now=now)

    _say(change, by=by, of=person, at=at)


@app.command()
def leave(
    person: Annotated[str, typer.Option(help="Who is away.")],
    until: _Until,
    by: _By,
    since: _From = None,
    substitute: Annotated[str | None, typer.Option(help="Who stands in as family doctor.")] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Say that somebody is on no duty from ... until; without a substitute the township's duty is asked for him.

    Example: hearthwatch care duty leave --person li --from 2026-03-02T08:00 --until 2026-03-05T08:00
    --substitute zhao --by li
    """

    def change(connection: psycopg.Connection[Any], said_by: int, now: datetime) -> int:
        zone = person_of(connection, person).time_zone
        span = span_of(_time(since), _needed(until), zone, now=now)
        wish = Leave(person=person, span=span, substitute=substitute, reason=reason)
        return take_leave(connection, wish, said_by=said_by, now=now)

    _say(change, by=by, of=person, at=None)


def _say(change: Callable[[psycopg.Connection[Any], int, datetime], int], *, by: str, of: str, at: str | None) -> None:
    now = clinical_now()
    try:
        with connected() as connection:
            said_by = person_of(connection, by)
            if by != of and not keeps_roster_of(connection, by, of=of, at=at):
                sys.exit(f"hearthwatch care: {by} may not say this of {of}: himself, a coordinator or admin may")
            number = change(connection, said_by.person_id, now)
    except DutyRefused as exc:
        sys.exit(f"hearthwatch care: {exc}; nothing was changed")
    typer.echo(f"change {number} holds; it can be revoked in the console (Duty), and those whom it concerns are told")


def _needed(said: str) -> datetime:
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        sys.exit(f"hearthwatch care: {said!r} is no time: write it as 2026-03-02T08:00")


def _time(said: str | None) -> datetime | None:
    return None if said is None else _needed(said)


def _local(at: datetime, time_zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(time_zone)):%F %H:%M}"

"""Command line: page everybody with a marked test, and see who answered."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from alerting.desk import Desk, connect
from alerting.page_test import TESTED_WITHIN, PageTestError, Report, begin, report, runs
from alerting.profile.file import parse_profile, standard_adult
from alerting.response import Figures
from alerting.settings import AlertingSettings


def page_test(
    *,
    organisation: Annotated[str, typer.Option(help="the key of an organisation: it and all below it are tested")],
    by: Annotated[str, typer.Option(help="who begins it: a coordinator's or admin's key in the registry")] = "",
    everybody: Annotated[
        bool, typer.Option("--all", help="page all who work there, not only who is on duty and the family doctors")
    ] = False,
    last: Annotated[bool, typer.Option("--last", help="page nobody: show what came of the last test")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Page who is on duty and every family doctor with a marked TEST, and show who was reached and who answered.

    Begins a test with --by; with --last shows the newest one as it stands now. Exit 2 where there is none.
    """
    try:
        settings = AlertingSettings.from_environment()
        with connect(settings.database_dsn, "alerting-page-test") as connection:
            desk = Desk(
                connection=connection,
                profile=parse_profile(standard_adult()),
                now=settings.now(),
                link=settings.alerting_console_url,
            )
            found = _run(desk, organisation, by, everybody=everybody, last=last)
    except (ValueError, psycopg.OperationalError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(2) from exc
    if as_json:
        typer.echo(json.dumps(as_plain(found), default=str, ensure_ascii=False, indent=1))
    else:
        _print(found)


def as_plain(found: Report) -> dict[str, Any]:
    """Give a report as plain values, for JSON."""
    people = [
        asdict(each) | {"came": each.came.value, "answered_after_s": each.answered_after_s} for each in found.responses
    ]
    return {
        "test": asdict(found.run),
        "figures": asdict(found.figures),
        "before": asdict(found.before) if found.before else None,
        "people": people,
        "untested": [each.key for each in found.untested],
    }


def _run(desk: Desk, key: str, by: str, *, everybody: bool, last: bool) -> Report:
    organisation = desk.one("organisation_of_key", key=key)
    if organisation is None:
        raise PageTestError(f"there is no organisation {key!r} in the registry")
    number = None
    if not last:
        person = desk.one("person_of_key", key=by)
        if person is None:
            raise PageTestError(f"--by {by!r} is nobody in the registry: name a coordinator or an admin")
        number = begin(desk, organisation_id=organisation.organisation_id, by=person.person_id, everybody=everybody)
    shown = runs(desk.connection, [organisation.organisation_id], number)
    if not shown:
        raise PageTestError(f"paging was never tested at {key!r}: begin with --by PERSON")
    return report(desk.connection, shown[0], now=desk.now)


def _print(found: Report) -> None:
    table = Table("person", "role", "came", "by", "delivered", "answered after", "otherwise")
    for each in found.responses:
        after = "" if each.answered_after_s is None else f"{each.answered_after_s:.0f} s"
        delivered = f"{each.delivered_at:%T}" if each.delivered_at else ""
        table.add_row(each.person, each.role, each.came.value, each.channel, delivered, after, each.outcome)
    console = Console()
    console.print(f"test {found.run.page_test_id} of {found.run.organisation}, begun {found.run.begun_at:%F %T} UTC")
    console.print(table)
    console.print(_line("now", found.figures))
    if found.before:
        console.print(_line("the test before", found.before))
    if found.untested:
        names = ", ".join(each.key for each in found.untested)
        console.print(f"reached by no test in {TESTED_WITHIN.days} days: {names}")


def _line(which: str, said: Figures) -> str:
    times = "" if said.median_s is None else f", median {said.median_s:.0f} s, p90 {said.p90_s:.0f} s"
    return f"{which}: {said.paged} paged, {said.delivered} delivered, {said.answered} answered{times}"

"""Command line of a doctor's orders: give one, revoke one, show what a patient is held to and why."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from alerting.app import load_profile
from alerting.desk import Desk, connect
from alerting.judging.held import from_line
from alerting.judging.limits import subject_of, today
from alerting.judging.settling import Settler
from alerting.orders import NewOrder, NobodyThere, order_limit, revoke_order
from alerting.profile.bounds import bound
from alerting.profile_page import as_document, print_profile
from alerting.settings import AlertingSettings

By = Annotated[str, typer.Option(help="who orders: a family doctor's or county expert's key in the registry")]
PatientKey = Annotated[str, typer.Option(help="the patient's key in the registry")]


def order(
    *,
    patient: PatientKey,
    rule: Annotated[str, typer.Option(help="the rule's id: `hearthwatch alerting profile` lists them")],
    limit: Annotated[
        float, typer.Option(help="in the signal's unit; dangerous as the profile's own: below, or at and below")
    ],
    clear_at: Annotated[
        float | None, typer.Option(help="where it is over; without it, as far off as in the profile")
    ] = None,
    reason: Annotated[str, typer.Option(help="why: whoever looks at it next will ask")],
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="UTC; a year at most")],
    by: By,
) -> None:
    """Hold a patient to a limit of his own until a day; he is at once."""
    with _desk() as desk:
        number = order_limit(
            desk.connection,
            NewOrder(
                patient=patient,
                rule=rule,
                limit=limit,
                clear_at=clear_at,
                reason=reason,
                until=until.replace(tzinfo=UTC),
                by=by,
            ),
            profile=desk.profile,
            now=desk.now,
        )
    typer.echo(f"order {number}")


def revoke(number: Annotated[int, typer.Argument(help="the order's number")], *, by: By) -> None:
    """End an order before its time."""
    with _desk() as desk:
        revoke_order(desk.connection, number, by=by, profile=desk.profile, now=desk.now)


def limits(*, patient: PatientKey, as_json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """Show what a patient is held to and why, whether the engine does already, and every order there ever was."""
    with _desk() as desk:
        found = desk.one("patient_of_key", key=patient)
        if found is None:
            raise NobodyThere(f"patient {patient!r} is not in the registry")
        row = desk.one("patients_to_hold", after=0, among=[found.patient_id], most=1, now=desk.now)
        judged = desk.one("limits_judged", patient_id=found.patient_id)
        orders = desk.all("orders_of", patient_id=found.patient_id)
    subject = subject_of(row)
    on = today(row, desk.now)
    settler = Settler(desk.profile)
    held, wrong = settler.held(subject.facts, on)
    waits = settler.news(subject, on=on) is not None or (judged.said if judged else None) != subject.said
    why = list(from_line(judged.said).why) if judged else ["the profile's own limits"]
    if as_json:
        said = {"held_since_why": why, "waits_for_the_engine": waits, "orders_refused": "; ".join(wrong.in_words())}
        listed = [each._asdict() for each in orders]
        typer.echo(
            json.dumps(
                as_document(desk.profile, held, asked=True) | said | {"orders": listed}, default=str, ensure_ascii=False
            )
        )
        return
    print_profile(desk.profile, held, asked=True)
    console = Console()
    console.print("the engine holds him to it: " + ("not yet" if waits else "yes"))
    for each in why:
        console.print(f"  {each}", markup=False)
    for each in wrong.in_words():
        console.print(each, markup=False)
    if orders:
        console.print(_orders(desk, orders))


def _orders(desk: Desk, orders: Any) -> Table:
    table = Table("order", "rule", "limit", "until", "by", "at", "reason", "state", title="orders")
    for each in orders:
        row = desk.profile.limits.get(each.rule)
        limit = bound(row.signal, each.breach, low=row.low) if row else str(each.breach)
        state = f"revoked by {each.revoked_by_name}" if each.revoked_at else ""
        state = state or ("ended" if each.valid_until <= desk.now else "in force")
        times = (f"{each.valid_until:%F %R}", each.ordered_by_name, f"{each.ordered_at:%F %R}")
        table.add_row(str(each.order_id), each.rule, limit, *times, each.reason, state)
    return table


@contextmanager
def _desk() -> Iterator[Desk]:
    """Give the settings' database and profile for one command; what is wrong is said in a line and ends it with 2."""
    try:
        settings = AlertingSettings.from_environment()
        profile = load_profile(settings)
        with connect(settings.database_dsn, "alerting-orders") as connection:
            yield Desk(connection=connection, profile=profile, now=settings.now())
    except (ValueError, OSError, psycopg.OperationalError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(2) from exc

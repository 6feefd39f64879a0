"""`hearthwatch care`: load the registry from its file, show what is in the database."""

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from psycopg.rows import dict_row

from care import duty
from care.claims import ClaimRefused
from care.command_line import clinical_now, connected
from care.duty_commands import app as duty_app
from care.exporting import read_registry
from care.follow_up import Lateness
from care.following_up import open_follow_ups
from care.grading_tables import referral_csv, referral_table, risk_table
from care.loading import Loaded
from care.loading import load as load_registry
from care.registry_csv import Kind, SheetError, write_sheet
from care.registry_file import RegistryFileError, parse_registry
from care.registry_toml import render
from care.sheets import import_sheet, read_sheet
from care.shifts import Change, Hole, Shift
from care.sql import load_queries

app = typer.Typer(no_args_is_help=True, help="Keep the registry: patients, devices, duty.")
app.add_typer(duty_app, name="duty")

_QUERIES = load_queries("care")


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="The registry file; care/examples/county.toml shows the form.")],
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong with it.")] = False,
) -> None:
    """Bring the registry to what a file says; loading it again changes nothing."""
    try:
        registry = parse_registry(file.read_text(encoding="utf-8"), str(file))
    except RegistryFileError as exc:
        for problem in exc.problems:
            typer.echo(f"{file}:{problem.line}: {problem.field}: {problem.message}", err=True)
        sys.exit(f"hearthwatch care: {file} has {len(exc.problems)} problems; nothing was loaded")
    except (OSError, UnicodeDecodeError) as exc:
        sys.exit(f"hearthwatch care: {file} can not be read: {exc}")
    if check:
        typer.echo(f"{file} is in order: {len(registry.patients)} patients, {len(registry.devices)} devices")
        return
    try:
        with connected() as connection:
            loaded = load_registry(connection, registry, now=clinical_now())
    except ClaimRefused as exc:
        sys.exit(f"hearthwatch care: {exc}; nothing was loaded")
    _tell_loaded(loaded, [binding.device for binding in registry.bindings])


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV sheet with a heading; `export` writes one to begin with.")],
    kind: Annotated[Kind, typer.Option(help="What it holds.")],
    check: Annotated[bool, typer.Option("--check", help="Only say what is wrong with it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say it as one JSON document.")] = False,
) -> None:
    """Enter and change what a CSV sheet has; nothing where one cell is wrong. Exit 1 then."""
    try:
        raw = file.read_bytes()
    except OSError as exc:
        sys.exit(f"hearthwatch care: {file} can not be read: {exc}")
    _say(f"{file}: {len(raw)} bytes, read against the registry")
    try:
        with connected() as connection:
            part = read_sheet(connection, raw, kind)
            _say(f"{len(getattr(part, kind))} {kind} in order" + ("" if check else ", being written"))
            loaded = None if check else import_sheet(connection, raw, kind, now=clinical_now())
    except SheetError as exc:
        _tell_problems(file, exc, as_json=as_json)
        sys.exit(f"hearthwatch care: {file} has {len(exc.problems)} problems; nothing was written")
    except ClaimRefused as exc:
        sys.exit(f"hearthwatch care: {exc}; nothing was written")
    rows = len(getattr(part, kind))
    if as_json:
        changed = loaded.counts() if loaded else {}
        typer.echo(json.dumps({"kind": kind, "rows": rows, "changed": changed, "problems": []}))
    elif loaded is None:
        typer.echo(f"{file} is in order: {rows} {kind}")
    else:
        _tell_loaded(loaded, [binding.device for binding in part.bindings])


@app.command()
def export(
    kind: Annotated[Kind | None, typer.Option(help="What to write as a CSV sheet.")] = None,
    toml: Annotated[bool, typer.Option("--toml", help="Write all of it as a registry file instead.")] = False,
    out: Annotated[Path | None, typer.Option(help="The file to write; else it goes to stdout.")] = None,
) -> None:
    """Write what the registry holds: a CSV sheet for Excel, or the whole as a file that `load` reads back."""
    if (kind is None) != toml:
        sys.exit("hearthwatch care: say either --kind KIND or --toml")
    with connected() as connection:
        registry = read_registry(connection)
    if kind is None:
        text = render(registry).encode()
        _say("the file has the hashes of passwords and everybody's data: keep it as you keep the database")
    else:
        text = b"\xef\xbb\xbf" + write_sheet(kind, registry).encode()  # the mark by which Excel knows UTF-8
    if out is None:
        sys.stdout.buffer.write(text)
        return
    try:
        out.write_bytes(text)
    except OSError as exc:
        sys.exit(f"hearthwatch care: {out} can not be written: {exc}")


@app.command()
def show() -> None:
    """List patients with their doctors and devices, who is on duty now, and what the gateways read."""
    values = {"now": clinical_now()}
    with connected() as connection, connection.cursor(row_factory=dict_row) as cursor:
        for line in cursor.execute(_QUERIES["show_patients"], values).fetchall():
            typer.echo(
                f"{line['key']}  {line['name']}  {line['risk_colour']}  service tier {line['service_tier']}"
                f"  {line['organisation_name']}  {line['family_doctor_name']}  {line['devices'] or 'no device'}"
            )
        for line in cursor.execute(_QUERIES["show_duties"], values).fetchall():
            typer.echo(f"on duty: {line['organisation']}  {line['duty_role']}  {line['person']}")
        for line in cursor.execute(_QUERIES["show_claims"]).fetchall():
            typer.echo(f"gateway {line['gateway_id']}  {line['place']}  reads {line['devices']}: {line['device_keys']}")


@app.command()
def roster(
    days: Annotated[int, typer.Option(help="how far to look ahead", min=1, max=366)] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a shift or hole")] = False,
) -> None:
    """List who is on duty in the days to come, what people said over the file's roster, and the holes.

    A hole: an unanswered alarm would find nobody. Exit 1 where there is one. Times are local to the organisation.
    """
    begin = clinical_now()
    end = begin + timedelta(days=days)
    with connected() as connection:
        shifts, holes = duty.roster(connection, begin, end), duty.roster_holes(connection, begin, end)
        changes = duty.changes(connection, begin, end)
    lines: list[tuple[str, Shift | Change | Hole, str]] = [
        *(("shift", each, f"{each.organisation}  {each.duty_role}  {each.name}{_by(each)}") for each in shifts),
        *(("change", each, _said(each)) for each in changes),
        *(("hole", each, f"NOBODY  {each.duty_role} for the patients of {each.organisation}") for each in holes),
    ]
    for kind, line, said in lines:
        if as_json:
            by = {} if isinstance(line, Hole) else {"by": line.kind}
            typer.echo(json.dumps(asdict(line) | {"kind": kind} | by, default=str, ensure_ascii=False))
        else:
            typer.echo(f"{said}  {_span(line)}")
    raise typer.Exit(1 if holes else 0)


def _by(shift: Shift) -> str:
    return "" if shift.change_id is None else f" ({shift.kind} {shift.change_id})"


def _span(line: Shift | Change | Hole) -> str:
    zone = ZoneInfo(line.time_zone)
    return f"{line.since.astimezone(zone):%F %H:%M} to {line.until.astimezone(zone):%F %H:%M}"


def _said(change: Change) -> str:
    parts = [
        f"{change.kind} {change.change_id} ({change.standing})",
        change.organisation,
        change.duty_role,
        change.name,
    ]
    parts += [f"in place of {change.in_place_of_name}"] if change.in_place_of else []
    parts += [f"{change.substitute_name} stands in"] if change.substitute else []
    by = f"said by {change.said_by_name}" + (f": {change.reason}" if change.reason else "")
    return "  ".join(part for part in (*parts, by) if part)


@app.command("follow-up")
def follow_up(
    overdue: Annotated[bool, typer.Option("--overdue", help="only those whose contact is overdue")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line each")] = False,
) -> None:
    """List patients followed up at home, the longest overdue first. Exit 1 where a contact is overdue."""
    now = clinical_now()
    with connected() as connection:
        listed = open_follow_ups(connection, due_before=now if overdue else None)
    for due in listed:
        late = due.lateness(now)
        if as_json:
            line = asdict(due) | {"due_at": due.due_at.isoformat(), "lateness": late}
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            there = due.due_at.astimezone(ZoneInfo(due.time_zone))
            tried = f"  tried {due.tries} times" if due.tries else ""
            who = f"{due.patient_key}  {due.initials} {due.bed}  {due.organisation_name}"
            typer.echo(f"{late.upper():<12}  {there:%F %H:%M}  {who}  {due.cadence}{tried}")
    late_ones = (Lateness.OVERDUE, Lateness.LONG_OVERDUE)
    raise typer.Exit(1 if any(due.lateness(now) in late_ones for due in listed) else 0)


class Grading(StrEnum):
    """Which decision table to print."""

    RISK = "risk"
    REFERRAL = "referral"
    PICTURES = "pictures"


@app.command()
def grading(
    table: Annotated[Grading, typer.Argument(help="risk: 27 cells; referral: the rows; pictures: all 960, as CSV.")],
) -> None:
    """Print a decision table whole: risk colour, or where a patient is referred to."""
    written = {Grading.RISK: risk_table, Grading.REFERRAL: referral_table, Grading.PICTURES: referral_csv}
    typer.echo(written[table](), nl=False)


def _tell_loaded(loaded: Loaded, bound: list[str]) -> None:
    changed = ", ".join(f"{n} {name}" for name, n in loaded.counts().items() if n)
    typer.echo(f"registry version {loaded.version}: {f'changed {changed}' if changed else 'nothing to change'}")
    if passed_over := [key for key in loaded.bound_by_hand if key in bound]:
        typer.echo(f"who wears it was said in the console, the file's bindings count no more: {', '.join(passed_over)}")


def _tell_problems(file: Path, error: SheetError, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"problems": [asdict(each) for each in error.problems]}, ensure_ascii=False))
        return
    for each in error.problems:
        typer.echo(f"{file}:{each.line}: {each.column}: {each.message}", err=True)


def _say(progress: str) -> None:
    typer.echo(progress, err=True)

"""Command line of what is derived: a patient's night."""

import json
from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from alerting.settings import AlertingSettings

BARS = "▁▂▃▄▅▆▇█"
PICTURED = (7000, 10000)
"""From what to what value the picture's bars grow: 70 to 100 %, in hundredths; lower is drawn as the lowest."""


def night(
    patient: Annotated[str, typer.Option(help="the patient's key")],
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the evening it begins; without it, the newest night")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> None:
    """Report a night's SpO2, from 21:00 to 09:00 where the patient lives: ODI3, ODI4, time below limits, lowest."""
    from alerting.derived.local_nights import newest_night, night_of
    from alerting.derived.nights import read_night
    from alerting.desk import QUERIES, connect

    try:
        settings = AlertingSettings.from_environment()
        connection = connect(settings.database_dsn, "alerting-night")
    except (ValueError, psycopg.OperationalError) as exc:
        typer.echo(f"alerting: {exc}", err=True)
        raise typer.Exit(1) from exc
    with connection:
        who = connection.execute(QUERIES["patient_by_key"], {"key": patient}).fetchone()
        if who is None:
            typer.echo(f"alerting: no patient has the key {patient!r}", err=True)
            raise typer.Exit(2)
        wanted = night_of(date.date(), who.time_zone) if date else newest_night(settings.now(), who.time_zone)
        found = _told(read_night(connection, who.patient_id, wanted), patient)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _print(found)


def _told(found: Any, patient: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "patient": patient,
        "date": f"{found.night.date}",
        "begins_at": found.night.begins_at.isoformat(),
        "ends_at": found.night.ends_at.isoformat(),
        "device": found.device,
        "valid_hours": round(found.report.valid_hours, 2),
        "available": found.report.found is not None,
        "lowest_each_step": [None if value is None else value / 100 for value in found.picture],
    }
    if (of := found.report.found) is not None:
        told |= {"odi3": round(of.odi[0], 1), "odi4": round(of.odi[1], 1)}
        for below in of.below:
            told[f"minutes_below_{below.limit // 100}"] = round(below.total_ms / 60_000, 1)
            told[f"longest_below_{below.limit // 100}_s"] = round(below.longest_ms / 1000)
        told |= {"lowest": of.lowest / 100, "lowest_steady": of.lowest_steady / 100, "mean": round(of.mean / 100, 1)}
        told |= {"gaps": of.gaps, "longest_gap_s": round(of.longest_gap_ms / 1000)}
    return told


def _print(told: dict[str, Any]) -> None:
    table = Table(title=f"{told['patient']}: night of {told['date']}", show_header=False)
    for name, value in _lines(told):
        table.add_row(name, value)
    console = Console()
    console.print(table)
    console.print(f"21:00 {''.join(_bar(value) for value in told['lowest_each_step'])} 09:00", soft_wrap=True)
    console.print("      lowest of each step, from 70 % (▁) to 100 % (█); blank: no good value", highlight=False)


def _lines(told: dict[str, Any]) -> list[tuple[str, str]]:
    recorded = [("device", told["device"] or "none"), ("valid recording", f"{told['valid_hours']:.1f} h")]
    if not told["available"]:
        return [*recorded, ("report", "not available: less than 4 h of valid recording")]
    return [
        *recorded,
        ("gaps", f"{told['gaps']}, the longest {told['longest_gap_s']} s"),
        ("ODI3, ODI4", f"{told['odi3']:.1f}, {told['odi4']:.1f} an hour"),
        *(
            (
                f"below {limit} %",
                f"{told[f'minutes_below_{limit}']:.1f} min, the longest {told[f'longest_below_{limit}_s']} s",
            )
            for limit in (93, 90, 88)
        ),
        ("lowest", f"{told['lowest']:g} %, steady {told['lowest_steady']:g} %"),
        ("mean", f"{told['mean']:.1f} %"),
    ]


def _bar(value: float | None) -> str:
    if value is None:
        return " "
    low, high = PICTURED[0] / 100, PICTURED[1] / 100
    place = (min(max(value, low), high) - low) / (high - low)
    return BARS[round(place * (len(BARS) - 1))]

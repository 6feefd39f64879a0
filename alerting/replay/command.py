"""`hearthwatch alerting replay`: a file of one patient's recording through the rules, without a database."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from alerting.course.singles import TooMany
from alerting.course.telling import Event, as_line, in_words
from alerting.course.whose import Patient
from alerting.engine.partition import fastest
from alerting.profile.file import ProfileError, parse_profile, standard_adult
from alerting.profile.patient import Held, LimitRefused, PatientFacts
from alerting.profile.profile import Profile
from alerting.replay.layouts import Layout, LayoutError, mapped
from alerting.replay.picture import picture
from alerting.replay.recording import Mode, Recording, Series
from alerting.replay.replaying import Blind, held_of, rehearse, too_slow
from alerting.replay.table import RecordingError, read_table
from alerting.replay.wfdb import WfdbError, lines_of, parse_header
from alerting.text_file import UnreadableFile, read_text, why_unreadable
from care.registry import RiskColour, SpecialGroup
from vitals.reading import NO_VALUE
from vitals.signals import SIGNALS, Signal

AUTO = "auto"
UNREADABLE = (LimitRefused, RecordingError, LayoutError, WfdbError, TooMany)

AGES = {
    SpecialGroup.INFANT: (0, 1),
    SpecialGroup.CHILD: (1, 7),
    SpecialGroup.OVER_65: (65, 131),
    SpecialGroup.OVER_80: (80, 131),
}
"""Years, from and below, of the registry's groups that are an age (CLINICAL section 1)."""

ADULT_YEARS = 40.0
DAYS_A_YEAR = 365.25


def replay(
    file: Annotated[Path, typer.Argument(help="one patient: a header, then lines in order of time; or a WFDB .hea")],
    *,
    profile: Annotated[Path | None, typer.Option(help="a clinical profile; without it, the one that ships")] = None,
    columns: Annotated[
        str,
        typer.Option(
            "--map",
            help="a known recording (uw_hypoxia, bidmc, mimic2, cinc2012, cinc2019, shanghai_cgm), or "
            'spo2="SpO2 5",seconds="Time [s]"; time, wall, seconds or hours, and signals by our names',
        ),
    ] = "",
    mode: Annotated[str, typer.Option(help="continuous, spot, or auto: by the time between samples")] = AUTO,
    patient_age: Annotated[float, typer.Option(help="years, as 0.5 or 83", min=0, max=130)] = ADULT_YEARS,
    group: Annotated[list[str] | None, typer.Option(help="a special group, as pregnant; may be given again")] = None,
    on_oxygen: Annotated[bool, typer.Option(help="breathes oxygen")] = False,
    risk_colour: Annotated[str, typer.Option(help="green, yellow or red")] = "",
    service_tier: Annotated[int, typer.Option(help="3: a silent device alarms sooner", min=1, max=3)] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line an event")] = False,
) -> None:
    """Say what the rules make of a recording: each raise and each end, with what decided it. Needs no database.

    Columns are `time` (ISO) or `seconds`, signals by name (spo2, pulse, temperature, …) in their units, and
    `<signal>_quality` (good, provisional, questionable, invalid) where there is one. Exit 2 names what can not be read.
    """
    try:
        found = parse_profile(read_text(profile) if profile else standard_adult())
    except ProfileError as exc:
        raise _refused(f"{profile or 'the profile that ships'}: {exc}") from exc
    except UnreadableFile as exc:
        raise _refused(str(exc)) from exc
    try:
        layout, chosen = mapped(columns) if columns else None, _mode(mode)
        colour, groups = _colour(risk_colour), _groups(group or [], patient_age)
    except LayoutError as exc:
        raise _refused(str(exc)) from exc
    try:
        recording = read(file, layout, found, mode=chosen)
        facts = PatientFacts(
            born_on=_born_on(recording, patient_age),
            special_groups=groups,
            on_oxygen=on_oxygen,
        )
        patient = Patient(facts=facts, risk_colour=colour, service_tier=service_tier)
        held = held_of(recording, found, patient)
        events = rehearse(recording, found, patient, step=fastest())
    except (OSError, UnicodeDecodeError) as exc:
        named = getattr(exc, "filename", None) or file
        raise _refused(f"{named}: {why_unreadable(exc)}") from exc
    except UNREADABLE as exc:
        raise _refused(f"{file}: {exc}") from exc
    for signal, series in recording.series.items():
        _say_impossible(signal, series, layout)
    for blind in too_slow(recording, found, held):
        _say_blind(blind)
    for line in _lines(recording, events, held) if as_json else _pages(recording, events, found, held):
        typer.echo(line)


def read(file: Path, layout: Layout | None, profile: Profile, *, mode: Mode | None = None) -> Recording:
    """Read a file by its layout; a WFDB header brings its samples from the file it names, which lies beside it."""
    stream_ms_max = profile.silence.low_after_s * 1000
    if file.suffix == ".hea":
        header = parse_header(file.read_text(encoding="utf-8"))
        lines = lines_of(header, (file.parent / header.file).read_bytes())
        return read_table(lines, layout, stream_ms_max=stream_ms_max, mode=mode)
    with file.open(encoding="utf-8-sig", newline="") as there:
        return read_table(there, layout, stream_ms_max=stream_ms_max, mode=mode)


def _mode(word: str) -> Mode | None:
    if word not in [AUTO, *Mode]:
        raise LayoutError(f"--mode {word}: not one of {', '.join([AUTO, *Mode])}")
    return None if word == AUTO else Mode(word)


def _born_on(recording: Recording, age_years: float) -> date:
    begin = datetime.fromtimestamp(recording.begin_ms / 1000, UTC).date()
    return begin - timedelta(days=round(age_years * DAYS_A_YEAR))


def _groups(names: list[str], age_years: float) -> frozenset[str]:
    if unknown := set(names) - set(SpecialGroup):
        raise LayoutError(f"--group {', '.join(sorted(unknown))}: not one of {', '.join(SpecialGroup)}")
    return frozenset(names) | {each.value for each, (low, high) in AGES.items() if low <= age_years < high}


def _colour(word: str) -> str:
    if word not in ["", *RiskColour]:
        raise LayoutError(f"--risk-colour {word}: not one of {', '.join(RiskColour)}")
    return word


def _refused(why: str) -> typer.Exit:
    typer.echo(f"replay: {why}", err=True)
    return typer.Exit(2)


def _say_impossible(signal: Signal, series: Series, layout: Layout | None) -> None:
    """Say how many numbers of a column were no measurement: an empty cell is not one of them."""
    count = int((series.values == NO_VALUE).sum())
    if count:
        name = layout.columns[signal].name if layout else signal
        low, high = SIGNALS[signal].plausible
        typer.echo(
            f'note: column "{name}": {count} of {len(series.values)} values can not be a {signal} ({low:g} to'
            f" {high:g}); they count as no value",
            err=True,
        )


def _say_blind(blind: Blind) -> None:
    instead = "its repeat form judges instead" if blind.judged_by_repeat else "nothing judges it here"
    every_s, most_s = blind.every_ms / 1000, blind.slowest_ms / 1000
    typer.echo(f"note: {blind.rule} needs a sample every {most_s:g} s; here {every_s:g} s: {instead}", err=True)


def _lines(recording: Recording, events: list[Event], held: Held) -> Iterator[str]:
    for event in events:
        yield json.dumps(as_line(event, origin_ms=recording.begin_ms, held=held), ensure_ascii=False)


def _pages(recording: Recording, events: list[Event], profile: Profile, held: Held) -> Iterator[str]:
    yield from picture(recording, events, held)
    yield from (in_words(event, origin_ms=recording.begin_ms) for event in events)
    if not events:
        yield "Nothing is said."
    yield f"({held.name} version {profile.version}, {recording.mode}, {held.hash[:16]})"

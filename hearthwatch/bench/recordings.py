"""Real recordings through the rules: what each raised, how soon, and whether that is what it must.

The folders are those of public data sets, beside the project and never in it; what is not there is left out and said.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from alerting.course.telling import Event, Kind
from alerting.course.whose import Patient
from alerting.engine.partition import fastest
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.patient import PatientFacts
from alerting.profile.profile import Profile, Trust
from alerting.replay.command import read
from alerting.replay.layouts import MAPS
from alerting.replay.rates import interval_ms
from alerting.replay.recording import Recording, Series
from alerting.replay.replaying import rehearse
from hearthwatch.bench.goals import Goal, TooShort, at_least, exactly, verdict
from vitals.reading import NO_VALUE, scaled
from vitals.signals import Signal
from vitals.sustained import SustainedRule

FOLDERS = {
    "uw_hypoxia": "uw_hypoxia/data/gt/1*.csv",
    "bidmc": "bidmc/bidmc_csv/*_Numerics.csv",
    "mimic2": "mimic2_numerics/s*/*.hea",
    "cinc2012": "cinc2012_icu/set-a/*.txt",
    "cinc2019": "cinc2019_icu_hourly/training_set*/*.psv",
    "shanghai_cgm": "shanghai_cgm/*/*.csv",
}
ADULT = Patient(facts=PatientFacts(born_on=date(1930, 1, 1)))
"""Recordings are dated from 1970 on where they give no date: an adult throughout."""

HYPOXIC = frozenset({"bidmc_32_Numerics", "bidmc_49_Numerics"})
"""Below 88 % throughout, as their publisher's page and their numbers say."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """One recording, and what was said of it."""

    kind: str
    name: str
    recording: Recording
    events: Sequence[Event]
    minutes_below_93: float
    junk: int
    first_delay_s: float | None

    def raises(self, chosen: Callable[[Event], bool]) -> int:
        """Count the raises that are of a kind."""
        return sum(event.kind is Kind.RAISE and chosen(event) for event in self.events)


def measure(folder: Path, say: Callable[[str], None]) -> dict[str, Any]:
    """Play every recording of the folder; give the document."""
    profile = parse_profile(standard_adult())
    played = list(_play(folder, profile, say))
    return {
        "profile": {"name": profile.name, "version": profile.version, "sha256": profile.profile_hash},
        "recordings": [_row(each) for each in played],
        **verdict([*_of_hypoxia(played), *_of_bidmc(played), *_of_mimic2(played), *_of_temperatures(played, profile)]),
    }


def in_table(document: dict[str, Any]) -> list[str]:
    """Give the recordings of a document as lines of a table, those of which nothing was said together."""
    lines = [f"{'recording':36} {'min < 93':>8} {'delay, s':>8}  raises"]
    silent: dict[str, int] = {}
    for row in document["recordings"]:
        if not row["raises"]:
            silent[row["kind"]] = silent.get(row["kind"], 0) + 1
            continue
        delay = "" if row["first_delay_s"] is None else f"{row['first_delay_s']:g}"
        said = ", ".join(f"{rule} x{count}" for rule, count in row["raises"].items())
        lines.append(f"{row['kind'] + ' ' + row['name']:36.36} {row['minutes_below_93']:8.1f} {delay:>8}  {said}")
    return [*lines, *(f"{kind}: {count} more, of which nothing is said" for kind, count in silent.items())]


def _play(folder: Path, profile: Profile, say: Callable[[str], None]) -> Iterator[Played]:
    for kind, pattern in FOLDERS.items():
        files = sorted(folder.glob(pattern))
        say(f"{kind}: {len(files)} recordings" if files else f"{kind}: none in {folder}")
        for file in files:
            recording = read(file, MAPS[kind], profile)
            events = rehearse(recording, profile, ADULT, step=fastest())
            yield Played(
                kind=kind,
                name=file.stem,
                recording=recording,
                events=events,
                minutes_below_93=_minutes_below(recording.series.get(Signal.SPO2), 93.0),
                junk=_junk(recording.series.get(Signal.TEMPERATURE)),
                first_delay_s=_first_delay_s(recording, events, profile),
            )


def _row(played: Played) -> dict[str, Any]:
    rules = [event.rule for event in played.events if event.kind is Kind.RAISE]
    return {
        "kind": played.kind,
        "name": played.name,
        "hours": round((played.recording.end_ms - played.recording.begin_ms) / 3_600_000, 2),
        "minutes_below_93": played.minutes_below_93,
        "raises": {rule: rules.count(rule) for rule in dict.fromkeys(rules)},
        "first_delay_s": played.first_delay_s,
        "junk_temperatures": played.junk,
    }


def _minutes_below(series: Series | None, percent: float) -> float:
    """Add up the time at which good values under a limit stood, each for the usual time between samples."""
    every_ms = interval_ms(series.t_ms) if series else None
    if series is None or every_ms is None:
        return 0.0
    low = series.trusted(Trust.GOOD) & (series.values < scaled(Signal.SPO2, percent))
    return round(int(low.sum()) * every_ms / 60_000, 1)


def _junk(series: Series | None) -> int:
    """Count the temperatures that were written down and can not be one; what was not measured is none."""
    return 0 if series is None else int((series.values == NO_VALUE).sum())


def _first_delay_s(recording: Recording, events: Sequence[Event], profile: Profile) -> float | None:
    """Give the time from the first sample below the limit, in the fall that decided, to the first SpO2 alarm."""
    rules = {rule.rule: rule for channel, each in profile.sustained.items() for rule in each}
    series = recording.series.get(Signal.SPO2)
    for event in events:
        if series is not None and event.kind is Kind.RAISE and event.evidence.get("signal") == Signal.SPO2:
            return (event.at_ms - _fall_began_ms(series, event, rules[event.rule])) / 1000
    return None


def _fall_began_ms(series: Series, event: Event, rule: SustainedRule) -> int:
    good = series.trusted(Trust.GOOD) & (series.t_ms <= event.at_ms)
    t_ms, values = series.t_ms[good], series.values[good]
    well = np.flatnonzero(values >= rule.limit.clear_at)
    fallen = np.flatnonzero(values < rule.limit.breach)
    return int(t_ms[fallen[fallen > (well[-1] if len(well) else -1)][0]])


def _of_hypoxia(played: Sequence[Played]) -> list[Goal | TooShort]:
    subjects = [each for each in played if each.kind == "uw_hypoxia"]
    found = [exactly(f"{s.name}: SPO2-CRIT raises", 1, s.raises(lambda e: e.rule == "SPO2-CRIT")) for s in subjects]
    return [*found] or _none("uw_hypoxia")


def _of_bidmc(played: Sequence[Played]) -> list[Goal | TooShort]:
    records = [each for each in played if each.kind == "bidmc"]
    if not records:
        return _none("bidmc")
    low, others = ([r for r in records if (r.name in HYPOXIC) is wanted] for wanted in (True, False))
    return [
        *(at_least(f"{each.name}: SpO2 raises", 1, each.raises(_is_of_spo2)) for each in low),
        exactly(f"SpO2 raises of the {len(others)} other bidmc", 0, sum(r.raises(_is_of_spo2) for r in others)),
    ]


def _of_mimic2(played: Sequence[Played]) -> list[Goal | TooShort]:
    records = [each for each in played if each.kind == "mimic2"]
    if not records:
        return _none("mimic2")
    return [
        exactly("mimic2, hours of zeros: SpO2 raises", 0, sum(r.raises(_is_of_spo2) for r in records)),
        at_least("mimic2, hours of zeros: technical raises", 1, sum(r.raises(lambda e: e.technical) for r in records)),
    ]


def _of_temperatures(played: Sequence[Played], profile: Profile) -> list[Goal | TooShort]:
    with_junk = [each for each in played if each.kind.startswith("cinc") and each.junk]
    if not with_junk:
        return _none("cinc with temperatures that can not be one")
    changed = [each.name for each in with_junk if _said(each.events) != _said(_without_junk(each, profile))]
    return [
        exactly(f"junk temperatures of {len(with_junk)} patients: events they changed", 0, len(changed)),
        at_least("the same patients' true fevers: raises", 1, sum(r.raises(_is_of_fever) for r in with_junk)),
    ]


def _without_junk(played: Played, profile: Profile) -> list[Event]:
    """Play it again as if the temperatures that can not be one had never been written down."""
    series = played.recording.series[Signal.TEMPERATURE]
    kept = series.values != NO_VALUE
    clean = Series(t_ms=series.t_ms[kept], values=series.values[kept], quality=series.quality[kept])
    recording = replace(played.recording, series={**played.recording.series, Signal.TEMPERATURE: clean})
    return rehearse(recording, profile, ADULT, step=fastest())


def _said(events: Sequence[Event]) -> list[tuple[str, str, int]]:
    return [(event.rule, event.kind, event.at_ms) for event in events]


def _is_of_fever(event: Event) -> bool:
    return event.rule.startswith("FEVER")


def _is_of_spo2(event: Event) -> bool:
    return event.evidence.get("signal") == Signal.SPO2


def _none(kind: str) -> list[Goal | TooShort]:
    return [TooShort(goal=kind, why="no such recording in the folder")]

"""What is wrong about a patient but silence: an empty battery, a measurement overdue, readings that can't be judged."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from alerting.profile.technical import GRADED, RULES, Battery, Family, SpotOverdue, UnjudgedLimits
from alerting.technical.finding import Finding, Standing, of_patient
from alerting.zones import zone_of
from vitals.signals import SIGNALS, Signal

KINDS = {
    Signal.SPO2: "oximeter",
    Signal.TEMPERATURE: "thermometer",
    Signal.SYSTOLIC: "cuff",
    Signal.GLUCOSE: "glucose_meter",
    Signal.WEIGHT: "scale",
}
"""What measures a signal once; a signal that is not here has no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A device's battery as last heard: scaled per cent."""

    patient_id: int
    device: str
    level: int
    measured_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSpot:
    """When a patient who measures once in a while last did, and since when they have the device."""

    patient_id: int
    signal: Signal
    time_zone: str
    measured_at: datetime
    worn_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """Since when judging a patient fails, how often it did, and how."""

    patient_id: int
    failed_at: datetime
    failures: int
    error: str


def unjudged(rows: Iterable[Unjudged], limits: UnjudgedLimits, *, now: datetime) -> Iterator[Finding]:
    """Judge for how long each patient has not been judged."""
    for row in rows:
        lasts = now - row.failed_at >= timedelta(seconds=limits.after_s)
        yield Finding(
            subject=of_patient(row.patient_id),
            family=Family.UNJUDGED,
            standing=Standing.FAULT if lasts else Standing.UNKNOWN,
            rule=RULES[Family.UNJUDGED],
            since=row.failed_at,
            evidence={"why": "unjudged", "error": row.error, "failures": row.failures},
        )


def batteries(levels: Iterable[Level], limits: Battery) -> Iterator[Finding]:
    """Judge the emptiest battery of each patient; between the alarm's limit and its end nothing changes."""
    scale = SIGNALS[Signal.BATTERY].scale
    for patient_id, group in groupby(levels, key=lambda level: level.patient_id):
        every = list(group)
        worst = min(every, key=lambda level: level.level)
        low, medium = GRADED[Family.BATTERY]
        percent = worst.level / scale
        rule = medium if percent <= limits.medium_percent else low if percent <= limits.low_percent else ""
        yield Finding(
            subject=of_patient(patient_id),
            family=Family.BATTERY,
            standing=Standing.FAULT if rule else Standing.UNKNOWN,
            rule=rule,
            since=worst.measured_at,
            evidence={
                "why": "battery",
                "device": worst.device,
                "signal": Signal.BATTERY.value,
                "value": percent,
                "devices": [level.device for level in every if level.level <= limits.low_percent * scale],
            },
        )


def overdue(last: Sequence[LastSpot], limits: SpotOverdue, *, now: datetime) -> Iterator[Finding]:
    """Judge the measurement of each patient that is most overdue; not yet overdue is well."""
    for patient_id, group in groupby(last, key=lambda each: each.patient_id):
        due = {each: due_at(each, limits) for each in group}
        first = min(due, key=lambda each: due[each])
        late = now - due[first]
        low, medium = GRADED[Family.SPOT_OVERDUE]
        is_late = late >= timedelta(seconds=limits.low_after_s)
        yield Finding(
            subject=of_patient(patient_id),
            family=Family.SPOT_OVERDUE,
            standing=Standing.FAULT if is_late else Standing.WELL,
            rule=medium if late >= timedelta(seconds=limits.medium_after_s) else low,
            since=due[first],
            evidence={
                "why": "overdue",
                "signal": first.signal.value,
                "due_at": due[first].isoformat(),
                "last_good_at": first.measured_at.isoformat(),
            },
        )


def due_at(last: LastSpot, limits: SpotOverdue) -> datetime:
    """Say when the next measurement is due; one that falls due at night is due when the night is over."""
    due = max(last.measured_at, last.worn_from) + timedelta(seconds=limits.every_s[last.signal])
    local = due.astimezone(zone_of(last.time_zone))
    if limits.night_until_h <= local.hour < limits.night_from_h:
        return due
    day = local.date() + timedelta(days=1) if local.hour >= limits.night_from_h else local.date()
    morning = datetime(day.year, day.month, day.day, limits.night_until_h, tzinfo=zone_of(last.time_zone))
    return morning.astimezone(due.tzinfo)

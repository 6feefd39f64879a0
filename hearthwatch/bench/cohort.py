"""A simulated cohort's nights through the real engine: what is found, how soon, and how often nothing was amiss."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from alerting.engine.partition import fastest
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Priority
from alerting.profile.tables import ProfileError as ProfileError
from hearthwatch.bench.cohort_findings import Findings
from hearthwatch.bench.cohort_judging import judge
from hearthwatch.bench.cohort_physiology import Night, Physiology, people, sleep
from hearthwatch.bench.goals import at_most, exactly, verdict
from hearthwatch.bench.process_figures import figures, load_average, machine

FALSE_HIGH, FALSE_MANUAL = 0.02, 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many patients sleep how many nights of how many hours."""

    patients: int
    nights: int
    seed: int
    hours: float = 8.0
    ungated: bool = False
    profile: str = ""
    """The text of a clinical profile; empty: the one that ships."""
    physiology: Mapping[str, float] = field(default_factory=dict)
    """Numbers of the physiology that are others than it states."""


class PlanError(ValueError):
    """The physiology has no such number; the message names it and those there are."""


def physiology_of(words: Sequence[str]) -> dict[str, float]:
    """Read `name=number` for numbers of the physiology. Raises PlanError."""
    known = {f.name for f in fields(Physiology) if f.type in ("float", "int", float, int)}
    found = {}
    for word in words:
        name, _, number = word.partition("=")
        if name not in known:
            raise PlanError(f"{name!r} is none of {', '.join(sorted(known))}")
        try:
            found[name] = float(number)
        except ValueError as exc:
            raise PlanError(f"{name}={number!r}: not a number") from exc
    return found


def measure(plan: Plan, say: Callable[[str], None]) -> dict[str, Any]:
    """Let the cohort sleep and judge its nights; give the document.

    A night of everybody is made and judged before the next: memory does not grow with the nights.
    """
    profile, numbers, step = (
        parse_profile(plan.profile or standard_adult()),
        _physiology(plan),
        fastest(),
    )
    about = machine()
    begun_s = time.monotonic()
    ways = {"gated": True, "ungated": False} if plan.ungated else {"gated": True}
    findings = {name: Findings() for name in ways}
    for number, night in enumerate(_nights(plan, numbers), start=1):
        for name, is_gated in ways.items():
            findings[name].take(night, judge(night, profile, step, gated=is_gated))
        say(f"night {number} of {plan.nights}: {plan.patients} patients, {time.monotonic() - begun_s:.0f} s")
    gated = findings["gated"]
    return {
        "seed": plan.seed,
        "plan": {key: value for key, value in asdict(plan).items() if key != "profile"},
        "patient_day": f"one night of {plan.hours:g} h; per_24_h is the same rate for a whole day of it",
        "profile": {"name": profile.name, "version": profile.version, "sha256": profile.profile_hash},
        "wall_s": round(time.monotonic() - begun_s, 1),
        "memory_mb_most": round(figures(os.getpid()).rss_bytes_max / 1e6),
        **{name: _figures(found, plan) for name, found in findings.items()},
        "physiology": asdict(numbers),
        "machine": {**about, "load_average_at_the_end": load_average()},
        **verdict(
            [
                exactly(f"true falls missed, of {gated.falls}", 0, len(gated.missed)),
                at_most("false high alarms a patient-day", FALSE_HIGH, gated.a_night(Priority.HIGH)),
                at_most(
                    "false manual alerts a patient-day", FALSE_MANUAL, gated.a_night(Priority.HIGH, Priority.MEDIUM)
                ),
            ]
        ),
    }


def _physiology(plan: Plan) -> Physiology:
    changed: dict[str, Any] = dict(plan.physiology)
    return replace(Physiology(), **changed)


def _nights(plan: Plan, numbers: Physiology) -> Iterator[Night]:
    """Each night has a seed of its own that follows from the run's: the same seed, the same nights."""
    who = people(plan.patients, np.random.default_rng([plan.seed, 0]), numbers)
    for night in range(plan.nights):
        yield sleep(who, round(plan.hours * 3600), np.random.default_rng([plan.seed, 1, night]), numbers)


def _figures(found: Findings, plan: Plan) -> dict[str, Any]:
    a_day = 24 / plan.hours
    high, manual = found.a_night(Priority.HIGH), found.a_night(Priority.HIGH, Priority.MEDIUM)
    causes = [
        {"priority": priority, "rule": rule, "cause": cause, "alerts": count, "a_patient_day": count / found.nights}
        for (priority, rule, cause), count in found.false.most_common()
    ]
    return {
        "patient_days": found.nights,
        "true_falls": found.falls,
        "true_falls_hardly_seen": found.unseen,
        "missed": [asdict(fall) for fall in found.missed],
        "found_by_a_standing_alarm_alone": found.standing,
        "sensitivity_percent": 100 * (1 - len(found.missed) / found.falls) if found.falls else None,
        "delay_s": {"median": _percentile(found.delays_s, 50), "p95": _percentile(found.delays_s, 95)},
        "false_high": {"a_patient_day": high, "per_24_h": high * a_day},
        "false_manual": {"a_patient_day": manual, "per_24_h": manual * a_day},
        "false_by_cause": causes,
        "alerts": [{"priority": p, "rule": rule, "alerts": count} for (p, rule), count in found.alerts.most_common()],
        "alerts_a_patient_day": found.alerts.total() / found.nights,
        "silences": dict(found.silences),
        "nights_played_alone": found.played_again,
    }


def _percentile(delays_s: list[float], percent: int) -> float | None:
    return round(float(np.percentile(delays_s, percent)), 1) if delays_s else None

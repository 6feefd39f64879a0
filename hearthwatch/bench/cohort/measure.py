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
from hearthwatch.bench.cohort.figures import figures_of
from hearthwatch.bench.cohort.figures import in_tables as in_tables
from hearthwatch.bench.cohort.findings import Findings
from hearthwatch.bench.cohort.hardness import Hardness
from hearthwatch.bench.cohort.judging import judge
from hearthwatch.bench.cohort.physiology import Night, People, people, sleep
from hearthwatch.bench.cohort.scenarios import SCENARIOS, Physiology
from hearthwatch.bench.cohort.truth import Truth
from hearthwatch.bench.goals import Goal, at_most, exactly, verdict
from hearthwatch.bench.process_figures import figures, load_average, machine

FALSE_HIGH, FALSE_MANUAL = 0.02, 0.10
FALSE, HIGH, MANUAL = (Truth.FALSE,), (Priority.HIGH,), (Priority.HIGH, Priority.MEDIUM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many patients sleep how many nights of how many hours."""

    patients: int
    nights: int
    seed: int
    hours: float = 8.0
    scenario: str = "default"
    ungated: bool = True
    """Judge them also as if every value were good."""
    profile: str = ""
    """The text of a clinical profile; empty: the one that ships."""
    physiology: Mapping[str, float] = field(default_factory=dict)
    """Numbers of the scenario's physiology that are others than it states."""


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
    profile, numbers, step = parse_profile(plan.profile or standard_adult()), _physiology(plan), fastest()
    about = machine()
    begun_s = time.monotonic()
    ways = {"gated": True, "ungated": False} if plan.ungated else {"gated": True}
    findings, hardness = {name: Findings() for name in ways}, Hardness()
    who = people(plan.patients, np.random.default_rng([plan.seed, 0]), numbers)
    for number, night in enumerate(_nights(plan, who, numbers), start=1):
        hardness.take(night, who.dips_per_hour > 0)
        for name, is_gated in ways.items():
            findings[name].take(night, judge(night, profile, step, gated=is_gated))
        say(f"night {number} of {plan.nights}: {plan.patients} patients, {time.monotonic() - begun_s:.0f} s")
    return {
        "seed": plan.seed,
        "plan": {key: value for key, value in asdict(plan).items() if key != "profile"},
        "patient_day": f"one night of {plan.hours:g} h; per_24_h is the same rate for a whole day of it",
        "profile": {"name": profile.name, "version": profile.version, "sha256": profile.profile_hash},
        "wall_s": round(time.monotonic() - begun_s, 1),
        "memory_mb_most": round(figures(os.getpid()).rss_bytes_max / 1e6),
        "hardness": hardness.rows(),
        **{name: figures_of(found, hours=plan.hours) for name, found in findings.items()},
        "physiology": asdict(numbers),
        "machine": {**about, "load_average_at_the_end": load_average()},
        **verdict(_goals(findings["gated"]), for_information=_strict(findings["gated"])),
    }


def _goals(found: Findings) -> list[Goal]:
    return [
        exactly(f"true falls missed, of {found.falls}", 0, len(found.missed)),
        at_most("false high alarms a patient-day", FALSE_HIGH, found.a_night(FALSE, HIGH)),
        at_most("false manual alerts a patient-day", FALSE_MANUAL, found.a_night(FALSE, MANUAL)),
    ]


def _strict(found: Findings) -> list[Goal]:
    """Count as false whatever is of no true fall, also where the rule was right."""
    return [
        at_most("strict, for information: high alarms of no true fall", FALSE_HIGH, found.a_night(tuple(Truth), HIGH)),
        at_most(
            "strict, for information: manual alerts of no true fall", FALSE_MANUAL, found.a_night(tuple(Truth), MANUAL)
        ),
    ]


def _physiology(plan: Plan) -> Physiology:
    changed: dict[str, Any] = dict(plan.physiology)
    return replace(SCENARIOS[plan.scenario], **changed)


def _nights(plan: Plan, who: People, numbers: Physiology) -> Iterator[Night]:
    """Each night has a seed of its own that follows from the run's: the same seed, the same nights."""
    for night in range(plan.nights):
        yield sleep(who, round(plan.hours * 3600), np.random.default_rng([plan.seed, 1, night]), numbers)

"""Measures the alert engine: first that both steps say what the oracle says, then rates, batch times and memory."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Channel
from hearthwatch.bench.engine_gate import Found, gate
from hearthwatch.bench.engine_runs import Case, Rules, measure_case
from hearthwatch.bench.engine_traffic import CALM, SICK
from hearthwatch.bench.goals import Goal, TooShort, at_least, at_most, exactly, verdict
from hearthwatch.bench.process_figures import load_average, machine
from vitals.signals import Signal

BATCHES_PER_PATIENT_MAX = 100
"""A batch holds no more than so many seconds of every patient."""

RATES = (("numpy", 100_000, 20_000_000), ("numpy", 1_000_000, 15_000_000), ("numba", 1_000_000, 50_000_000))
"""Engine, patients, and how many readings a second of a core are asked of its best batch size on the calm stream."""

NUMBA_P99_MS_MAX = 25.0

SPO2 = Channel(signal=Signal.SPO2)
TOGETHER = tuple(Channel(signal=signal) for signal in (Signal.SPO2, Signal.PULSE, Signal.RESPIRATORY_RATE))

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is compared first, and which sizes are measured for how long."""

    gate_streams: int = 200
    gate_crashes: int = 50
    patients: Sequence[int] = (1_000, 100_000, 1_000_000)
    batches: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    seconds: int = 120


def measure(_folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure and judge; a document for people and machines."""
    about = machine()
    found = gate(plan.gate_streams, plan.gate_crashes, say)
    if found.differences:
        return {"machine": about, "gate": asdict(found), **verdict(_gate_goals(found))}
    runs = [run for case in cases(plan) for run in measure_case(case, say)]
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "gate": asdict(found),
        "runs": runs,
        **verdict([*_gate_goals(found), *_goals(runs)]),
    }


def cases(plan: Plan) -> list[Case]:
    """List the wards: each size calm and sick by its SpO2, and the largest by all channels together."""
    of_adult = parse_profile(standard_adult()).sustained
    alone: Rules = {SPO2: of_adult[SPO2]}
    together = {channel: of_adult[channel] for channel in TOGETHER if channel in of_adult}
    return [
        Case(
            rules=rules,
            patients=patients,
            mood=mood,
            batches=[batch for batch in plan.batches if batch <= patients * BATCHES_PER_PATIENT_MAX],
            seconds=max(plan.seconds, BATCHES_PER_PATIENT_MAX * 1000 * 10 // patients),
        )
        for rules in (alone, together)[: len(together)]
        for patients in plan.patients
        for mood in (CALM, SICK)
    ]


def _gate_goals(found: Found) -> list[Goal]:
    return [
        exactly(
            f"differences from the oracle on {found.streams:,} streams ({found.events:,} events) and in "
            f"{found.crashes:,} crashes",
            0,
            len(found.differences),
        )
    ]


def _goals(runs: Sequence[dict[str, Any]]) -> list[Goal | TooShort]:
    alone = [run for run in runs if len(run["channels"]) == 1 and run["stream"] == CALM.name]
    slowest = [run["p99_ms"] for run in _of(alone, "numba", 1_000_000) if run["batch"] == 1_000_000]
    slowest_is = "numba, 1,000,000 patients: ms of a second of all of them, p99"
    return [
        *(_rate(alone, engine, patients, limit) for engine, patients, limit in RATES),
        at_most(slowest_is, NUMBA_P99_MS_MAX, max(slowest)) if slowest else TooShort(goal=slowest_is, why=_NOT_RUN),
    ]


def _rate(runs: Sequence[dict[str, Any]], engine: str, patients: int, limit: int) -> Goal | TooShort:
    name = f"{engine}, {patients:,} patients: readings a second of a core"
    rates = [run["readings_per_s"] for run in _of(runs, engine, patients)]
    return at_least(name, limit, max(rates)) if rates else TooShort(goal=name, why=_NOT_RUN)


def _of(runs: Sequence[dict[str, Any]], engine: str, patients: int) -> list[dict[str, Any]]:
    return [run for run in runs if (run["engine"], run["patients"]) == (engine, patients)]


_NOT_RUN = "no run of this size, or the engine is not installed"

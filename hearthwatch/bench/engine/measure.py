"""Measures the alert engine: first that both steps say what the oracle says, then rates, batch times and memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from alerting.engine.table import Table
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Channel
from hearthwatch.bench.engine.gate import gate
from hearthwatch.bench.engine.goals import gate_goals, goals, ratios
from hearthwatch.bench.engine.memory import RECORDS, limit_per_s
from hearthwatch.bench.engine.peers import Contest, measure_peers
from hearthwatch.bench.engine.plain import BandedWard
from hearthwatch.bench.engine.runs import BEGIN_S, WARM_EVERY_S, WARM_S, Case, Rules, measure_case, warmed
from hearthwatch.bench.engine.slow import slow_percent
from hearthwatch.bench.engine.snapshot import measure_snapshot
from hearthwatch.bench.engine.table import tables
from hearthwatch.bench.engine.traffic import CALM, SICK, Mood, Ward
from hearthwatch.bench.goals import verdict
from hearthwatch.bench.process_figures import load_average, machine
from vitals.signals import Signal
from vitals.sustained import SustainedRule

BATCHES_PER_PATIENT_MAX = 100
"""A batch holds no more than so many seconds of every patient."""

PARTED_PATIENTS_MIN = 100_000
"""From so many patients on a ward is also held by partition."""

SPO2 = Channel(signal=Signal.SPO2)
TOGETHER = tuple(Channel(signal=signal) for signal in (Signal.SPO2, Signal.PULSE, Signal.RESPIRATORY_RATE))
TOGETHER_SIZES, TOGETHER_BATCHES = 2, 2
"""All channels together are measured at the largest of the sizes and batches alone."""

CONTEST = Contest()

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is compared first, and which sizes are measured for how long."""

    gate_streams: int = 200
    gate_crashes: int = 50
    patients: Sequence[int] = (1_000, 100_000, 1_000_000)
    batches: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)
    seconds: int = 120
    readings_min: int = 1_000_000
    peers: Contest | None = CONTEST
    memory_records: int = RECORDS


QUICK = Plan(
    gate_streams=20,
    gate_crashes=4,
    patients=(200,),
    batches=(200, 2_000),
    seconds=70,
    readings_min=0,
    peers=Contest(patients=60, seconds=400, passes=1),
    memory_records=10_000,
)
"""Everything once, too small to mean anything."""


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure and judge; where a step says something else than the oracle, nothing is measured."""
    about = {**machine(), "numpy": version("numpy"), "numba": _numba()}
    found = gate(plan.gate_streams, plan.gate_crashes, say)
    if found.differences:
        return {"machine": about, "gate": asdict(found), **verdict(gate_goals(found))}
    limit, how = limit_per_s(plan.memory_records)
    runs, snapshots = [], []
    for case in cases(plan):
        say(f"{case.name}: filling the windows")
        warm = warmed(case)
        runs += measure_case(case, warm, say)
        if case.mood is CALM:
            snapshots.append(measure_snapshot(folder, case, warm))
    compared = measure_peers(_adult()[SPO2], plan.peers, say) if plan.peers else {"peers": []}
    document: dict[str, Any] = {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "gate": asdict(found),
        "limit_per_s": round(limit),
        "limit_how": how,
        "counted": "good readings, as the step gets them; 3 % are not good, filtered before and not counted",
        "slow_percent": {mood.name: _slow_percent(mood) for mood in (CALM, SICK)},
        "family_bytes": family_bytes(),
        "runs": runs,
        "snapshots": snapshots,
        **compared,
    }
    document["ratios"] = ratios(document)
    for line in tables(document):
        say(line)
    return {**document, **verdict([*gate_goals(found), *goals(document)])}


def cases(plan: Plan) -> Iterator[Case]:
    """List the wards: each size calm and sick by its SpO2, the largest by all channels together."""
    adult = _adult()
    together = {channel: adult[channel] for channel in TOGETHER if channel in adult}
    yield from _cases(plan, {SPO2: adult[SPO2]}, plan.patients, plan.batches)
    if len(together) > 1:
        yield from _cases(plan, together, plan.patients[-TOGETHER_SIZES:], plan.batches[-TOGETHER_BATCHES:])


def _cases(plan: Plan, rules: Rules, sizes: Sequence[int], batches: Sequence[int]) -> Iterator[Case]:
    for patients in sizes:
        for mood in (CALM, SICK):
            yield Case(
                rules=rules,
                patients=patients,
                mood=mood,
                batches=[batch for batch in batches if batch <= patients * BATCHES_PER_PATIENT_MAX],
                seconds=max(plan.seconds, plan.readings_min // patients),
                parted=patients >= PARTED_PATIENTS_MIN,
            )


def _adult() -> Rules:
    return parse_profile(standard_adult()).sustained


def family_bytes() -> dict[str, float]:
    """Say what a patient takes for the shipped rules of each family that judges a stream, in a table of their own."""
    profile = parse_profile(standard_adult())
    families: dict[str, list[SustainedRule]] = {}
    for channel, rules in profile.sustained.items():
        for rule in rules:
            families.setdefault(f"{profile.consequences[rule.rule].family}, {channel.trust}", []).append(rule)
    return {name: round(Table(rules, 10_000).bytes_per_patient, 1) for name, rules in families.items()}


def _slow_percent(mood: Mood) -> float:
    """Say it of five hundred patients' SpO2 in two minutes, by a seed of its own."""
    patients, seconds = 500, 120
    rules = _adult()[SPO2]
    drawn = Ward(rules, patients, mood, seed=9)
    ward = BandedWard(rules, patients)
    for second in range(0, WARM_S, WARM_EVERY_S):
        slow_percent(ward, drawn.second(second))
    return round(slow_percent(ward, next(drawn.blocks(BEGIN_S, seconds, of=seconds))), 1)


def _numba() -> str | None:
    try:
        return version("numba")
    except PackageNotFoundError:
        return None

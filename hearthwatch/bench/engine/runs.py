"""Times the engine's steps: all of them get the same samples, drawn beforehand, block by block in turn."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Protocol

import numpy as np

from alerting.engine import numpy_step
from alerting.engine.partition import Step, fastest
from alerting.engine.table import Table
from alerting.profile.profile import Channel
from hearthwatch.bench.engine.traffic import Mood, Samples, Ward
from ingest.feed import PARTITION_COUNT
from vitals.sustained import SustainedRule, SustainedState, step

_TOLD = ("row", "rule", "kind", "at_ms", "since_ms", "value", "valid", "below", "buckets")

Rules = Mapping[Channel, Sequence[SustainedRule]]
Say = Callable[[str], None]

WARM_S, WARM_EVERY_S = 1200, 10
"""Windows fill, and conditions come and go, at one sample a bucket. Then it is second 55 of a minute."""

BEGIN_S = WARM_S + 55
BLOCK_READINGS = 1_000_000
"""Readings drawn at once are at least this many, or ten seconds."""

PARTED_BATCHES = 2
"""So many of the largest batches are measured by partition too, where that is asked for."""

ORACLE = "oracle"
ORACLE_PATIENTS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One ward to measure, and at which batch sizes (readings of all channels together)."""

    rules: Rules
    patients: int
    mood: Mood
    batches: Sequence[int]
    seconds: int
    parted: bool = False
    """Whether the largest batches are measured by partition too, as the product holds patients."""

    @property
    def name(self) -> str:
        """Name it in a line."""
        return (
            f"{self.patients:,} patients, {self.mood.name}, {'+'.join(str(channel.signal) for channel in self.rules)}"
        )

    def wards(self) -> list[Ward]:
        """Begin each channel's samples from their beginning."""
        return [Ward(rules, self.patients, self.mood, seed=1 + i) for i, rules in enumerate(self.rules.values())]


class Judging(Protocol):
    """An engine with the state of a case's patients."""

    def given(self, samples: Samples, first: int, end: int) -> Any:
        """Give a batch's samples as this engine takes them."""

    def judge(self, channel: int, given: Any) -> Any:
        """Judge samples of the channel at this place; gives what was said, as this engine says it."""

    def told(self, channel: int, said: Any) -> list[tuple[int, ...]]:
        """Give what was said in numbers, alike for all engines."""


class Stepping:
    """A step over one table of all patients a channel."""

    def __init__(self, step: Step, tables: Sequence[Table]) -> None:
        self._step, self.tables = step, tables

    def given(self, samples: Samples, first: int, end: int) -> Any:
        """Give a batch's samples as this engine takes them."""
        return samples.rows[first:end], samples.t_ms[first:end], samples.values[first:end]

    def judge(self, channel: int, given: Any) -> Any:
        """Judge samples of the channel at this place."""
        rows, t_ms, values = given
        events, _ = self._step(self.tables[channel], rows, t_ms, values)
        return events

    def told(self, channel: int, said: Any) -> list[tuple[int, ...]]:
        """Give what was said in numbers, alike for all engines."""
        return [(channel, *(int(event[name]) for name in _TOLD)) for event in said]


class Parted:
    """The same as the product holds them: tables of each partition's patients, which the log brings apart."""

    def __init__(self, step: Step, case: Case) -> None:
        most = -(-case.patients // PARTITION_COUNT)
        self._parts = [
            Stepping(step, [Table(rules, most) for rules in case.rules.values()]) for _ in range(PARTITION_COUNT)
        ]

    def given(self, samples: Samples, first: int, end: int) -> Any:
        """Give a batch's samples as this engine takes them: each partition's in their order, as its log has them."""
        rows = samples.rows[first:end]
        order = np.argsort(rows % PARTITION_COUNT, kind="stable")
        ends = np.cumsum(np.bincount(rows % PARTITION_COUNT, minlength=PARTITION_COUNT))[:-1]
        columns = (rows // PARTITION_COUNT, samples.t_ms[first:end], samples.values[first:end])
        return list(zip(*(np.split(column[order], ends) for column in columns), strict=True))

    def judge(self, channel: int, given: Any) -> Any:
        """Judge samples of the channel at this place."""
        return [part.judge(channel, of_part) for part, of_part in zip(self._parts, given, strict=True)]

    def told(self, channel: int, said: Any) -> list[tuple[int, ...]]:
        """Give what was said in numbers, alike for all engines."""
        return [
            (channel, row * PARTITION_COUNT + number, *rest)
            for number, (part, of_part) in enumerate(zip(self._parts, said, strict=True))
            for _, row, *rest in part.told(channel, of_part)
        ]


class Plain:
    """The oracle, for what the rules cost where nothing is done about it; it is given lists."""

    def __init__(self, case: Case) -> None:
        self._rules = list(case.rules.values())
        self._states = [[SustainedState(rules) for _ in range(case.patients)] for rules in case.rules.values()]

    def given(self, samples: Samples, first: int, end: int) -> Any:
        """Give a batch's samples as this engine takes them."""
        return [column[first:end].tolist() for column in (samples.rows, samples.t_ms, samples.values)]

    def judge(self, channel: int, given: Any) -> Any:
        """Judge samples of the channel at this place."""
        states = self._states[channel]
        return [
            (row, event) for row, t_ms, value in zip(*given, strict=True) for event in step(states[row], t_ms, value)
        ]

    def told(self, channel: int, said: Any) -> list[tuple[int, ...]]:
        """Give what was said in numbers, alike for all engines."""
        places = {rule.rule: place for place, rule in enumerate(self._rules[channel])}
        return [
            (channel, row, places[event.rule], *(int(getattr(event, name)) for name in _TOLD[2:]))
            for row, event in said
        ]


@dataclass(slots=True)
class Run:
    """One engine at one batch size, and what it took so far."""

    engine: str
    judging: Judging
    batch: int
    tables: int = 1
    readings: int = 0
    events: int = 0
    told: int = 0
    """A sum over what was said, whatever the order: the same for all engines and batch sizes of a case."""
    cpu_ns: list[int] = field(default_factory=list)
    wall_ns: list[int] = field(default_factory=list)

    def take(self, block: Sequence[Samples]) -> None:
        """Judge a block: samples of each channel, cut so that the readings of all channels make a batch together."""
        cuts = [samples.cuts(max(1, self.batch // len(block))) for samples in block]
        for parts in zip_longest(*cuts, fillvalue=(0, 0)):  # a channel with fewer good samples may be over sooner
            given = [self.judging.given(samples, *part) for samples, part in zip(block, parts, strict=True)]
            wall, cpu = time.perf_counter_ns(), time.process_time_ns()
            said = [self.judging.judge(channel, of_channel) for channel, of_channel in enumerate(given)]
            self.cpu_ns.append(time.process_time_ns() - cpu)
            self.wall_ns.append(time.perf_counter_ns() - wall)
            for channel, of_channel in enumerate(said):
                told = self.judging.told(channel, of_channel)
                self.events += len(told)
                self.told = (self.told + sum(map(hash, told))) % (1 << 64)
        self.readings += sum(len(samples.rows) for samples in block)


def steps() -> dict[str, Step]:
    """Give the product's steps by name; Numba's where the extra `fast` is installed."""
    found: dict[str, Step] = {"numpy": numpy_step.step}
    if fastest() is not numpy_step.step:
        found["numba"] = fastest()
    return found


def measure_case(case: Case, snapshots: Sequence[bytes], say: Say) -> list[dict[str, Any]]:
    """Time every engine that is installed at every batch size from these tables on; one document a run."""
    runs = [
        Run(engine, Stepping(step, restored(case, snapshots)), batch)
        for batch in case.batches
        for engine, step in steps().items()
    ]
    if case.parted:
        runs += [
            Run(engine, warmed_parted(case, step), batch, tables=PARTITION_COUNT)
            for batch in case.batches[-PARTED_BATCHES:]
            for engine, step in steps().items()
        ]
    if case.patients <= ORACLE_PATIENTS_MAX:
        runs.append(Run(ORACLE, warmed_plain(case), case.batches[0]))
    compile_all(case)
    of_s = max(10, -(-max(case.batches) // case.patients), BLOCK_READINGS // case.patients)
    wards = [ward.blocks(BEGIN_S, case.seconds, of=of_s) for ward in case.wards()]
    for number, block in enumerate(zip(*wards, strict=True)):
        say(f"{case.name}: {min((number + 1) * of_s, case.seconds)} of {case.seconds} s")
        for run in runs:
            run.take(block)
    bytes_per_patient = [round(table.bytes_per_patient, 1) for table in restored(case, snapshots)]
    return [_document(run, case, bytes_per_patient) for run in runs]


def warmed(case: Case) -> list[bytes]:
    """Judge the samples before the measured ones; gives each channel's table as a snapshot."""
    judging = Stepping(fastest(), [Table(rules, case.patients) for rules in case.rules.values()])
    _warm(case, judging)
    return [table.dump() for table in judging.tables]


def restored(case: Case, snapshots: Sequence[bytes]) -> list[Table]:
    """Read snapshots into tables of their own."""
    tables = [Table(rules) for rules in case.rules.values()]
    for table, snapshot in zip(tables, snapshots, strict=True):
        table.load(snapshot)
    return tables


def warmed_parted(case: Case, step: Step) -> Parted:
    """Judge the samples before the measured ones by tables of each partition."""
    judging = Parted(step, case)
    _warm(case, judging)
    return judging


def warmed_plain(case: Case) -> Plain:
    """Judge the samples before the measured ones by the oracle."""
    judging = Plain(case)
    _warm(case, judging)
    return judging


def _warm(case: Case, judging: Judging) -> None:
    for channel, ward in enumerate(case.wards()):
        for second in range(0, WARM_S, WARM_EVERY_S):
            samples = ward.second(second)
            judging.judge(channel, judging.given(samples, 0, len(samples.rows)))


def compile_all(case: Case) -> None:
    """Let the compiled step be compiled before it is timed."""
    few = Case(rules=case.rules, patients=8, mood=case.mood, batches=case.batches, seconds=case.seconds)
    for each in steps().values():
        _warm(few, Stepping(each, [Table(rules, few.patients) for rules in few.rules.values()]))


def _document(run: Run, case: Case, bytes_per_patient: Sequence[float]) -> dict[str, Any]:
    cpu_ms, wall_ms = (sorted(ns / 1e6 for ns in each) for each in (run.cpu_ns, run.wall_ns))
    return {
        "engine": run.engine,
        "patients": case.patients,
        "tables": run.tables,
        "batch": run.batch,
        "stream": case.mood.name,
        "channels": [str(channel.signal) for channel in case.rules],
        "rules": sum(len(rules) for rules in case.rules.values()),
        "seconds": case.seconds,
        "batches": len(cpu_ms),
        "readings": run.readings,
        "events": run.events,
        "events_sum": f"{run.told:016x}",
        "readings_per_s": round(run.readings / sum(cpu_ms) * 1000),
        "readings_per_s_wall": round(run.readings / sum(wall_ms) * 1000),
        **{f"p{percent}_ms": round(percentile(cpu_ms, percent), 4) for percent in (50, 99)},
        **{f"p{percent}_ms_wall": round(percentile(wall_ms, percent), 4) for percent in (50, 99)},
        "worst_ms": round(cpu_ms[-1], 4),
        "bytes_per_patient": sum(bytes_per_patient) if run.engine != ORACLE else None,
    }


def percentile(ascending: Sequence[float], percent: int) -> float:
    """Give the smallest value that so many percent of the values do not exceed."""
    return ascending[math.ceil(len(ascending) * percent / 100) - 1]

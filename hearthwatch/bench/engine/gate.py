"""The gate before any figure: on seeded streams both steps say what the oracle says, also across a crash.

Streams are judged several together, as rows of one table, cut into batches of one sample to thousands. A crash is a
worker that dies with half of a batch's events written: another one, with either step, reads the last snapshot, judges
the log since then again, and an event whose key (row, rule, kind, at_ms) is written already is not written twice.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import pairwise
from multiprocessing import get_context
from os import sched_getaffinity

from alerting.engine.layout import Events, Ints
from alerting.engine.partition import Step, event_of
from alerting.engine.table import Table
from alerting.profile.file import parse_profile, standard_adult
from hearthwatch.bench.engine.plain import BandedWard
from hearthwatch.bench.engine.runs import steps
from hearthwatch.bench.engine.streams import LEVELS, MANY, Said, Sample, columns, oracle, stream
from vitals.sustained import Kind, Limit, SustainedEvent, SustainedRule

STREAMS_TOGETHER = 20
CRASH_STREAMS = 4
ROWS = (1, 2, 4)
SPELL_SAMPLES_MAX = 180
"""Ten samples a second show as much in 18 s as in 20 min, and ten thousand streams come to an end."""

SNAPSHOT_BATCHES_MAX = 8
WORTH_PROCESSES = 8
"""So many parts are done in several processes; for fewer it takes longer to start them."""
DIFFERENCES_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Of which lengths streams are, and into batches of at most how many samples they are cut."""

    lengths_s: tuple[int, ...]
    batches: tuple[int, ...]


TO_COMPARE = Draw(lengths_s=(900, 1500, 2000), batches=(1, 10, 200, 1000, 5000))
TO_CRASH = Draw(lengths_s=(600, 1200), batches=(10, 50, 300))

Key = tuple[int, str, Kind, int]
"""Whose row, which rule, what, when: unique in the record."""


@dataclass(slots=True)
class Found:
    """What the gate has seen so far."""

    streams: int = 0
    samples: int = 0
    events: int = 0
    late: int = 0
    crashes: int = 0
    replayed: int = 0
    suppressed: int = 0
    differences: list[str] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Count what another part has seen."""
        for name in ("streams", "samples", "events", "late", "crashes", "replayed", "suppressed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.differences = (self.differences + other.differences)[:DIFFERENCES_MAX]


@dataclass(frozen=True, slots=True)
class _Log:
    """Streams as one table sees them: the samples in batches, and what the oracle says of them."""

    rules: Sequence[SustainedRule]
    samples: list[Sample]
    cuts: list[int]
    expected: Said
    phases: dict[int, list[int]]

    def batches(self, step: int = 0) -> Iterator[tuple[int, tuple[Ints, Ints, Ints]]]:
        """Give the batches from the one at this place on, with where each begins."""
        for start, end in list(pairwise(self.cuts))[step:]:
            yield start, columns(self.samples[start:end])


def gate(streams: int, crashes: int, say: Callable[[str], None]) -> Found:
    """Compare so many streams, and so many crashes, in as many processes as there are cores."""
    found = Found()
    work: list[tuple[Callable[[int, int], Found], int, int]] = [
        (equal, seed, min(STREAMS_TOGETHER, streams - seed)) for seed in range(0, streams, STREAMS_TOGETHER)
    ]
    work += [(crash, seed, CRASH_STREAMS) for seed in range(crashes)]
    with ExitStack() as closing:
        parts: Iterator[Found] = map(_do, work)
        if len(work) >= WORTH_PROCESSES:
            pool = ProcessPoolExecutor(len(sched_getaffinity(0)), get_context("spawn"))
            parts = closing.enter_context(pool).map(_do, work)
        for number, part in enumerate(parts):
            found.add(part)
            if (number + 1) % 25 == 0 or number + 1 == len(work):
                say(
                    f"gate: {found.streams:,} streams, {found.events:,} events, {found.crashes:,} crashes, "
                    f"{len(found.differences)} differences"
                )
    return found


def _do(work: tuple[Callable[[int, int], Found], int, int]) -> Found:
    what, seed, streams = work
    return what(seed, streams)


def equal(seed: int, streams: int) -> Found:
    """Judge the streams from this seed on by each step, and by the loop the ratios are against."""
    log = _log(seed, streams, TO_COMPARE)
    found = Found(streams=streams, samples=len(log.samples))
    late = sum(event.kind is Kind.LATE for *_, event in log.expected)
    found.late, found.events = late, len(log.expected) - late
    for name, step in steps().items():
        table = Table(log.rules)
        table.grow(len(log.phases))
        said = [each for start, batch in log.batches() for each in _said(step, table, start, batch)]
        phases = {row: [int(phase) for phase in table.phases(row)] for row in log.phases}
        found.differences += _differences(f"{name}, streams from {seed} on", said, log.expected)
        found.differences += (
            [] if phases == log.phases else [f"{name}, streams from {seed} on: other phases at the end"]
        )
    found.differences += _plain_differences(log, seed)
    return found


def crash(seed: int, streams: int) -> Found:
    """Let a worker die at a random batch, and another one go on from the last snapshot."""
    log = _log(1_000_000 + seed * streams, streams, TO_CRASH)
    draw = random.Random(seed)
    names = list(steps())
    before, after = names[seed % len(names)], names[seed // len(names) % len(names)]
    dies_at, every = draw.randrange(len(log.cuts) - 1), draw.randint(1, SNAPSHOT_BATCHES_MAX)
    table = Table(log.rules, len(log.phases))
    written: dict[Key, SustainedEvent] = {}
    found = Found(crashes=1)
    snapshot, snapshot_at = table.dump(), 0
    for number, (start, batch) in enumerate(log.batches()):
        said = _said(steps()[before], table, start, batch)
        if number == dies_at:
            _write(written, said[: len(said) // 2], found)
            break
        _write(written, said, found)
        if (number + 1) % every == 0:
            snapshot, snapshot_at = table.dump(), number + 1
    table = Table(log.rules)
    table.load(snapshot)
    for number, (start, batch) in enumerate(log.batches(snapshot_at)):
        found.replayed += snapshot_at + number <= dies_at
        _write(written, _said(steps()[after], table, start, batch), found)
    expected = {_key(row, event): event for _, row, event in log.expected if event.kind is not Kind.LATE}
    of_oracle = sum(event.kind is not Kind.LATE for *_, event in log.expected)
    if written != expected or len(expected) != of_oracle:
        found.differences.append(
            f"crash {seed}, {before} then {after}: {len(written.keys() - expected.keys())} events too many, "
            f"{len(expected.keys() - written.keys())} missing, {of_oracle - len(expected)} of one key"
        )
    return found


def _write(written: dict[Key, SustainedEvent], said: Said, found: Found) -> None:
    """Write events as the record does: one whose key is there already is not written again."""
    for _, row, event in said:
        if event.kind is Kind.LATE:
            continue
        if written.setdefault(_key(row, event), event) is not event:
            found.suppressed += 1


def _key(row: int, event: SustainedEvent) -> Key:
    return row, event.rule, event.kind, event.at_ms


def _said(step: Step, table: Table, start: int, batch: tuple[Ints, Ints, Ints]) -> Said:
    """Judge a batch; late samples stand among the events, as the oracle has them."""
    rows, t_ms, values = batch
    events, late = step(table, rows, t_ms, values)
    said = _events(table, events, start)
    late_at = late.nonzero()[0].tolist()
    said += [(start + i, int(rows[i]), _late(int(t_ms[i]), int(values[i]))) for i in late_at]
    return sorted(said, key=lambda each: each[0]) if late_at else said


def _events(table: Table, events: Events, start: int) -> Said:
    return [(start + int(e["index"]), int(e["row"]), event_of(table.plan.rules, e)) for e in events]


def _late(t_ms: int, value: int) -> SustainedEvent:
    return SustainedEvent(rule="", kind=Kind.LATE, at_ms=t_ms, since_ms=t_ms, value=value, valid=0, below=0, buckets=0)


def _plain_differences(log: _Log, seed: int) -> list[str]:
    said, late = BandedWard(log.rules, len(log.phases)).judge(
        *([getattr(s, name) for s in log.samples] for name in ("row", "t_ms", "value"))
    )
    expected = [(row, event) for _, row, event in log.expected if event.kind is not Kind.LATE]
    expected_late = [(row, event.at_ms) for _, row, event in log.expected if event.kind is Kind.LATE]
    name = f"plain loop, streams from {seed} on"
    return _differences(name, said, expected) + _differences(f"{name}, late", late, expected_late)


def _differences(name: str, said: Sequence[object], expected: Sequence[object]) -> list[str]:
    if said == expected:
        return []
    at = next(
        (i for i, (a, b) in enumerate(zip(said, expected, strict=False)) if a != b), min(len(said), len(expected))
    )
    return [f"{name}: {said[at : at + 1]} where the oracle says {expected[at : at + 1]} ({len(said)}, {len(expected)})"]


def _log(seed: int, streams: int, how: Draw) -> _Log:
    draw = random.Random(seed)
    rules = draw.choice(_rule_sets(draw))
    placed: list[tuple[float, Sample]] = []
    rows = 0
    for number in range(seed, seed + streams):
        of_stream = draw.choice(ROWS)
        samples = stream(
            number, rows=of_stream, length_s=draw.choice(how.lengths_s), spell_samples_max=SPELL_SAMPLES_MAX
        )
        placed += [
            (i / len(samples), Sample(sample.t_ms, rows + sample.row, sample.value)) for i, sample in enumerate(samples)
        ]
        rows += of_stream
    together = [sample for _, sample in sorted(placed, key=lambda each: each[0])]
    cuts = [0]
    while cuts[-1] < len(together):
        cuts.append(min(len(together), cuts[-1] + draw.randint(1, draw.choice(how.batches))))
    expected, states = oracle(together, rules)
    return _Log(
        rules, together, cuts, expected, {row: [int(phase) for phase in state.phase] for row, state in states.items()}
    )


def _rule_sets(draw: random.Random) -> list[Sequence[SustainedRule]]:
    """List rules of every grain and direction, and each channel's shipped ones with limits where the streams are."""
    adult = parse_profile(standard_adult()).sustained.values()
    return [MANY, MANY, MANY[:1], *([_near(rule, draw) for rule in rules] for rules in adult)]


def _near(rule: SustainedRule, draw: random.Random) -> SustainedRule:
    breach = draw.choice(LEVELS[2:-2])
    return replace(rule, limit=Limit(breach=breach, clear_at=breach + (100 if rule.low else -100)))

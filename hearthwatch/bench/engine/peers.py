"""Times other ways to judge the same rules on the same samples, each held against the oracle's events."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from alerting.engine.partition import Step, event_of
from alerting.engine.table import Table
from hearthwatch.bench.engine import peer_node
from hearthwatch.bench.engine.plain import BandedWard, PlainWard
from hearthwatch.bench.engine.runs import steps
from hearthwatch.bench.engine.slow import columns, slow_percent
from hearthwatch.bench.engine.traffic import SICK, Samples, Ward
from hearthwatch.bench.engine.windows import Said, is_by_windows
from vitals.sustained import SustainedRule, SustainedState
from vitals.sustained import step as judge_by_oracle

BATCHES = (10_000, 100_000)
"""A second of everybody, and ten."""
FROM_EXTRA = ("polars", "duckdb", "bytewax")
PLAIN, BANDED, NODE = "plain Python loop", "plain Python loop, banded", "Node loop, banded"
"""Banded: with the engine's own shortcut for samples that change nothing."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """How many patients for how many seconds, and how often each peer begins anew."""

    patients: int = 10_000
    seconds: int = 320
    passes: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Peer:
    name: str
    version: str
    form: str
    approximate: frozenset[str] = frozenset()
    """Rules of which its events need not be the oracle's."""
    passes: Callable[[], Iterator[tuple[float, Said]]]
    """Each pass's processor seconds, and what it said."""


def measure_peers(rules: Sequence[SustainedRule], contest: Contest, say: Say) -> dict[str, Any]:
    """Time all peers that are installed; what is not is said and named under `skipped`."""
    ward = Ward(rules, contest.patients, SICK, seed=5)
    samples = next(ward.blocks(0, contest.seconds, of=contest.seconds))
    say(f"peers: the oracle on {len(samples.rows):,} samples")
    expected = _by_oracle(rules, contest, samples)
    peers = [*_plain(rules, contest, samples), *_ours(rules, contest, samples)]
    skipped = []
    for name in (NODE, *FROM_EXTRA):
        try:
            peers.append(_node(rules, contest, samples) if name == NODE else _from_extra(name, rules, contest, samples))
        except (ImportError, FileNotFoundError) as exc:
            say(f"peers: {name} is left out: {exc}")
            skipped.append({"name": name, "why": str(exc)})
    return {
        "peers_stream": {
            "patients": contest.patients,
            "seconds": contest.seconds,
            "readings": len(samples.rows),
            "events": len(expected),
            "slow_percent": round(slow_percent(BandedWard(rules, contest.patients), samples), 1),
        },
        "peers": [_document(peer, expected, len(samples.rows), say) for peer in peers],
        "peers_skipped": skipped,
    }


def _document(peer: _Peer, expected: Said, readings: int, say: Say) -> dict[str, Any]:
    say(f"peers: {peer.name}, {peer.form}")
    passes = list(peer.passes())
    exact = [(row, event) for row, event in expected if event.rule not in peer.approximate]
    return {
        "name": peer.name,
        "version": peer.version,
        "form": peer.form,
        "readings_per_s": round(readings / min(cpu_s for cpu_s, _ in passes)),
        "events": len(passes[-1][1]),
        "equal": all(_exactly(said, peer) == exact for _, said in passes),
        "approximate_rules": sorted(peer.approximate),
    }


def _exactly(said: Said, peer: _Peer) -> Said:
    return sorted(((row, event) for row, event in said if event.rule not in peer.approximate), key=_order)


def _by_oracle(rules: Sequence[SustainedRule], contest: Contest, samples: Samples) -> Said:
    states = [SustainedState(rules) for _ in range(contest.patients)]
    said = [(row, event) for row, t, value in columns(samples) for event in judge_by_oracle(states[row], t, value)]
    return sorted(said, key=_order)


def _order(said: tuple[int, Any]) -> tuple[int, int, str, int]:
    row, event = said
    return row, event.at_ms, event.rule, event.kind


def _plain(rules: Sequence[SustainedRule], contest: Contest, samples: Samples) -> list[_Peer]:
    given = samples.rows.tolist(), samples.t_ms.tolist(), samples.values.tolist()

    def passes(kind: type[PlainWard]) -> Iterator[tuple[float, Said]]:
        for _ in range(contest.passes):
            ward = kind(rules, contest.patients)
            begun = time.process_time()
            said, _ = ward.judge(*given)
            yield time.process_time() - begun, said

    return [
        _Peer(name=name, version=platform.python_version(), form=form, passes=lambda kind=kind: passes(kind))  # type: ignore[misc]
        for name, kind, form in (
            (PLAIN, PlainWard, "lists, state in slotted objects, each sample held against each rule"),
            (BANDED, BandedWard, "the same, and the engine's band of values that change nothing"),
        )
    ]


def _ours(rules: Sequence[SustainedRule], contest: Contest, samples: Samples) -> list[_Peer]:
    return [
        _Peer(
            name=name,
            version=version(name),
            form=f"batches of {batch:,}",
            passes=lambda step=step, batch=batch: _passes_of_step(step, batch, rules, contest, samples),  # type: ignore[misc]
        )
        for name, step in steps().items()
        for batch in BATCHES
    ]


def _passes_of_step(
    step: Step, batch: int, rules: Sequence[SustainedRule], contest: Contest, samples: Samples
) -> Iterator[tuple[float, Said]]:
    cuts = samples.cuts(batch)
    for _ in range(contest.passes):
        table = Table(rules, contest.patients)
        begun = time.process_time()
        batches = [step(table, samples.rows[a:b], samples.t_ms[a:b], samples.values[a:b])[0] for a, b in cuts]
        took_s = time.process_time() - begun
        yield took_s, [(int(event["row"]), event_of(rules, event)) for events in batches for event in events]


def _node(rules: Sequence[SustainedRule], contest: Contest, samples: Samples) -> _Peer:
    def passes() -> Iterator[tuple[float, Said]]:
        cpu_s, said = peer_node.run(rules, contest.patients, samples, contest.passes)
        for took_s in cpu_s:
            yield took_s, said

    return _Peer(name=NODE, version=peer_node.version(), form="typed arrays, state in objects", passes=passes)


_BY_WINDOWS = ("polars", "duckdb")
_FORMS = {
    "polars": "window expressions over the whole stream, one thread; no late samples",
    "duckdb": "window SQL over the whole stream, one thread; no late samples",
    "bytewax": "stateful_flat_map round the plain loop's state",
}


def _from_extra(name: str, rules: Sequence[SustainedRule], contest: Contest, samples: Samples) -> _Peer:
    module = import_module(f"hearthwatch.bench.engine.peer_{name}")

    def passes() -> Iterator[tuple[float, Said]]:
        for _ in range(contest.passes):
            peer = module.Peer(rules, contest.patients)
            peer.prepare(samples)
            begun = time.process_time()
            said = peer.judge()
            yield time.process_time() - begun, said

    return _Peer(
        name=name,
        version=module.VERSION,
        form=_FORMS[name],
        approximate=frozenset(rule.rule for rule in rules if name in _BY_WINDOWS and not is_by_windows(rule)),
        passes=passes,
    )

"""The engine's bench: its gate finds what is wrong, its peers say what the oracle says, and all of it runs once."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from alerting.engine import numpy_step
from alerting.engine.layout import Events, Flags, Ints
from alerting.engine.table import Table
from alerting.profile.profile import Channel
from hearthwatch.bench.commands import app
from hearthwatch.bench.engine import gate as engine_gate
from hearthwatch.bench.engine import measure as engine
from hearthwatch.bench.engine import peer_node
from hearthwatch.bench.engine.gate import Found, crash, equal
from hearthwatch.bench.engine.goals import goals
from hearthwatch.bench.engine.plain import BandedWard, PlainWard
from hearthwatch.bench.engine.runs import Case, measure_case, warmed
from hearthwatch.bench.engine.streams import MANY, Sample, columns, oracle, stream
from hearthwatch.bench.engine.traffic import BEGIN_MS, CALM, SICK, Samples, Ward
from hearthwatch.bench.engine.windows import Said, is_by_windows
from hearthwatch.bench.goals import TooShort
from vitals.signals import Signal
from vitals.sustained import BUCKET_MS, COUNT_MAX, GRAINS, Kind, SustainedRule

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

BY_WINDOWS = tuple(rule for rule in MANY if is_by_windows(rule))


def test_everything_runs_once_and_says_what_the_oracle_says() -> None:
    done = CliRunner().invoke(app, ["engine", "--quick", "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["gate"]["streams"] == 20
    assert document["gate"]["crashes"] == 4
    assert document["gate"]["events"] > 20
    assert {run["engine"] for run in document["runs"]} == {"numpy", "numba", "oracle"}
    assert {run["stream"] for run in document["runs"]} == {"calm", "sick"}
    assert all(run["readings"] and run["readings_per_s"] and run["p99_ms"] >= run["p50_ms"] for run in document["runs"])
    assert sum(run["events"] for run in document["runs"]) > 0
    assert document["limit_per_s"] > 0
    assert 14 < document["slow_percent"]["sick"] < 18
    assert document["slow_percent"]["calm"] < 3
    measured, skipped = ({peer["name"] for peer in document[key]} for key in ("peers", "peers_skipped"))
    assert measured | skipped == {
        *("plain Python loop", "plain Python loop, banded", "Node loop, banded"),
        *("numpy", "numba", "polars", "duckdb", "bytewax"),
    }
    assert all(peer["events"] == document["peers_stream"]["events"] > 0 for peer in document["peers"])
    for engine_or_peer in ("oracle", "Node loop", "random 64-byte records"):
        assert any(line.startswith(engine_or_peer) for line in done.stderr.splitlines())


def forgetful(table: Table, rows: Ints, t_ms: Ints, values: Ints) -> tuple[Events, Flags]:
    events, late = numpy_step.step(table, rows, t_ms, values)
    return events[events["kind"] != Kind.RAISE], late


def test_the_gate_notices_a_step_that_forgets_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = range(0, 12, 4)
    assert not any(equal(seed, 4).differences for seed in seeds)
    monkeypatch.setattr(engine_gate, "steps", lambda: {"forgetful": forgetful})
    assert any(equal(seed, 4).differences for seed in seeds)
    assert any(crash(seed, 4).differences for seed in range(4))


def test_the_gate_notices_a_snapshot_that_lost_what_a_window_held(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Table.load

    def load(table: Table, payload: bytes) -> None:
        whole(table, payload)
        table.tail[:] = 0

    assert not any(crash(seed, 4).differences for seed in range(8))
    monkeypatch.setattr(Table, "load", load)
    assert any(crash(seed, 4).differences for seed in range(8))


def test_a_crash_writes_some_events_again_and_none_twice() -> None:
    found = Found()
    for seed in range(8):
        found.add(crash(seed, 4))
    assert found.crashes == 8
    assert found.replayed > found.crashes
    assert found.suppressed
    assert not found.differences


def test_the_gate_finds_the_same_in_several_processes() -> None:
    said: list[str] = []
    found = engine_gate.gate(2, engine_gate.WORTH_PROCESSES, said.append)
    alone = equal(0, 2)
    for seed in range(engine_gate.WORTH_PROCESSES):
        alone.add(crash(seed, engine_gate.CRASH_STREAMS))
    assert found == alone
    assert said


def test_nothing_is_measured_where_a_step_differs_from_the_oracle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "gate", lambda *_: Found(streams=1, differences=["a difference"]))
    document = engine.measure(tmp_path, engine.QUICK, lambda _: None)
    assert not document["well"]
    assert "runs" not in document


@pytest.mark.parametrize("kind", [PlainWard, BandedWard])
@pytest.mark.parametrize("seed", range(12))
def test_the_plain_loop_says_what_the_oracle_says(seed: int, kind: type[PlainWard]) -> None:
    samples = stream(seed, length_s=3000)
    said, late = kind(MANY, 5).judge(*(column.tolist() for column in columns(samples)))
    expected = oracle(samples, MANY)[0]
    assert said == [(row, event) for _, row, event in expected if event.kind is not Kind.LATE]
    assert late == [(row, event.at_ms) for _, row, event in expected if event.kind is Kind.LATE]


def timely(seed: int) -> list[Sample]:
    """A stream that peers by windows can judge: no late samples, no more than are counted in ten seconds."""
    last: dict[int, int] = {}
    counts: dict[tuple[int, int], int] = {}
    kept = []
    for sample in stream(seed, length_s=4000):
        bucket = sample.row, sample.t_ms // BUCKET_MS
        if sample.t_ms > last.get(sample.row, 0) and counts.get(bucket, 0) < COUNT_MAX:
            last[sample.row] = sample.t_ms
            counts[bucket] = counts.get(bucket, 0) + 1
            kept.append(sample)
    return kept


def samples_of(given: Sequence[Sample]) -> Samples:
    rows, t_ms, values = columns(given)
    return Samples(rows=rows, t_ms=t_ms, values=values, good=np.ones(len(given), np.bool_))


def in_order(said: Said) -> Said:
    return sorted(said, key=lambda each: (each[0], each[1].at_ms, each[1].rule, each[1].kind))


def judged_by(peer: str, rules: Sequence[SustainedRule], samples: Samples) -> Said:
    if peer == "node":
        return peer_node.run(rules, 5, samples, 1)[1]
    pytest.importorskip(peer, reason="it is of the extra `peers`")
    found: Any = import_module(f"hearthwatch.bench.engine.peer_{peer}").Peer(rules, 5)
    found.prepare(samples)
    return list(found.judge())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("peer", ["node", "polars", "duckdb", "bytewax"])
def test_a_peer_says_what_the_oracle_says(peer: str, seed: int) -> None:
    given = timely(seed)
    expected = in_order([(row, event) for _, row, event in oracle(given, BY_WINDOWS)[0]])
    assert expected
    assert in_order(judged_by(peer, BY_WINDOWS, samples_of(given))) == expected


@pytest.mark.parametrize("peer", ["polars", "duckdb"])
def test_a_rule_whose_window_may_hold_a_breach_when_it_clears_is_not_by_windows(peer: str) -> None:
    drop = next(rule for rule in MANY if rule.rule == "DROP")
    assert not is_by_windows(drop)
    assert is_by_windows(replace(drop, clear_ms=drop.clear_ms + drop.grain.bucket_ms))
    given = timely(0)
    expected = in_order([(row, event) for _, row, event in oracle(given, (drop,))[0]])
    assert in_order(judged_by(peer, (drop,), samples_of(given))) != expected


def test_traffic_has_each_patient_once_a_second_and_is_cut_by_readings() -> None:
    patients, seconds = 300, 20
    samples = next(Ward(MANY[:2], patients, CALM, seed=3).blocks(5, seconds, of=seconds))
    second = (samples.t_ms - BEGIN_MS) // 1000
    assert len(np.unique(second * patients + samples.rows)) == len(samples.rows)
    assert set(second.tolist()) == set(range(5, 25))
    assert 0.95 < len(samples.rows) / (patients * seconds) < 0.99
    cuts = samples.cuts(patients)
    assert [int(second[first]) for first, _ in cuts] == list(range(5, 25))
    assert cuts[0][0] == 0
    assert cuts[-1][1] == len(samples.rows)
    assert all(end == begin for (_, end), (begin, _) in pairwise(cuts))


def test_channels_together_make_a_batch_and_every_engine_says_the_same_of_them() -> None:
    low, high = MANY[:2], MANY[4:]
    case = Case(
        rules={Channel(signal=Signal.SPO2): low, Channel(signal=Signal.PULSE): high},
        patients=80,
        mood=SICK,
        batches=(160, 1600),
        seconds=120,
        parted=True,
    )
    runs = measure_case(case, warmed(case), lambda _: None)
    assert [(run["engine"], run["tables"], run["batch"]) for run in runs] == [
        *((engine, tables, batch) for tables in (1, 32) for batch in (160, 1600) for engine in ("numpy", "numba")),
        ("oracle", 1, 160),
    ]
    assert len({run["events_sum"] for run in runs}) == 1
    assert runs[0]["events"] > 0
    assert runs[0]["batches"] == 120
    assert runs[0]["channels"] == ["spo2", "pulse"]


def test_a_channel_whose_last_batch_has_no_good_sample_does_not_end_the_others() -> None:
    channels = (Signal.SPO2, Signal.PULSE, Signal.RESPIRATORY_RATE)
    case = Case(
        rules={Channel(signal=signal): MANY[:2] for signal in channels},
        patients=80,
        mood=SICK,
        batches=(3,),
        seconds=70,
    )
    cuts = {len(next(ward.blocks(0, 70, of=70)).cuts(1)) for ward in case.wards()}
    assert len(cuts) > 1
    runs = measure_case(case, warmed(case), lambda _: None)
    assert len({(run["readings"], run["events_sum"]) for run in runs}) == 1


def test_buckets_of_every_grain_begin_anew_in_the_shortest_measured_time() -> None:
    begin_ms, seconds = BEGIN_MS + engine.BEGIN_S * 1000, engine.QUICK.seconds
    for grain in GRAINS:
        assert (begin_ms + seconds * 1000) // grain.bucket_ms > begin_ms // grain.bucket_ms


def document(*, bytes_of_family: float = 128.0, **differing: object) -> dict[str, Any]:
    run = {
        "engine": "numpy",
        "patients": 100_000,
        "tables": 1,
        "batch": 10_000,
        "stream": "calm",
        "channels": ["spo2"],
        "events_sum": "a",
        "readings_per_s": 20_000_000,
        "p99_ms": 1.0,
    }
    peers = [
        {"name": "plain Python loop", "readings_per_s": 1_000_000, "equal": True},
        {"name": "numpy", "readings_per_s": 6_000_000, "equal": True},
    ]
    return {
        "runs": [run, run | differing, run | {"engine": "oracle"}],
        "family_bytes": {"spo2_low, good": bytes_of_family, "spo2_high, good": 90.0},
        "snapshots": [{"equal": True}],
        "limit_per_s": 1e8,
        "peers": peers,
        "peers_stream": {"readings": 1_000_000},
    }


def test_goals_are_met_missed_or_not_judged_by_what_was_measured() -> None:
    judged = {goal.goal: goal for goal in goals(document())}
    not_judged = {name for name, goal in judged.items() if isinstance(goal, TooShort)}
    assert not_judged == {
        "numpy, 1,000,000 patients: readings a second of a core",
        "numba, 1,000,000 patients: readings a second of a core",
        "numba, 1,000,000 patients: ms of processor for a second of all of them, p99",
        "numba, times the plain loop on the sick stream",
    }
    assert all(goal.met for goal in judged.values() if not isinstance(goal, TooShort))


@pytest.mark.parametrize(
    ("differing", "missed"),
    [
        ({"bytes_of_family": 128.1}, "bytes a patient and rule family"),
        ({"events_sum": "b"}, "wards on which runs' events differ"),
        (
            {
                "engine": "numba",
                "patients": 1_000_000,
                "batch": 1_000_000,
                "tables": 32,
                "readings_per_s": 60_000_000,
                "p99_ms": 25.1,
            },
            "numba, 1,000,000 patients: ms of processor for a second of all of them, p99",
        ),
        (
            {"engine": "numba", "patients": 1_000_000, "readings_per_s": 49_999_999},
            "numba, 1,000,000 patients: readings a second of a core",
        ),
    ],
)
def test_a_goal_is_missed_for_one_reason(differing: dict[str, Any], missed: str) -> None:
    found = goals(document(**differing))
    assert [goal.goal for goal in found if not isinstance(goal, TooShort) and not goal.met] == [missed]

"""Measures roll-ups on a real database: what a county's minute costs, and how fast days away are caught up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from care.sql import load_queries
from hearthwatch.bench.goals import exactly, verdict
from hearthwatch.bench.ingest.measure import SERVER_SETTINGS
from hearthwatch.bench.process_figures import family_cpu_s
from hearthwatch.migrations import migrate
from hearthwatch.services.databases import best_database
from hearthwatch.services.supervisor import Supervisor
from ingest.feed import ABSENT, FEED_DTYPE, SAMPLE_DTYPE, Rows, payloads
from ingest.judging.refusals import instant
from ingest.store.staging import samples_stream
from ingest.tend import rollups
from ingest.tend.tending import Connection, connect
from ingest.turn import Turn
from vitals.reading import NO_VALUE

BATCHES_PER_MINUTE = 60
SAMPLES_PER_MINUTE = 12
USUAL = (9200, 7000, 400, 3660)
"""SpO2, pulse, perfusion index, temperature: the first four signal codes."""

Say = Callable[[str], None]
_INGEST = load_queries("ingest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A county at one sample of four signals every 5 s, stored second by second."""

    patients: int = 10_000
    live_minutes: int = 5
    away_minutes: int = 20


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Roll up minute by minute as they come, then a stretch at once; hold the counts against the samples."""
    with Supervisor(folder / "log") as supervisor, best_database(settings=SERVER_SETTINGS) as database:
        supervisor.start(database.process())
        with psycopg.connect(database.dsn(), autocommit=True) as maker:
            maker.execute("CREATE DATABASE rollups")
        dsn = database.dsn("rollups")
        migrate(dsn)
        with psycopg.connect(dsn) as writer, connect(dsn) as roller:
            rollups.prepare(roller)
            county = _County(writer, plan.patients)
            say(f"{plan.live_minutes} minutes of {plan.patients} patients, rolled up each minute")
            live = []
            for _ in range(plan.live_minutes):
                county.minute()
                live.append(_timed(roller, rollups.roll_minutes))
            hours = _timed(roller, rollups.roll_hours)
            say(f"{plan.away_minutes} minutes rolled up at once")
            for _ in range(plan.away_minutes):
                county.minute()
            away = [_timed(roller, rollups.roll_minutes)]
            while away[-1]["more"]:
                away.append(_timed(roller, rollups.roll_minutes))
            held = _held_against_samples(roller)
            return {
                "live_cpu_s_per_minute": _median(live, "cpu_s"),
                "live_share_of_a_core": round(_median(live, "cpu_s") / 60, 4),
                "hours_cpu_s": hours["cpu_s"],
                "catch_up_readings_per_s": round(sum(t["done"] for t in away) / sum(t["wall_s"] for t in away)),
                "catch_up_times_real_time": round(plan.away_minutes * 60 / sum(t["wall_s"] for t in away), 1),
                "catch_up_longest_turn_s": max(t["wall_s"] for t in away),
                **held,
                **verdict([exactly("roll-ups that differ from the samples", 0, int(not held["equal"]))]),
            }


class _County:
    """Stores one minute after the other: samples, and the log as ingest appends it."""

    def __init__(self, connection: Connection, patients: int) -> None:
        self._connection = connection
        self._patients = np.arange(1, patients + 1)
        self._begin_ms = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
        self._random = np.random.default_rng(7)

    def minute(self) -> None:
        """Store a minute: in each second a fifth of the patients."""
        for second in range(BATCHES_PER_MINUTE):
            self._store(self._patients[self._patients % 5 == second % 5], self._begin_ms + second * 1000)
        self._begin_ms += 60_000

    def _store(self, patients: NDArray[np.int64], at_ms: int) -> None:
        samples = np.zeros(len(patients), SAMPLE_DTYPE)
        samples["patient"] = samples["device"] = patients
        samples["measured_ms"] = at_ms + patients * 7 % 1000
        samples["value"], samples["word"] = NO_VALUE, ABSENT
        for column, usual in enumerate(USUAL):
            samples["value"][:, column] = usual + self._random.integers(-400, 400, len(patients))
            samples["word"][:, column] = 0
        stream = samples_stream(samples, np.full(len(samples), at_ms + 1000))
        copy_samples = _INGEST["copy_samples"].replace(b"{columns}", ", ".join(stream.columns).encode())
        with self._connection.transaction():
            self._connection.execute(_INGEST["make_room"], {"days": [datetime.fromtimestamp(at_ms / 1000, UTC).date()]})
            with self._connection.cursor() as cursor, cursor.copy(copy_samples) as copy:
                copy.write(stream.data)
            parts = payloads(_feed(samples))
            values = {
                "partitions": [partition for partition, _ in parts],
                "payloads": [payload for _, payload in parts],
                "received_at": instant(at_ms + 1000),
            }
            self._connection.execute(_INGEST["append_to_log"], values)


def _feed(samples: Rows) -> Rows:
    rows = np.zeros((len(USUAL), len(samples)), FEED_DTYPE)
    for column in range(len(USUAL)):
        for name in ("measured_ms", "patient", "device"):
            rows[column][name] = samples[name]
        rows[column]["value"] = samples["value"][:, column]
        rows[column]["signal"] = column + 1
    return rows.reshape(-1)


def _timed(connection: Connection, work: Callable[[Connection, datetime], Turn]) -> dict[str, Any]:
    """Time a turn: the wall's clock, and the processor's of this process and of the database's session."""
    backend = connection.info.backend_pid
    wall, own, servers = time.perf_counter(), time.process_time(), family_cpu_s(backend)
    turn = work(connection, datetime.now(UTC))
    cpu_s = time.process_time() - own + family_cpu_s(backend) - servers
    return {
        "done": turn.done,
        "more": turn.more,
        "wall_s": round(time.perf_counter() - wall, 3),
        "cpu_s": round(cpu_s, 3),
    }


def _held_against_samples(connection: Connection) -> dict[str, Any]:
    row = connection.execute(
        "SELECT (SELECT count(*) FROM sample), (SELECT sum(spo2) FROM sample),"
        " (SELECT sum(spo2_good) FROM minute_rollup), (SELECT sum(spo2_sum) FROM minute_rollup),"
        " (SELECT count(*) FROM minute_rollup),"
        " (SELECT sum(pg_total_relation_size(piece)) FROM pieces_of('minute_rollup'))"
    ).fetchone()
    assert row is not None
    samples, spo2, counted, summed, minutes, size = (int(number) for number in row)
    return {
        "samples": samples,
        "rolled_up": counted,
        "equal": (samples, spo2) == (counted, summed),
        "bytes_per_minute_row": round(size / minutes, 1),
    }


def _median(turns: list[dict[str, Any]], name: str) -> float:
    return float(np.median([turn[name] for turn in turns]))

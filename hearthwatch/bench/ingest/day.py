"""A county's day at full speed: does the rate hold to its end, what is on the disk, do the roll-ups agree with raw."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from hearthwatch.bench.goals import Goal, TooShort, at_least, exactly, verdict
from hearthwatch.bench.ground import Centre
from hearthwatch.bench.ingest.county_traffic import County, Form
from hearthwatch.bench.ingest.measure import centre
from hearthwatch.bench.ingest.publisher import Plan as PublisherPlan
from hearthwatch.bench.process_figures import figures, load_average, machine
from hearthwatch.services.process import tied_to_parent
from ingest.tend import rollups
from ingest.tend.tending import connect

DEVICES = 8
EVERY_S = 5
SAMPLES_PER_MESSAGE = 12
SLOWED_TO_MIN = 0.8
"""The rate of the last sixth beside that of the first."""
SIXTHS = 6
SIXTH_S_MIN = 20.0
"""Ingest says *stored* in bursts: where both sixths are shorter, their rates say nothing."""
_STEADY = "rate of the last sixth beside the first"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """So many patients, so much of a day."""

    patients: int = 10_000
    hours: float = 24.0

    @property
    def county(self) -> County:
        """Give the gateways and devices of these patients."""
        return County(
            gateways=-(-self.patients // DEVICES),
            devices=DEVICES,
            signals=2,
            every_ms=EVERY_S * 1000,
            samples=SAMPLES_PER_MESSAGE,
        )


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Play the day, roll it up, and count the roll-ups again from raw; give the JSON document."""
    about, county = machine(), plan.county
    messages = county.gateways * round(plan.hours * 3600 / (EVERY_S * SAMPLES_PER_MESSAGE))
    begins_at = (datetime.now(UTC) - timedelta(hours=plan.hours + 1)).replace(minute=0, second=0, microsecond=0)
    publishing = PublisherPlan(
        form=Form.PACKED,
        county=county,
        readings=messages * county.rows,
        rows_per_s=0,
        open_max=400_000,
        run="day",
        t0_ms=int(begins_at.timestamp() * 1000),
        seed=1,
    )
    with centre(folder, county) as running:
        say(f"{publishing.readings:,} readings of {county.gateways * DEVICES} patients")
        found = _publish(running, publishing, say)
        say("rolling the day up")
        rolled = _roll_up(running.dsn)
        say("counting the roll-ups again from raw")
        held = _held(running.dsn)
        rss_mb = round(figures(running.supervisor.pid("ingest")).rss_bytes_max / 1e6, 1)
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "patients": county.gateways * DEVICES,
        "hours": plan.hours,
        **found,
        **rolled,
        **held,
        "ingest_rss_mb_max": rss_mb,
        **verdict(
            [
                exactly("readings stored, of those sent", found["sent"], held["readings"]),
                steadiness(found["seconds_by_sixth"]),
                exactly("minutes that differ from raw", 0, held["minutes_that_differ"]),
                exactly("hours that differ from raw", 0, held["hours_that_differ"]),
            ]
        ),
    }


def steadiness(sixths_s: Sequence[float]) -> Goal | TooShort:
    """Judge the rate of the last sixth beside the first: by their lengths, as each has as many readings."""
    if len(sixths_s) < SIXTHS:
        return at_least(_STEADY, SLOWED_TO_MIN, None)
    first_s, last_s = sixths_s[0], sixths_s[-1]
    if max(first_s, last_s) < SIXTH_S_MIN:
        return TooShort(goal=_STEADY, why=f"they took {first_s:.1f} s and {last_s:.1f} s, less than {SIXTH_S_MIN:g} s")
    return at_least(_STEADY, SLOWED_TO_MIN, round(first_s / max(0.001, last_s), 2))


def _publish(running: Centre, publishing: PublisherPlan, say: Say) -> dict[str, Any]:
    command = (
        *(sys.executable, "-m", "hearthwatch.bench.ingest.publisher"),
        *(str(running.broker_port), json.dumps(asdict(publishing))),
    )
    with subprocess.Popen(tied_to_parent(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as publisher:
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        publisher.stdout.readline()
        publisher.stdin.write(b"\n")
        publisher.stdin.flush()
        while line := publisher.stdout.readline():
            word: dict[str, Any] = json.loads(line)
            if "sixth" not in word:
                return word
            say(f"{word['sixth']} of 6 stored, in {word['seconds']} s")
    raise RuntimeError("the publisher ended without a word")


def _roll_up(dsn: str) -> dict[str, Any]:
    began = time.monotonic()
    with connect(dsn) as roller:
        rollups.prepare(roller)
        readings = 0
        while True:
            turn = rollups.roll_minutes(roller, datetime.now(UTC))
            readings += turn.done
            if not turn.more:
                break
        while rollups.roll_hours(roller, datetime.now(UTC)).more:
            pass
    took_s = time.monotonic() - began
    return {"rolled_up": readings, "roll_up_s": round(took_s, 1), "roll_up_readings_per_s": round(readings / took_s)}


def _held(dsn: str) -> dict[str, Any]:
    """Count by SQL of its own, over the whole of `sample`, and compare row by row."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        samples, readings = _row(connection, "SELECT count(*), count(spo2) + count(pulse) FROM sample")
        sizes = _row(
            connection,
            "SELECT pg_database_size(current_database()), (SELECT sum(pg_total_relation_size(piece)) FROM"
            " pieces_of('sample')), pg_total_relation_size('intake_log'),"
            " (SELECT sum(pg_total_relation_size(piece)) FROM pieces_of('minute_rollup'))",
        )
        differ = {unit: _row(connection, _DIFFERENCE.format(unit=unit))[0] for unit in ("minute", "hour")}
    database, sample, log, minutes = sizes
    return {
        "samples": samples,
        "readings": readings,
        "database_gb": round(database / 1e9, 2),
        "bytes_per_sample": round(sample / samples, 1),
        "intake_log_bytes_per_reading": round(log / readings, 1),
        "minute_rollup_gb": round(minutes / 1e9, 2),
        "minutes_that_differ": differ["minute"],
        "hours_that_differ": differ["hour"],
    }


def _row(connection: psycopg.Connection[Any], query: str) -> tuple[int, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(int(number) for number in row)


_DIFFERENCE = """
WITH raw AS (
    SELECT patient_id, date_trunc('{unit}', measured_at) AS begins_at, count(spo2) AS spo2_good, sum(spo2) AS spo2_sum,
           min(spo2) AS spo2_min, max(spo2) AS spo2_max, count(pulse) AS pulse_good, sum(pulse) AS pulse_sum,
           min(pulse) AS pulse_min, max(pulse) AS pulse_max
      FROM sample GROUP BY 1, 2
)
SELECT count(*)
  FROM raw FULL JOIN {unit}_rollup r USING (patient_id, begins_at)
 WHERE (raw.spo2_good, raw.spo2_sum, raw.spo2_min, raw.spo2_max,
        raw.pulse_good, raw.pulse_sum, raw.pulse_min, raw.pulse_max)
       IS DISTINCT FROM (r.spo2_good, r.spo2_sum, r.spo2_min, r.spo2_max,
                         r.pulse_good, r.pulse_sum, r.pulse_min, r.pulse_max)
"""

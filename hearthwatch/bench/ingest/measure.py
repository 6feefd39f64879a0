"""Measures ingest on two real servers: readings a second, processor time by part, age, bytes on the disk."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg

from hearthwatch.bench import registry
from hearthwatch.bench.goals import at_least, at_most, exactly, verdict
from hearthwatch.bench.ground import Centre, empty_centre, register
from hearthwatch.bench.ingest.county_traffic import County, Form, device_name, gateway_name
from hearthwatch.bench.ingest.disk import Days, disk_of, log_bytes_per_reading
from hearthwatch.bench.ingest.publisher import Plan as PublisherPlan
from hearthwatch.bench.process_figures import family_cpu_s, figures, load_average, machine
from hearthwatch.services.ports import LOOPBACK, free_port
from hearthwatch.services.process import tied_to_parent

SERVER_SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "8GB",
    "wal_compression": "lz4",
    "synchronous_commit": "on",
}
READINGS_PER_S_MIN = 250_000
CPU_US_MAX = 2.0
RATIO_MIN = 15.0
AGE_P99_MS_MAX = 1000.0
BYTES_PER_SAMPLE_MAX = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many readings in each form."""

    packed: int = 8_000_000
    json: int = 2_000_000
    json_single: int = 200_000
    packed_four_signals: int = 4_000_000
    paced_seconds: float = 20.0
    county: County = field(default_factory=County)


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure every form, the age at half the packed rate, then four signals and the disk; give the JSON document."""
    about = machine()
    say(f"a centre with {plan.county.gateways} gateways of {plan.county.devices} devices")
    t0 = datetime.now(UTC) - timedelta(days=3)
    forms = []
    with centre(folder, plan.county) as running:
        for number, (form, readings) in enumerate(
            ((Form.PACKED, plan.packed), (Form.JSON, plan.json), (Form.JSON_SINGLE, plan.json_single))
        ):
            say(f"{readings} readings as {form}")
            start = t0 + timedelta(hours=12 * number)
            forms.append(one_form(running, plan, form, readings, rows_per_s=0, t0=start))
        half = forms[0]["readings_per_s"] / 2
        say(f"packed at half the rate, {half:.0f} a second")
        paced = one_form(
            running, plan, Form.PACKED, int(half * plan.paced_seconds), rows_per_s=half, t0=t0 + timedelta(hours=48)
        )
        log_bytes = log_bytes_per_reading(running.dsn)
        say("the same packed with four signals a sample")
        four_t0 = t0 - timedelta(days=7)
        four_plan = replace(plan, county=replace(plan.county, signals=4, samples=5))
        packed_four = one_form(running, four_plan, Form.PACKED, plan.packed_four_signals, rows_per_s=0, t0=four_t0)
        say("the indexes of all days packed, as of days that are closed")
        between = t0 - timedelta(days=2)
        (two, four), packing = disk_of(
            running.dsn,
            [
                Days(begin=between, end=datetime.now(UTC) + timedelta(days=2), signals=2),
                Days(begin=four_t0 - timedelta(days=2), end=between, signals=4),
            ],
        )
        ingest_rss = figures(running.supervisor.pid("ingest")).rss_bytes_max
    packed, _, single = forms
    ratio = round(single["cpu_us_per_reading"] / packed["cpu_us_per_reading"], 1)
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "forms": [{**packed, "age_p50_ms": paced["age_p50_ms"], "age_p99_ms": paced["age_p99_ms"]}, *forms[1:]],
        "paced": paced,
        "packed_four_signals": packed_four,
        "samples": two.samples,
        "bytes_per_sample_as_written": two.bytes_per_sample_as_written,
        "bytes_per_sample": two.bytes_per_sample,
        "intake_log_bytes_per_reading": log_bytes,
        "packing": asdict(packing),
        "disk": {"two_signals": asdict(two), "four_signals": asdict(four)},
        "ingest_rss_bytes_max": ingest_rss,
        "ratio_json_single_to_packed": ratio,
        **_judged([*forms, paced, packed_four], ratio=ratio, bytes_per_sample=two.bytes_per_sample),
    }


def _judged(runs: Sequence[dict[str, Any]], *, ratio: float, bytes_per_sample: float) -> dict[str, object]:
    packed, *_, paced, _ = runs
    stored = [
        exactly(f"readings stored, of those sent {name}", run["sent"], run["in_database"])
        for name, run in zip(_RUNS, runs, strict=True)
    ]
    return verdict(
        [
            at_least("packed readings a second", READINGS_PER_S_MIN, packed["readings_per_s"]),
            at_most("processor time of a packed reading, µs", CPU_US_MAX, packed["cpu_us_per_reading"]),
            at_least("times dearer with one JSON reading a message", RATIO_MIN, ratio),
            at_most("age at half the rate, p99, ms", AGE_P99_MS_MAX, paced["age_p99_ms"]),
            at_most(
                "bytes a sample of two signals with its index, packed (closed day)",
                BYTES_PER_SAMPLE_MAX,
                bytes_per_sample,
            ),
            *stored,
        ]
    )


def one_form(
    running: Centre, plan: Plan, form: Form, readings: int, *, rows_per_s: float, t0: datetime
) -> dict[str, Any]:
    """Send so many readings in one form and hold what the database has against it."""
    before_rows = stored_readings(running.dsn)
    publishing = PublisherPlan(
        form=form,
        county=plan.county,
        readings=readings,
        rows_per_s=rows_per_s,
        open_max=int(rows_per_s) or 400_000,
        run=f"{form}-{t0.isoformat()}",
        t0_ms=int(t0.timestamp() * 1000),
        seed=7,
    )
    command = (
        sys.executable,
        "-m",
        "hearthwatch.bench.ingest.publisher",
        str(running.broker_port),
        json.dumps(asdict(publishing)),
    )
    with subprocess.Popen(tied_to_parent(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as publisher:
        assert publisher.stdin is not None
        assert publisher.stdout is not None
        publisher.stdout.readline()
        before = cpu_s(running)
        publisher.stdin.write(b"\n")
        publisher.stdin.flush()
        found: dict[str, Any] = json.loads(publisher.stdout.readline())
    cpu_us = {part: (after - before[part]) * 1e6 / found["sent"] for part, after in cpu_s(running).items()}
    return {
        "form": str(form),
        **found,
        "in_database": stored_readings(running.dsn) - before_rows,
        "cpu_us_per_reading": round(sum(cpu_us.values()), 3),
        "cpu_us": {part: round(value, 3) for part, value in cpu_us.items()},
    }


def stored_readings(dsn: str) -> int:
    """Count the readings in `sample`."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(spo2) + count(pulse) + count(perfusion_index) + count(temperature) FROM sample"
        ).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def centre(folder: Path, county: County) -> Iterator[Centre]:
    """Run broker, database and ingest, with the county's registry."""
    with empty_centre(folder, settings=SERVER_SETTINGS) as running:
        register(running, registry_text(county))
        metrics_port = free_port()
        ingest = running.python("ingest", "ingest", "run")
        env = {**(ingest.env or {}), "HEARTHWATCH_INGEST_METRICS_PORT": str(metrics_port)}
        running.supervisor.start(replace(ingest, env=env, ready=lambda: _is_ready(metrics_port)))
        yield running


def cpu_s(running: Centre) -> dict[str, float]:
    """Give the processor time of each part so far."""
    names = {"ingest": "ingest", "broker": "mosquitto", "database": running.database}
    return {part: family_cpu_s(running.supervisor.pid(name)) for part, name in names.items()}


def _is_ready(metrics_port: int) -> bool:
    try:
        with urlopen(f"http://{LOOPBACK}:{metrics_port}/metrics", timeout=2) as answer:
            return b"hearthwatch_ingest_ready 1.0" in answer.read()
    except OSError:
        return False


def registry_text(county: County) -> str:
    """Write the registry file of the county."""
    parts = [registry.CENTRE]
    for gateway in range(county.gateways):
        parts.append(registry.gateway(gateway_name(gateway)))
        parts += (
            registry.wearer(f"p{gateway}x{device}", device_name(gateway, device)) for device in range(county.devices)
        )
    return "\n".join(parts)


_RUNS = (
    "packed at full speed",
    "as JSON columns",
    "as JSON, one a message",
    "packed at half the rate",
    "packed with four signals",
)

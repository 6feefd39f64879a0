"""A flood of malformed messages beside good ones: each counted under its reason, the good unharmed, memory flat."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.bench.goals import Goal, TooShort, at_most, exactly, verdict
from hearthwatch.bench.ground import Centre
from hearthwatch.bench.ingest.county_traffic import County, Form, messages
from hearthwatch.bench.ingest.malformed import Damage, damaged
from hearthwatch.bench.ingest.measure import centre
from hearthwatch.bench.ingest.oracle import compare
from hearthwatch.bench.ingest.publisher import Plan as PublisherPlan
from hearthwatch.bench.process_figures import figures, load_average, machine
from hearthwatch.services.ports import LOOPBACK
from hearthwatch.services.process import tied_to_parent
from vitals.topics import Leaf, topic

OPEN_MAX = 2000
GROWTH_MB_MAX = 40.0
SAMPLE_EVERY_S = 0.5
SAMPLES_MIN = 8
QUIET_S_MAX = 60.0
SOURCE = "gw-00000"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many malformed messages, beside how many good readings a second."""

    malformed: int = 100_000
    good_per_s: float = 2_000
    good_seconds: float = 60
    seed: int = 1
    county: County = field(default_factory=lambda: County(gateways=50, devices=2))


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Send both, and count; give the JSON document."""
    about, start = machine(), datetime.now(UTC) - timedelta(days=3)
    publishing = PublisherPlan(
        form=Form.PACKED,
        county=plan.county,
        readings=int(plan.good_per_s * plan.good_seconds),
        rows_per_s=plan.good_per_s,
        open_max=200_000,
        run=f"fuzz {plan.seed}",
        t0_ms=int(start.timestamp() * 1000),
        seed=plan.seed,
    )
    with centre(folder, plan.county) as running:
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
            with _memory_mb(running.supervisor.pid("ingest")) as rss_mb:  # no longer: calm would make a flood look flat
                damages = _flood(running, plan, say)
                counted = _counted(running.dsn, plan.malformed)
            found: dict[str, Any] = json.loads(publisher.stdout.readline())
        compared = compare(running.dsn, publishing)
        restarts = running.supervisor.restarts("ingest")
    astray = _astray(damages, counted)
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "malformed": len(damages),
        "by_reason": counted,
        "astray": astray,
        "kinds": len({damage.name for damage in damages}),
        "good": {**found, **compared},
        "rss_mb": rss_mb,
        "ingest_restarts": restarts,
        **verdict(
            [
                exactly("malformed messages counted", len(damages), sum(counted.values())),
                exactly("reasons counted oftener or more seldom than the damage explains", 0, len(astray)),
                exactly("good readings stored, of those sent", found["sent"], compared["in_database"]),
                exactly("good readings missing or wrong", 0, compared["missing"] + compared["wrong"]),
                flatness(rss_mb),
                exactly("restarts of ingest", 0, restarts),
            ]
        ),
    }


def flatness(rss_mb: Sequence[float]) -> Goal | TooShort:
    """Judge how memory grew after the first quarter of the flood."""
    goal = "growth of ingest's memory, MB"
    if len(rss_mb) < SAMPLES_MIN:
        return TooShort(goal=goal, why=f"{len(rss_mb)} samples, one every {SAMPLE_EVERY_S:g} s, of {SAMPLES_MIN}")
    return at_most(goal, GROWTH_MB_MAX, round(rss_mb[-1] - rss_mb[len(rss_mb) // 4], 1))


@contextmanager
def _memory_mb(pid: int) -> Iterator[list[float]]:
    """Sample a process's memory by time, as long as the block lasts and the process lives."""
    samples: list[float] = []
    over = threading.Event()

    def watch() -> None:
        with suppress(OSError, KeyError):  # gone, or a zombie: the goal about restarts says so
            while not over.wait(SAMPLE_EVERY_S):
                samples.append(round(figures(pid).rss_bytes / 2**20, 1))

    watcher = threading.Thread(target=watch, name="memory")
    watcher.start()
    try:
        yield samples
    finally:
        over.set()
        watcher.join()


def _flood(running: Centre, plan: Plan, say: Say) -> list[Damage]:
    """Publish the malformed ones as fast as the broker takes them."""
    rng = np.random.default_rng(plan.seed)
    pairs = list(
        islice(
            zip(
                messages(plan.county, Form.PACKED, run="malformed", t0_ms=0, seed=plan.seed),
                messages(plan.county, Form.JSON, run="malformed", t0_ms=0, seed=plan.seed),
                strict=True,
            ),
            200,
        )
    )
    client = Client(CallbackAPIVersion.VERSION2, client_id="malformed", protocol=MQTTProtocolVersion.MQTTv5)
    client.max_queued_messages_set(0)
    client.connect(LOOPBACK, running.broker_port)
    client.loop_start()
    damages: list[Damage] = []
    sent = []
    for packed, twin in cycle(pairs):
        damage = damaged(packed.payload, twin.payload, rng)
        damages.append(damage)
        sent.append(client.publish(topic(SOURCE, _LEAF[damage.is_json]), damage.payload, qos=1))
        if len(sent) >= OPEN_MAX:
            for info in sent:
                info.wait_for_publish(QUIET_S_MAX)
            sent.clear()
            say(f"{len(damages)} of {plan.malformed} malformed messages")
        if len(damages) == plan.malformed:
            break
    for info in sent:
        info.wait_for_publish(QUIET_S_MAX)
    client.disconnect()
    client.loop_stop()
    return damages


def _counted(dsn: str, expected: int) -> dict[str, int]:
    """Wait until as many are put aside as were sent, or nothing comes any more; count by reason."""
    changed_at, before = time.monotonic(), -1
    counted: dict[str, int] = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        while sum(counted.values()) < expected and time.monotonic() - changed_at < QUIET_S_MAX:
            rows = connection.execute("SELECT reason, sum(times)::int FROM rejected GROUP BY reason ORDER BY reason")
            counted = dict(rows.fetchall())
            if sum(counted.values()) != before:
                before, changed_at = sum(counted.values()), time.monotonic()
            time.sleep(0.2)
    return counted


def _astray(damages: list[Damage], counted: dict[str, int]) -> dict[str, int]:
    """Name the reasons that were counted oftener or more seldom than the damages done can explain."""
    surely: Counter[str] = Counter()
    perhaps: Counter[str] = Counter()
    for damage in damages:
        perhaps.update(damage.reasons)
        if len(damage.reasons) == 1:
            surely.update(damage.reasons)
    names = {*counted, *perhaps}
    return {name: counted.get(name, 0) for name in names if not surely[name] <= counted.get(name, 0) <= perhaps[name]}


_LEAF = {False: Leaf.READINGS, True: Leaf.READINGS_JSON}

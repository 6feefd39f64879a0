"""Kills broker, database and ingest at random instants under traffic that repeats and disorders itself, and counts."""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hearthwatch.bench.goals import exactly, verdict
from hearthwatch.bench.ground import Centre
from hearthwatch.bench.ingest.county_traffic import County, Form
from hearthwatch.bench.ingest.measure import centre
from hearthwatch.bench.ingest.oracle import compare
from hearthwatch.bench.ingest.publisher import Plan as PublisherPlan
from hearthwatch.bench.process_figures import load_average, machine
from hearthwatch.services.process import tied_to_parent

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """So many kills, and as much traffic beside them as the rate gives."""

    rounds: int = 50
    pause_s: tuple[float, float] = (0.5, 4.0)
    rows_per_s: float = 10_000
    seed: int = 1
    county: County = field(default_factory=lambda: County(gateways=200, devices=2, signals=2))


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Do it, and hold the database against what was sent; give the JSON document."""
    about, seconds = machine(), plan.rounds * sum(plan.pause_s) / 2
    publishing = PublisherPlan(
        form=Form.PACKED,
        county=plan.county,
        readings=int(plan.rows_per_s * seconds),
        rows_per_s=plan.rows_per_s,
        open_max=200_000,
        run=f"chaos {plan.seed}",
        t0_ms=int((datetime.now(UTC) - timedelta(days=3)).timestamp() * 1000),
        seed=plan.seed,
        repeated_share=0.2,
        shuffled=50,
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
            kills = _kill(running, plan, say)
            found: dict[str, Any] = json.loads(publisher.stdout.readline())
        compared = compare(running.dsn, publishing)
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "kills": kills,
        "seed": plan.seed,
        **found,
        **compared,
        **verdict(
            [
                exactly("kills", plan.rounds, sum(kills.values())),
                exactly("of ingest, broker and database, killed at least once", min(3, plan.rounds), len(kills)),
                exactly("readings stored, of those sent", found["sent"], compared["in_database"]),
                exactly("readings said to be stored", found["sent"], found["stored"]),
                *(exactly(f"readings {name}", 0, compared[name]) for name in ("missing", "wrong", "unexpected")),
                exactly("readings doubled in the engine's feed", 0, compared["doubled_in_feed"]),
            ]
        ),
    }


def _kill(running: Centre, plan: Plan, say: Say) -> dict[str, int]:
    rng = random.Random(plan.seed)
    parts = ("ingest", "mosquitto", running.database)
    first = rng.sample(parts, len(parts))  # none is left out, however short the run
    kills: Counter[str] = Counter()
    for number in range(1, plan.rounds + 1):
        time.sleep(rng.uniform(*plan.pause_s))
        name = first[number - 1] if number <= len(first) else rng.choice(parts)
        restarts = running.supervisor.restarts(name)
        running.supervisor.kill(name)
        kills[name] += 1
        say(f"{number} of {plan.rounds}: {name} killed")
        running.supervisor.wait_for_restart(name, beyond=restarts)
    return dict(kills)

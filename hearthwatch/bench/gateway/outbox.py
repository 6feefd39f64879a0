"""Measures outbox and courier without a radio: time to the disk, card wear, saturation, how a backlog drains."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hearthwatch.bench.gateway.outbox_worker import DEVICES, FLUSH_S
from hearthwatch.bench.goals import Goal, at_least, at_most, verdict
from hearthwatch.bench.ground import centre
from hearthwatch.bench.process_figures import load_average, machine
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.process import tied_to_parent

DURABLE_P95_MS_MAX = 20.0
SUSTAINED_PER_S = 1_000
DRAIN_PER_S_MIN = 5_000
LIVE_DELAY_MS_MAX = 1_000.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rates in readings a second; how long each; how much backlog."""

    rates: tuple[int, ...] = (1, 8, 10, 100, 1000)
    seconds: float = 30.0
    backlog: int = 500_000
    live_per_s: int = 16


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure everything, one after the other; give the JSON document."""
    about, paced = machine(), {}
    for rate in plan.rates:
        say(f"{rate} readings a second for {plan.seconds:.0f} s")
        paced[str(rate)] = job("paced", folder / f"paced-{rate}.sqlite", rate, plan.seconds)
    say("as many as go")
    pressed = job("pressed", folder / "pressed.sqlite", plan.seconds / 2)
    say(f"a backlog of {plan.backlog} readings, and a peer that only acknowledges")
    with acknowledging_peer() as port:
        ceiling = drained(folder / "ceiling.sqlite", port, plan)
    say(f"a backlog of {plan.backlog} readings, ingest and TimescaleDB")
    with centre(folder, devices=DEVICES) as running:
        whole = drained(folder / "whole.sqlite", running.broker_port, plan)
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "paced": paced,
        "pressed": pressed,
        "drain_to_a_peer": ceiling,
        "drain_to_ingest": whole,
        "flush_ms": FLUSH_S * 1000,
        **verdict([*outbox_goals(paced, pressed), *drain_goals(whole)]),
    }


def outbox_goals(paced: dict[str, dict[str, Any]], pressed: dict[str, Any]) -> list[Goal]:
    """Judge what the outbox takes."""
    return [
        *(
            at_most(f"accepted to durable at {rate} readings a second, p95, ms", DURABLE_P95_MS_MAX, p95)
            for rate, p95 in ((rate, at["durable_ms"].get("p95")) for rate, at in paced.items())
        ),
        at_least("as many as go, readings a second", SUSTAINED_PER_S, pressed["readings_per_s"]),
    ]


def drain_goals(whole: dict[str, Any]) -> list[Goal]:
    """Judge a drain to ingest and its database, and what live readings suffer meanwhile."""
    return [
        at_least("backlog drained, readings a second", DRAIN_PER_S_MIN, whole["readings_per_s"]),
        at_most("live meanwhile, accepted to sent, worst, ms", LIVE_DELAY_MS_MAX, whole["live_sent_ms"].get("max")),
        at_most("live meanwhile, accepted to stored, worst, ms", LIVE_DELAY_MS_MAX, whole["live_stored_ms"].get("max")),
    ]


def drained(outbox: Path, broker_port: int, plan: Plan) -> dict[str, Any]:
    """Fill an outbox and drain it while live readings come in."""
    job("fill", outbox, plan.backlog)
    return job("drain", outbox, broker_port, plan.live_per_s)


def job(name: str, outbox: Path, *arguments: object) -> dict[str, Any]:
    """Run one of outbox_worker's jobs in a process of its own, and give its document."""
    command = (sys.executable, "-m", "hearthwatch.bench.gateway.outbox_worker", name, str(outbox), *map(str, arguments))
    done = subprocess.run(tied_to_parent(command), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def acknowledging_peer() -> Iterator[int]:
    """A broker with a peer that acknowledges everything; gives the broker's port."""
    with Mosquitto() as broker:
        command = (sys.executable, "-m", "hearthwatch.bench.gateway.ack_peer", str(broker.port))
        with subprocess.Popen(tied_to_parent(command), stdout=subprocess.PIPE) as peer:
            assert peer.stdout is not None
            peer.stdout.readline()
            try:
                yield broker.port
            finally:
                peer.kill()

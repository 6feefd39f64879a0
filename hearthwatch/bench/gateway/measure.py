"""Measures the gateway as it runs in a home: what it costs, how soon a reading is safe, where it saturates.

The gateway is the product's own command in an installation of the gateway's extra alone; behind it the backlog of an
outage is drained, with the same broker, ingest and database.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hearthwatch.bench.gateway import outbox as gateway_outbox
from hearthwatch.bench.gateway.installation import Installation, gateway_alone
from hearthwatch.bench.gateway.outbox_worker import DEVICES
from hearthwatch.bench.gateway.watched_gateway import Stretch, stretch
from hearthwatch.bench.goals import Goal, at_least, at_most, exactly, verdict
from hearthwatch.bench.ground import centre
from hearthwatch.bench.process_figures import load_average, machine

CPU_PERCENT_MAX = 3.0
RSS_MB_MAX = 60.0
DURABLE_P95_MS_MAX = 20.0
SUSTAINED_PER_S_MIN = 1_000
TAKEN_RATIO_MIN = 0.98

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many devices, how long the quiet part takes, which rates are tried (notifications a second in all)."""

    devices: int = 8
    seconds: float = 60.0
    rates: tuple[int, ...] = (100, 400, 1600, 3200)
    rate_seconds: float = 15.0
    backlog: int = 500_000


async def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Measure everything, one stretch after the other; give the JSON document."""
    about = machine()
    installed = gateway_alone(folder / "installation")
    strangers = installed.strangers()
    say("starting broker, database, ingest")
    with centre(folder, devices=max(plan.devices, DEVICES)) as running:
        over = partial(stretch, running, devices=plan.devices, installed=installed, say=say)
        say(f"{plan.devices} devices at 1 Hz for {plan.seconds:.0f} s")
        steady = await over(folder / "steady", every_s=1.0, seconds=plan.seconds)
        pressed: dict[str, Stretch] = {}
        for rate in plan.rates:
            say(f"{plan.devices} devices, {rate} notifications a second for {plan.rate_seconds:.0f} s")
            pressed[str(rate)] = await over(
                folder / f"rate-{rate}", every_s=plan.devices / rate, seconds=plan.rate_seconds
            )
        say(f"a backlog of {plan.backlog} readings, drained while live readings come in")
        drain = await asyncio.to_thread(
            gateway_outbox.drained,
            folder / "backlog.sqlite",
            running.broker_port,
            gateway_outbox.Plan(backlog=plan.backlog),
        )
    sustained = max((m.readings_per_s for m in pressed.values() if keeps_up(m)), default=None)
    goals = [
        *steady_goals(steady, installed, strangers),
        at_least("sustained, nothing lost, readings a second", SUSTAINED_PER_S_MIN, sustained),
        *gateway_outbox.drain_goals(drain),
    ]
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "installation": {"distributions": installed.distributions, "of_other_extras": strangers},
        "devices": plan.devices,
        "steady": asdict(steady),
        "notifications_per_s": {rate: asdict(m) for rate, m in pressed.items()},
        "readings_per_s_sustained": sustained,
        "drain": drain,
        **verdict(goals),
    }


def keeps_up(pressed: Stretch) -> bool:
    """Say whether a gateway took what came as it came, and nothing was lost on the way to the database."""
    return pressed.taken_ratio >= TAKEN_RATIO_MIN and pressed.lost == 0 and pressed.overrun == 0


def steady_goals(steady: Stretch, installed: Installation, strangers: tuple[str, ...]) -> list[Goal]:
    """Judge eight devices at 1 Hz."""
    foreign = len({*strangers, *installed.foreign(steady.libraries)})
    durable_ms = steady.durable_ms or {}
    return [
        at_most("processor, percent of a core", CPU_PERCENT_MAX, steady.cpu_percent),
        at_most("memory at its most (VmHWM), MB", RSS_MB_MAX, steady.rss_mb_max),
        exactly("libraries beyond the gateway's extra", 0, foreign),
        at_most("accepted to durable, p95, ms", DURABLE_P95_MS_MAX, durable_ms.get("p95")),
        exactly("lost between devices and database, readings", 0, steady.lost),
    ]

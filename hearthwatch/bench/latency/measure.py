"""Measures how soon an alarm is there: from the notification that decides it to the open episode, on real parts.

The deciding notification is the one whose sample the raise names (`raised_at`); which one of the device's that is, is
found by its place in the order, after what is stored was held against what was sent, value by value.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from hearthwatch.bench.gateway.installation import Installation, gateway_alone
from hearthwatch.bench.goals import Goal, TooShort, at_most, exactly, verdict
from hearthwatch.bench.ground import Air, Centre, empty_centre, register
from hearthwatch.bench.latency.homes import FALL_LASTS_S, Fall, Home, homes_of, living, registry_text
from hearthwatch.bench.latency.stages import STAGES, Raise, Stamp, Value, figures
from hearthwatch.bench.latency.trace import Books, stamps_of, stored
from hearthwatch.bench.latency.watch import Ear, EpisodeWatch, Seen
from hearthwatch.bench.process_figures import load_average, machine
from vitals.clock import ClinicalClock

P99_MS_MAX = 1000.0
RAISES_MIN = 100
"""With fewer, the 99th of a hundred is the worst of all, and one run says nothing of it."""

SLOWEST = 5
START_S_MAX = 150.0
STORE_S_MAX = 60.0
POLL_S = 0.2
TELL_EVERY_S = 30.0
CRIT = Fall(rule="SPO2-CRIT", to_percent=84.0, raises_within_s=170.0)
REFER = Fall(rule="SPO2-REFER", to_percent=91.0, raises_within_s=400.0)
DATABASE = {"track_commit_timestamp": "on"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many homes at a time, how often with others, and when their people fall (clinical seconds)."""

    gateways: int = 7
    devices: int = 8
    rounds: int = 2
    well_s: float = 80.0
    spread_s: float = 120.0
    refer: bool = False
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a round stands on."""

    running: Centre
    clock: ClinicalClock
    watch: EpisodeWatch
    ear: Ear
    installed: Installation
    folder: Path
    plan: Plan
    say: Say


async def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Let people fall, round after round; give the JSON document."""
    about = machine()
    installed = gateway_alone(folder / "installation")
    clock = ClinicalClock(origin=datetime.now(UTC), speed=plan.speed)
    words = {"HEARTHWATCH_CLOCK_ORIGIN": clock.origin.isoformat(), "HEARTHWATCH_CLOCK_SPEED": str(clock.speed)}
    say("starting broker, database, ingest, alerting")
    rounds = [CRIT] * plan.rounds + [REFER] * plan.refer
    gone: list[Home] = []
    raises: dict[str, list[Raise]] = {fall.rule: [] for fall in rounds}
    told: list[dict[str, Any]] = []
    with empty_centre(folder, settings=DATABASE, clock=words) as running:
        watch, ear = EpisodeWatch(running.dsn), Ear()
        with watch.watching(), ear.listening(running.broker_port):
            stage = Stage(
                running=running,
                clock=clock,
                watch=watch,
                ear=ear,
                installed=installed,
                folder=folder,
                plan=plan,
                say=say,
            )
            for number, fall in enumerate(rounds):
                homes = homes_of(
                    len(gone), plan.gateways, devices=plan.devices, well_s=plan.well_s, spread_s=plan.spread_s
                )
                register(running, registry_text(homes, gone, now=datetime.now(UTC)))
                if not number:
                    _start_services(running)
                say(f"round {number + 1} of {len(rounds)}: {plan.gateways * plan.devices} people, {fall.rule}")
                found = await one_round(stage, homes, fall)
                told.append({"rule": fall.rule, "load_average": load_average(), **summary(found)})
                raises[fall.rule] += found
                gone += homes
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "plan": asdict(plan),
        "people": {fall.rule: rounds.count(fall) * plan.gateways * plan.devices for fall in rounds},
        "rounds": told,
        **{rule: {**summary(found), "slowest_ms": slowest(found)} for rule, found in raises.items()},
        **verdict([goal for fall in dict.fromkeys(rounds) for goal in goals(plan, fall, rounds, raises[fall.rule])]),
    }


async def one_round(stage: Stage, homes: Sequence[Home], fall: Fall) -> list[Raise]:
    """Let these homes live until everybody has been raised, or should have been; give each raise with its stamps."""
    plan = stage.plan
    sent: dict[str, list[Value]] = {}
    patients = {patient.key: patient.address for home in homes for patient in home.patients}
    within_s = (plan.well_s + plan.spread_s + FALL_LASTS_S + fall.raises_within_s) / plan.speed + START_S_MAX
    async with AsyncExitStack() as airs:
        around: list[Air] = []
        for home in homes:
            life = living(
                stage.running,
                stage.folder / home.gateway_id,
                home,
                fall=fall,
                installed=stage.installed,
                sent=sent,
            )
            around.append(await airs.enter_async_context(life))
            stage.say(f"  {home.gateway_id} has begun")
        found = await _raised(stage, set(patients), fall.rule, within_s=within_s)
        counts: dict[str, int] = {}
        for each in around:
            counts |= {device["name"]: device["spo2"] for device in (await each.hub.hush())["devices"]}
        await _all_stored(stage.running.dsn, counts)
    books = Books(sent=sent, at_the_broker=stage.ear.heard(), address=patients, clock=stage.clock)
    with psycopg.connect(stage.running.dsn) as connection:
        return [
            Raise(patient=seen.patient, rule=seen.rule, stamps=stamps_of(connection, seen, books)) for seen in found
        ]


def summary(raises: Sequence[Raise]) -> dict[str, Any]:
    """Say what the raises of one rule come to, in all and part by part."""
    return {
        "raises": len(raises),
        "notification_to_episode_ms": figures([found.took_ms(Stamp.SENT, Stamp.VISIBLE) for found in raises]),
        "stages_ms": {name: figures([found.took_ms(*ends) for found in raises]) for name, ends in STAGES.items()},
    }


def slowest(raises: Sequence[Raise]) -> list[dict[str, float | None]]:
    """Give the way of those that took longest, part by part: where one stage makes them, and where all do."""
    known = [found for found in raises if found.is_complete]
    known.sort(key=lambda found: found.took_ms(Stamp.SENT, Stamp.VISIBLE) or 0.0, reverse=True)
    return [{name: found.took_ms(*ends) for name, ends in STAGES.items()} for found in known[:SLOWEST]]


def goals(plan: Plan, fall: Fall, rounds: Sequence[Fall], raises: Sequence[Raise]) -> list[Goal | TooShort]:
    """Judge the raises of one rule; how soon one comes that no flush hastens is for information."""
    people = rounds.count(fall) * plan.gateways * plan.devices
    judged: list[Goal | TooShort] = [
        exactly(f"{fall.rule}: episodes, of those who fell", people, len(raises)),
        exactly(f"{fall.rule}: with a stamp missing", 0, sum(not found.is_complete for found in raises)),
        exactly(f"{fall.rule}: with stamps out of order", 0, sum(not found.is_in_order for found in raises)),
    ]
    if fall is not CRIT:
        return judged
    name = f"{fall.rule}: deciding notification to open episode, p99, ms"
    if plan.speed != 1:
        return [
            TooShort(goal=name, why=f"a clinical clock of speed {plan.speed:g} measures no machine's time"),
            *judged,
        ]
    if people < RAISES_MIN:
        return [TooShort(goal=name, why=f"{people} raises, a 99th of a hundred needs {RAISES_MIN}"), *judged]
    took = figures([found.took_ms(Stamp.SENT, Stamp.VISIBLE) for found in raises]) or {}
    return [at_most(name, P99_MS_MAX, took.get("p99")), *judged]


def _start_services(running: Centre) -> None:
    running.supervisor.start(running.python("ingest", "ingest", "run"))
    alerting = running.python("alerting", "alerting", "run")
    running.supervisor.start(replace(alerting, ready=lambda: _is_judging(running.dsn)))


def _is_judging(dsn: str) -> bool:
    """Say whether alerting has taken every partition over."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT bool_and(owner <> '') FROM engine_cursor").fetchone()
    return row is not None and bool(row[0])


async def _raised(stage: Stage, patients: set[str], rule: str, *, within_s: float) -> list[Seen]:
    """Wait for an episode of the rule for each of them, at most so long."""
    deadline_s = time.monotonic() + within_s
    told_s = time.monotonic()
    while True:
        found = [seen for seen in stage.watch.seen() if seen.patient in patients and seen.rule == rule]
        if len(found) == len(patients) or time.monotonic() > deadline_s:
            return found
        if time.monotonic() - told_s > TELL_EVERY_S:
            told_s = time.monotonic()
            stage.say(f"  {len(found)} of {len(patients)} raised; load average {load_average()[0]}")
        await asyncio.sleep(POLL_S)


async def _all_stored(dsn: str, counts: Mapping[str, int]) -> None:
    """Wait until the database has what the devices sent; what it lacks then shows where it is held against them."""
    deadline_s = time.monotonic() + STORE_S_MAX
    with psycopg.connect(dsn, autocommit=True) as connection:
        while time.monotonic() < deadline_s:
            if all(len(stored(connection, key)) >= count for key, count in counts.items()):
                return
            await asyncio.sleep(POLL_S)

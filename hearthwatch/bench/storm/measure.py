"""Lets ten thousand patients fall in one second, and others one by one, before the product's own alerting process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from hearthwatch.bench.goals import Goal, TooShort, at_most, exactly, verdict
from hearthwatch.bench.ground import empty_centre
from hearthwatch.bench.process_figures import load_average, machine
from hearthwatch.bench.storm.county import EVERY_S, County
from hearthwatch.services.ports import LOOPBACK

DURABLE_S_MAX = 10.0
FIRST_NOTICE_MS_MAX = 250.0
CALM_MIN = 100
"""With fewer, the 99th of a hundred is the worst of all."""

WARMING_UP = 1
"""Who falls first is not counted: a process that has just begun loads its channels' code."""

BUILT_UP_S, DECIDING_S = 114, 36
"""A critical fall is decided over 120 s: all but the last of it, and more than the rest."""

HOMES_S_MAX = 120.0
WAIT_S_MAX = 180.0
LOOK_S = 0.05

Say = Callable[[str], None]

_STORM = """
    SELECT count(*) AS episodes,
           count(*) FILTER (WHERE NOT EXISTS (SELECT FROM notice n WHERE n.episode_id = e.episode_id
                                               AND n.recipient_id IS NOT NULL)) AS untold
      FROM episode e WHERE e.patient_id <= %s AND NOT e.technical
"""
_STAFF_LEFT = """
    SELECT count(*) FROM notice WHERE recipient_id IS NOT NULL AND due_at IS NOT NULL AND sent_at IS NULL
"""
_BEHIND = "SELECT count(*) FROM partition JOIN engine_cursor USING (partition) WHERE head > batch_id"
_ALARMED = """
    SELECT p.patient_id, e.detected_at FROM episode e JOIN patient p USING (patient_id)
     WHERE p.patient_id > %s AND NOT e.technical ORDER BY e.detected_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many fall at once, and how many one by one."""

    patients: int = 10_000
    calm: int = 200
    calm_every_s: float = 0.4


@dataclass(slots=True)
class _Phones:
    """The webhook of everybody who is told: when the first message came for each address."""

    first_at: dict[str, datetime] = field(default_factory=dict)
    count: int = 0
    address: str = ""


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Raise the storm, then the calm; give the JSON document."""
    with ExitStack() as closing:
        say("starting database and alerting")
        running = closing.enter_context(empty_centre(folder))
        phones = closing.enter_context(_phones())
        county = County(running.dsn, patients=plan.patients + WARMING_UP + plan.calm, address=phones.address)
        closing.callback(county.close)
        look = closing.enter_context(psycopg.connect(running.dsn, autocommit=True))
        running.supervisor.start(running.python("alerting", "alerting", "run"))
        _until(lambda: _one(look, "SELECT count(*) FROM engine_cursor WHERE owner <> ''") == 32, "alerting is there")
        calm = _calm(county, look, phones, plan, say)
        storm = _storm(county, look, phones, plan, say)
    goals: list[Goal | TooShort] = [
        exactly("episodes raised at once", plan.patients, storm["episodes"]),
        exactly("of these without a notice to a person", 0, storm["untold"]),
        at_most("all durable with their notices, s", DURABLE_S_MAX, storm["durable_s"]),
        at_most("every person on duty told of all of them, s", DURABLE_S_MAX, storm["staff_told_s"]),
        at_most("alarm to first notice when calm, p99, ms", FIRST_NOTICE_MS_MAX, calm["first_notice_p99_ms"])
        if plan.calm >= CALM_MIN
        else TooShort(goal="alarm to first notice when calm, p99, ms", why=f"{plan.calm} alarms, of {CALM_MIN}"),
    ]
    return {"machine": machine(), "load": load_average(), "storm": storm, "calm": calm, **verdict(goals)}


def _calm(county: County, look: Any, phones: _Phones, plan: Plan, say: Say) -> dict[str, Any]:
    first = plan.patients + WARMING_UP
    patients = range(first + 1, first + plan.calm + 1)
    _fall(county, first)
    _until(lambda: f"/home-{first}" in phones.first_at, "the first home is told")
    say(f"{plan.calm} patients fall one by one, every {plan.calm_every_s} s")
    for patient in patients:
        _fall(county, patient)
        time.sleep(plan.calm_every_s)
    homes = {f"/home-{patient}" for patient in patients}
    _until(lambda: homes <= phones.first_at.keys(), "every home is told")
    alarmed = {row[0]: row[1] for row in look.execute(_ALARMED, [first]).fetchall()}
    waits = [
        (phones.first_at[f"/home-{patient}"] - detected_at).total_seconds() * 1000
        for patient, detected_at in alarmed.items()
    ]
    return {
        "alarms": len(alarmed),
        "first_notice_p50_ms": round(float(np.percentile(waits, 50)), 1),
        "first_notice_p99_ms": round(float(np.percentile(waits, 99)), 1),
        "first_notice_worst_ms": round(max(waits), 1),
    }


def _fall(county: County, patient: int) -> None:
    now = datetime.now(UTC)
    begin = now - timedelta(seconds=BUILT_UP_S + DECIDING_S)
    county.send_lows([patient], begin=begin, count=(BUILT_UP_S + DECIDING_S) // EVERY_S, now=now)


def _storm(county: County, look: Any, phones: _Phones, plan: Plan, say: Say) -> dict[str, Any]:
    patients = range(1, plan.patients + 1)
    say(f"{plan.patients} patients are low, not yet for long enough")
    begin = datetime.now(UTC) - timedelta(seconds=BUILT_UP_S)
    county.send_lows(patients, begin=begin, count=BUILT_UP_S // EVERY_S, now=datetime.now(UTC))
    _until(lambda: _one(look, _BEHIND) == 0, "what builds up is judged")
    assert look.execute(_STORM, [plan.patients]).fetchone()[0] == 0, "nobody has been low for long enough"
    told_before, begun = phones.count, time.monotonic()
    say("the deciding readings of all of them are stored in one transaction")
    then = begin + timedelta(seconds=BUILT_UP_S // EVERY_S * EVERY_S)
    county.send_lows(patients, begin=then, count=DECIDING_S // EVERY_S, now=datetime.now(UTC))
    stored_s = time.monotonic() - begun
    _until(
        lambda: look.execute(_STORM, [plan.patients]).fetchone() == (plan.patients, 0), "all is durable", strict=False
    )
    durable_s = time.monotonic() - begun
    episodes, untold = look.execute(_STORM, [plan.patients]).fetchone()
    _until(lambda: _one(look, _STAFF_LEFT) == 0, "everybody on duty is told", strict=False)
    staff_told_s = time.monotonic() - begun
    told = phones.count - told_before
    say(f"durable after {durable_s:.1f} s, people on duty told after {staff_told_s:.1f} s; households follow")
    while time.monotonic() - begun < HOMES_S_MAX and _homes(phones, plan) < plan.patients:
        time.sleep(LOOK_S * 10)
    homes, homes_s = _homes(phones, plan), time.monotonic() - begun
    messages = dict(
        look.execute(
            "SELECT CASE WHEN recipient_id IS NULL THEN 'households' WHEN gathered IS NOT NULL THEN 'gathering'"
            " WHEN gathered_into IS NOT NULL THEN 'gathered' ELSE 'alone' END, count(*) FROM notice n"
            " JOIN episode e USING (episode_id) WHERE e.patient_id <= %s GROUP BY 1",
            [plan.patients],
        ).fetchall()
    )
    return {
        "episodes": episodes,
        "untold": untold,
        "stored_s": round(stored_s, 2),
        "durable_s": round(durable_s, 2),
        "staff_told_s": round(staff_told_s, 2),
        "messages_until_then": told,
        "notices": messages,
        "households_told": homes,
        "households_s": round(homes_s, 1),
    }


def _homes(phones: _Phones, plan: Plan) -> int:
    return sum(f"/home-{n}" in phones.first_at for n in range(1, plan.patients + 1))


def _one(look: Any, query: str) -> int:
    return int(look.execute(query).fetchone()[0])


def _until(holds: Callable[[], bool], what: str, *, strict: bool = True) -> None:
    limit_s = time.monotonic() + WAIT_S_MAX
    while not holds():
        if time.monotonic() > limit_s:
            if strict:
                raise TimeoutError(f"waited {WAIT_S_MAX} s in vain until {what}")
            return
        time.sleep(LOOK_S)


@contextmanager
def _phones() -> Iterator[_Phones]:
    found, lock = _Phones(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is http.server's
            now = datetime.now(UTC)
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            with lock:
                found.first_at.setdefault(self.path, now)
                found.count += 1
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="phones", daemon=True)
    thread.start()
    found.address = f"{LOOPBACK}:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

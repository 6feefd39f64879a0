"""Kills a gateway at random instants and adds up: what was accepted and is lost, what is doubled, what was open.

Three books are held against each other: what the victim told over a pipe, the outbox's account, the database.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psycopg

from gateway.outbox.outbox import OutboxError, read_account
from hearthwatch.bench.ground import Centre, centre
from hearthwatch.bench.kill_victim import DEVICES, READINGS_A_FRAME
from hearthwatch.services.process import tied_to_parent

LIFE_S_MAX = 0.8
"""A victim lives at most so long from its first instruction on: it is killed while opening, too."""

SILENCE_S_MAX = 60.0
POLL_S = 0.05
UNACCEPTED_MS_MAX = 50.0

Say = Callable[[str], None]
Reading = tuple[str, int, str, int | None]
"""Device, wall ms, signal, scaled value."""


class VictimDied(Exception):
    """A victim ended before it was killed; the message ends with what it said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How often at which rates (readings a second)."""

    kills: int = 200
    rates: tuple[int, ...] = (10, 100, 1000)
    seed: int = 20_261_122


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a victim told before it was killed."""

    accepted: list[Reading]
    unaccepted_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One rate. `accepted` readings were told over the pipe, `in_outbox` counts those whose telling the kill cut off.

    `lost`: told, and not in the database. `doubled`: there more than once, or counted by ingest as a repetition.
    `unaccepted_ms`: age of the oldest reading that was offered and not yet told as accepted, over the kills; 0 where
    there was none.
    """

    rate: int
    kills: int
    kills_before_any_reading: int
    accepted: int
    in_outbox: int
    in_database: int
    lost: int
    doubled: int
    set_aside: int
    unaccepted_ms: dict[str, float] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Nothing accepted is lost, nothing is doubled, and the books agree."""
        return not self.lost and not self.doubled and not self.set_aside and self.in_database == self.in_outbox


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Kill at every rate on one centre; give the JSON document."""
    say("starting broker, database, ingest")
    with centre(folder, devices=DEVICES) as running:
        outcomes = [at_rate(running, folder / f"rate-{rate}", plan, rate, say) for rate in plan.rates]
    return {
        "well": all(outcome.is_well for outcome in outcomes),
        "unaccepted_ms_max": UNACCEPTED_MS_MAX,
        "rates": {str(outcome.rate): asdict(outcome) for outcome in outcomes},
    }


def at_rate(running: Centre, folder: Path, plan: Plan, rate: int, say: Say) -> Outcome:
    """Kill so many victims on one outbox, let a last one drain it, and add up."""
    folder.mkdir()
    outbox = folder / "outbox.sqlite"
    before = _stored(running.dsn)
    say(f"{plan.kills} kills at {rate} readings a second")
    choice = random.Random(plan.seed + rate)
    with _Victims(outbox, rate=rate, broker_port=running.broker_port) as victims:
        lives = [victims.life(lambda: True, for_s=choice.uniform(0.0, LIFE_S_MAX)) for _ in range(plan.kills)]
    with _Victims(outbox, rate=0, broker_port=running.broker_port) as victims:
        victims.life(lambda: _is_empty(outbox), for_s=0.0)
    told = [reading for life in lives for reading in life.accepted]
    found = _stored(running.dsn) - before
    account, _ = read_account(outbox)
    ages = sorted(life.unaccepted_ms for life in lives)
    return Outcome(
        rate=rate,
        kills=len(lives),
        kills_before_any_reading=sum(not life.accepted for life in lives),
        accepted=len(told),
        in_outbox=account.accepted,
        in_database=found.total(),
        lost=sum((Counter(told) - found).values()),
        doubled=sum(count - 1 for count in found.values()) + _repeated(running.dsn, account.outbox_id),
        set_aside=len(list(folder.glob("*.unreadable-*"))),
        unaccepted_ms={
            name: round(ages[min(len(ages) - 1, int(len(ages) * part))], 2)
            for name, part in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
        },
    )


class _Victims:
    """Victims on one outbox, one after the other, in `with`."""

    def __init__(self, outbox: Path, *, rate: float, broker_port: int) -> None:
        command = (sys.executable, "-m", "hearthwatch.bench.kill_victim", str(outbox), str(rate), str(broker_port))
        with outbox.with_name("victims.log").open("ab") as log:
            self._process = subprocess.Popen(
                tied_to_parent(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asked = self._process.stdin
        self._said = self._process.stdout
        self._heard = b""

    def __enter__(self) -> Self:
        self._until("loaded")
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.close()
        self._process.kill()
        self._said.close()
        self._process.wait()

    def life(self, ends: Callable[[], bool], *, for_s: float) -> Life:
        """Let a victim live for so long, and on until `ends`; kill it, and give what it told."""
        self._asked.write(b"\n")
        [born] = self._until("born")
        pid, ends_s = born[1], time.monotonic() + for_s
        while (left_s := ends_s - time.monotonic()) > 0 or not ends():
            self._listen(max(left_s, POLL_S))
            if b'["died"' in self._heard:
                raise VictimDied("a victim ended before it was killed, see its log")
        killed_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        return _told(self._until("died"), killed_ns)

    def _until(self, word: str) -> list[list[Any]]:
        """Read on until a word is said; give all that was said up to it, but for lines that were cut off."""
        mark = json.dumps([word])[:-1].encode()
        while (at := self._heard.find(mark)) < 0 or b"\n" not in self._heard[at:]:
            self._listen(SILENCE_S_MAX)
        end = self._heard.index(b"\n", at) + 1
        lines, self._heard = self._heard[:end].splitlines(), self._heard[end:]
        return [json.loads(line) for line in lines if line.startswith(b"[") and line.endswith(b"]")]

    def _listen(self, seconds: float) -> None:
        if select.select([self._said], [], [], seconds)[0]:
            more = os.read(self._said.fileno(), 1 << 16)
            if not more:
                raise VictimDied(f"the victims ended by themselves, see their log; they said {self._heard[-200:]!r}")
            self._heard += more


def _told(lines: list[list[Any]], killed_ns: int) -> Life:
    """Take apart what a victim said up to its death."""
    accepted = [tuple(reading) for what, *facts in lines if what == "accepted" for reading in facts[0]]
    offered_ns = [facts[1] for what, *facts in lines if what == "offered" and facts[1] <= killed_ns]
    waiting_ns = offered_ns[len(accepted) // READINGS_A_FRAME :]
    return Life(accepted=accepted, unaccepted_ms=(killed_ns - waiting_ns[0]) / 1e6 if waiting_ns else 0.0)


def _is_empty(outbox: Path) -> bool:
    try:
        return not read_account(outbox)[0].depth
    except OutboxError:  # not there yet
        return False


def _stored(dsn: str) -> Counter[Reading]:
    """Read every reading in the database, as the victims name them."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT d.key, (extract(epoch FROM r.measured_at) * 1000)::bigint, r.signal, (r.value * 100)::int"
            " FROM reading r JOIN device d USING (device_id)"
        ).fetchall()
    return Counter((device, at_ms, signal, value) for device, at_ms, signal, value in rows)


def _repeated(dsn: str, outbox_id: UUID) -> int:
    """Ask ingest's own book how many rows repeated what was stored under another number."""
    with psycopg.connect(dsn) as connection:
        query = "SELECT COALESCE(sum(repeated), 0)::int FROM outbox_account WHERE outbox_id = %s"
        row = connection.execute(query, [outbox_id]).fetchone()
    return int(row[0]) if row else 0

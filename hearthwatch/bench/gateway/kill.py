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
from statistics import fmean
from typing import Any, Self
from uuid import UUID

import psycopg

from gateway.outbox.outbox import OutboxError, read_account
from hearthwatch.bench.disk_probe import bare_fdatasync_ms
from hearthwatch.bench.gateway.kill_victim import DEVICES, READINGS_A_FRAME
from hearthwatch.bench.goals import Goal, at_most, exactly, verdict
from hearthwatch.bench.ground import Centre, centre
from hearthwatch.bench.process_figures import load_average, machine
from hearthwatch.services.process import tied_to_parent

LIFE_S = (0.2, 5.0)
"""A victim lives so long from its first instruction on: long enough that there is a file, a backlog, rows to free."""

OPENING_SHARE = 10
"""For so many kills one more comes earlier than that, while the file is opened."""

TELL_EVERY = 20
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
    """How often at which rates (readings a second), and how long the victims live."""

    kills: int = 200
    rates: tuple[int, ...] = (10, 100, 1000)
    seed: int = 20_261_122
    life_s: tuple[float, float] = LIFE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a victim told before it was killed."""

    accepted: list[Reading]
    unaccepted_ms: float
    unaccepted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One rate. `kills_while_opening` came on top of `kills`.

    `accepted` readings were told over the pipe, `in_outbox` counts those whose telling the kill cut off, too.

    `lost`: told, and not in the database. `doubled`: there more than once, or counted by ingest as a repetition.
    `unaccepted_ms`: age of the oldest reading that was offered and not yet told as accepted, over the kills; 0 where
    there was none; `unaccepted`: how many such readings there were. `bare_fdatasync_ms`: what the disk took
    meanwhile for a page that is none of ours.
    """

    rate: int
    seed: int
    kills: int
    kills_while_opening: int
    kills_before_any_reading: int
    life_s: dict[str, float]
    accepted: int
    in_outbox: int
    in_database: int
    lost: int
    doubled: int
    set_aside: int
    unaccepted_ms: dict[str, float] = field(default_factory=dict)
    unaccepted: dict[str, float] = field(default_factory=dict)
    bare_fdatasync_ms: dict[str, float] = field(default_factory=dict)

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Judge: nothing accepted is lost, nothing is doubled, the books agree, and little was not accepted yet."""
        at = f"at {self.rate} readings a second"
        return (
            exactly(f"accepted and lost {at}", 0, self.lost),
            exactly(f"doubled {at}", 0, self.doubled),
            exactly(f"outbox files put aside {at}", 0, self.set_aside),
            exactly(f"in the outbox's book and not in the database {at}", 0, self.in_outbox - self.in_database),
            at_most(f"not yet accepted at a kill {at}, oldest, ms", UNACCEPTED_MS_MAX, self.unaccepted_ms["max"]),
        )


def measure(folder: Path, plan: Plan, say: Say) -> dict[str, Any]:
    """Kill at every rate on one centre; give the JSON document."""
    about = machine()
    say("starting broker, database, ingest")
    with centre(folder, devices=DEVICES) as running:
        outcomes = [at_rate(running, folder / f"rate-{rate}", plan, rate, say) for rate in plan.rates]
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "seed": plan.seed,
        "kills_at_each_rate": plan.kills,
        "rates": {str(outcome.rate): asdict(outcome) for outcome in outcomes},
        **verdict([goal for outcome in outcomes for goal in outcome.goals]),
    }


def at_rate(running: Centre, folder: Path, plan: Plan, rate: int, say: Say) -> Outcome:
    """Kill so many victims on one outbox, let a last one drain it, and add up."""
    folder.mkdir()
    outbox = folder / "outbox.sqlite"
    before = _stored(running.dsn)
    lengths_s = lifetimes_s(plan, rate)
    say(f"{len(lengths_s)} kills at {rate} readings a second, in {sum(lengths_s):.0f} s of life, seed {plan.seed}")
    lives: list[Life] = []
    with (
        bare_fdatasync_ms(folder) as disk_ms,
        _Victims(outbox, rate=rate, broker_port=running.broker_port) as victims,
    ):
        for for_s in lengths_s:
            lives.append(victims.life(lambda: True, for_s=for_s))
            if len(lives) % TELL_EVERY == 0:
                say(f"  {len(lives)} killed, {sum(len(life.accepted) for life in lives)} readings accepted")
    with _Victims(outbox, rate=0, broker_port=running.broker_port) as victims:
        victims.life(lambda: _is_empty(outbox), for_s=0.0)
    told = [reading for life in lives for reading in life.accepted]
    found = _stored(running.dsn) - before
    account, _ = read_account(outbox)
    return Outcome(
        rate=rate,
        seed=plan.seed,
        kills=plan.kills,
        kills_while_opening=len(lives) - plan.kills,
        kills_before_any_reading=sum(not life.accepted for life in lives),
        life_s={"min": round(min(lengths_s), 2), "mean": round(fmean(lengths_s), 2), "max": round(max(lengths_s), 2)},
        accepted=len(told),
        in_outbox=account.accepted,
        in_database=found.total(),
        lost=sum((Counter(told) - found).values()),
        doubled=sum(count - 1 for count in found.values()) + _repeated(running.dsn, account.outbox_id),
        set_aside=len(list(folder.glob("*.unreadable-*"))),
        unaccepted_ms=_parts([life.unaccepted_ms for life in lives]),
        unaccepted=_parts([life.unaccepted for life in lives]),
        bare_fdatasync_ms=_parts(disk_ms),
    )


def lifetimes_s(plan: Plan, rate: int) -> list[float]:
    """Draw how long each victim lives: 0.2 to 0.4 s is as likely as 2 to 4 s; and some that end at the opening."""
    choice = random.Random(plan.seed + rate)
    least_s, most_s = plan.life_s
    lengths_s = [least_s * (most_s / least_s) ** choice.random() for _ in range(plan.kills)]
    opening_s = [choice.uniform(0.0, least_s) for _ in range(plan.kills // OPENING_SHARE)]
    return choice.sample([*lengths_s, *opening_s], plan.kills + len(opening_s))


class _Victims:
    """Victims on one outbox, one after the other, in `with`."""

    def __init__(self, outbox: Path, *, rate: float, broker_port: int) -> None:
        command = (
            sys.executable,
            "-m",
            "hearthwatch.bench.gateway.kill_victim",
            str(outbox),
            str(rate),
            str(broker_port),
        )
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
    return Life(
        accepted=accepted,
        unaccepted_ms=(killed_ns - waiting_ns[0]) / 1e6 if waiting_ns else 0.0,
        unaccepted=READINGS_A_FRAME * len(waiting_ns),
    )


def _parts(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    parts = (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2) for name, part in parts}


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

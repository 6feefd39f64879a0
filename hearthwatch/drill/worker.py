"""One turn of alerting's worker in a process of its own, which can be killed at any exchange with the database."""

import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from multiprocessing.connection import Connection as Pipe
from typing import Any, TypeVar

import psycopg

from alerting.delivery import WORKERS, deliver
from alerting.desk import Desk, connect
from alerting.escalation import tick
from alerting.profile.file import parse_profile, standard_adult

_Answer = TypeVar("_Answer")
_STEPS = {"_enter_gen": "BEGIN or SAVEPOINT", "_exit_gen": "COMMIT or RELEASE"}


class Side(StrEnum):
    """On which side of an exchange the process dies."""

    BEFORE = "before"
    BEHIND = "behind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """SIGKILL before a turn's n-th exchange is sent, or behind its answer."""

    exchange: int
    side: Side


@dataclass(slots=True)
class _Exchanges:
    fatal: Kill | None
    told: Pipe
    said: list[str] = field(default_factory=list)
    statement: str = ""

    def die_if_at(self, side: Side) -> None:
        if self.fatal == Kill(exchange=len(self.said), side=side):
            self.told.send((self.said, 0.0))
            os.kill(os.getpid(), signal.SIGKILL)


def turns(dsn: str, instants: Sequence[datetime], fatal: Kill | None, told: Pipe) -> None:
    """Tick and deliver once at each clinical instant.

    Tells what it exchanged with the database till its end, and how many of the machine's seconds after its beginning
    all that was due had fired.
    """
    exchanges = _Exchanges(fatal, told)

    class Watched(psycopg.Connection[Any]):
        def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
            exchanges.said.append(_STEPS.get(gen.__name__, exchanges.statement))
            exchanges.die_if_at(Side.BEFORE)
            answer = super().wait(gen, *arguments, **named)
            exchanges.die_if_at(Side.BEHIND)
            return answer

    class Named(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **named: Any) -> "Named":
            exchanges.statement = _first_words(query)
            return super().execute(query, *arguments, **named)

    begun = time.monotonic()
    with connect(dsn, "drill-worker", Watched) as connection, ThreadPoolExecutor(WORKERS) as pool:
        connection.cursor_factory = Named
        exchanges.said.clear()
        profile = parse_profile(standard_adult())
        fired_s = 0.0
        for now in instants:
            desk = Desk(connection=connection, profile=profile, now=now, link="http://console")
            tick(desk)
            fired_s = fired_s or time.monotonic() - begun
            deliver(desk, pool, speed=1, clock=partial(_same, now))
        told.send((exchanges.said, fired_s))


def _same(now: datetime) -> datetime:
    return now


def _first_words(query: Any) -> str:
    text = query.decode() if isinstance(query, bytes) else str(query)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("--")]
    return " ".join(lines)[:60]

"""Time-driven work: one process of any number works, under a lock that ends with its session; the others stand by.

All jobs of a lane run one after the other on the connection that holds the lane's lock, so that whoever has lost the
lock can commit nothing more. A job's turn is bounded; one that fails is named, retried later, and holds up no other.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

import psycopg
import structlog

from care.sql import load_queries
from ingest.store import storing
from ingest.tend import rollups
from ingest.tend.due import Schedule
from ingest.tend.metrics import TendingMetrics
from ingest.turn import Turn

STANDBY_S = 5.0
RETRY_S = 2.0
IDLE_S_MAX = 30.0
"""An idle worker looks at its connection so often: whoever has lost the lock finds out."""
STATEMENT_S_MAX = 600
GONE_S_MAX = 2
"""The server notices within so long that a worker is gone, also in the midst of a long statement, and ends it."""
CONNECT_S_MAX = 5
DETAIL_MAX = 500

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("ingest", "tending.sql")
log = structlog.get_logger(__name__)


class Lane(IntEnum):
    """Which jobs wait for each other; the number is that of the lane's lock."""

    PROMPT = 1
    """Turns of seconds: what people and alarms wait for."""
    PATIENT = 3
    """Turns that take minutes on a county's day, and may be cut off at any instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing done every so often (machine time): a bounded turn at a clinical instant."""

    every_s: float
    turn: Callable[[Connection, datetime], Turn]
    lane: Lane = Lane.PROMPT


class Tender:
    """Runs a lane's jobs until told to stop. `now` is clinical time; when jobs are due is the machine's."""

    def __init__(
        self,
        dsn: str,
        jobs: Mapping[str, Job],
        metrics: TendingMetrics,
        *,
        lane: Lane,
        now: Callable[[], datetime],
        stopping: threading.Event,
    ) -> None:
        self._dsn = dsn
        self._lane = lane
        self._jobs = {name: job for name, job in jobs.items() if job.lane is lane}
        self._metrics = metrics
        self._now = now
        self._stopping = stopping
        self._schedule = Schedule({name: job.every_s for name, job in self._jobs.items()})
        self._said: dict[str, str] = {}
        self._connection: Connection | None = None

    def run(self) -> None:
        """A process's outermost loop: without a database it waits, with another worker it stands by."""
        while not self._stopping.is_set():
            try:
                with connect(self._dsn) as self._connection:
                    self._serve(self._connection)
            except psycopg.Error as exc:
                if not self._stopping.is_set():
                    error = str(exc).strip().partition("\n")[0]
                    self._say("database", "database_unreachable", level=logging.WARNING, error=error)
            finally:
                self._tell(working=False)
            self._stopping.wait(RETRY_S)

    def interrupt(self) -> None:
        """Cut the statement off that runs, if one does; from another thread, after `stopping` was set."""
        connection = self._connection
        if connection is not None and not connection.closed:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=CONNECT_S_MAX)

    def _serve(self, connection: Connection) -> None:
        while not take_lock(connection, self._lane):
            self._say("lock", "another one works, standing by", lane=self._lane.name)
            if self._stopping.wait(STANDBY_S):
                return
        self._said.clear()
        log.info("time-driven work begins", lane=self._lane.name, jobs=list(self._jobs))
        rollups.prepare(connection)
        storing.prepare(connection)
        self._schedule.failures.update(dict(connection.execute(_QUERIES["failures"]).fetchall()))
        self._tell(working=True)
        while not self._stopping.is_set():
            job = self._schedule.next_due(time.monotonic())
            if job is None:
                connection.execute(b"SELECT")
                self._stopping.wait(min(IDLE_S_MAX, self._schedule.wait_s(time.monotonic())))
            else:
                self._run(connection, job)

    def _run(self, connection: Connection, name: str) -> None:
        began = time.monotonic()
        try:
            turn = self._jobs[name].turn(connection, self._now())
        except Exception as exc:  # this loop is the outermost of each job: the others go on
            if self._stopping.is_set() and isinstance(exc, psycopg.errors.QueryCanceled):
                log.info("job_cut_off", job=name)
                return
            self._failed(connection, name, exc, time.monotonic() - began)
            if connection.closed:
                raise
            return
        duration_s = time.monotonic() - began
        self._schedule.went_well(name, time.monotonic(), more=turn.more)
        self._metrics.went_well(name, turn, at_s=time.time(), duration_s=duration_s)
        if turn.done:
            log.info("job_done", job=name, detail=turn.detail, duration_s=round(duration_s, 3))
        else:
            self._say(name, "job_idle", detail=turn.detail)
        per_s = turn.done / duration_s if turn.done and duration_s else None
        self._record(connection, name, turn.detail, duration_s, left=turn.left, per_s=per_s)

    def _failed(self, connection: Connection, name: str, error: Exception, duration_s: float) -> None:
        wait_s = self._schedule.failed(name, time.monotonic())
        failures = self._schedule.failures[name]
        self._metrics.failed(name, failures)
        said = f"{type(error).__name__}: {str(error).strip()}"[:DETAIL_MAX]
        log.error("job_failed", job=name, error=said, failures=failures, retry_s=wait_s, exc_info=error)
        if not connection.closed:
            self._record(connection, name, said, duration_s)

    def _record(
        self, connection: Connection, name: str, detail: str, duration_s: float, *, left: int = 0,
        per_s: float | None = None,
    ) -> None:  # fmt: skip
        values = {
            "job": name,
            "every_s": max(1, round(self._jobs[name].every_s)),
            "at": datetime.now(UTC),
            "duration_ms": round(duration_s * 1000),
            "failures": self._schedule.failures[name],
            "detail": detail,
            "work_left": left,
            "work_per_s": per_s,
        }
        connection.execute(_QUERIES["record_run"], values)

    def _tell(self, *, working: bool) -> None:
        if self._lane is Lane.PROMPT:
            self._metrics.working.set(int(working))

    def _say(self, about: str, event: str, *, level: int = logging.INFO, **values: object) -> None:
        """Log what has not just been said: once per change, not once a turn."""
        text = f"{event} {values}"
        if self._said.get(about) != text:
            self._said[about] = text
            log.log(level, event, about=about, **values)


def connect(dsn: str) -> Connection:
    """Open a connection as this work uses it."""
    return psycopg.connect(
        dsn,
        autocommit=True,
        connect_timeout=CONNECT_S_MAX,
        application_name="hearthwatch-tend",
        options=f"-c statement_timeout={STATEMENT_S_MAX * 1000} -c timezone=UTC"
        f" -c client_connection_check_interval={GONE_S_MAX}s",
    )


def take_lock(connection: Connection, lane: Lane) -> bool:
    """Become the one that works in a lane, if nobody is; it lasts as long as the session."""
    row = connection.execute(_QUERIES["try_lock"], {"lane": int(lane)}).fetchone()
    return bool(row and row[0])

"""Runs rehearsals apart from the console: one at a time, one a person, a bounded queue, results kept for a while.

Each run is a process of its own that reads the database and nothing else; its arithmetic makes no page wait.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any

import structlog

from alerting.rehearsal.progress import Progress, progress_of
from dashboards.settings import Settings

WAITING_MAX = 8
"""Runs that wait; who comes then is told to try later."""

RUN_S_MAX = 1800
"""A run that takes longer is ended: fewer days or patients, or the command line."""

KEPT_S = 3600
"""How long a result is kept after it is there."""

RESULT_BYTES_MAX = 64 * 1024 * 1024
NICENESS = 10

log = structlog.get_logger()


class Busy(Exception):
    """This person's run is not over, or too many wait."""


class State(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


OVER = frozenset({State.DONE, State.FAILED, State.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be rehearsed: a patient or a panel by key, how many days, and the changed profile's text."""

    patient: str
    panel: str
    days: int
    profile: str


@dataclass(slots=True, eq=False)
class Run:
    """One run as its page shows it; changed by the worker alone, but for `stop`."""

    wanted: Wanted
    person_id: int
    state: State = State.WAITING
    progress: Progress | None = None
    error: str = ""
    document: Mapping[str, Any] | None = None
    over_s: float = 0.0
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)


class Rehearsals:
    """The runs of a console, by session."""

    def __init__(self, settings: Settings) -> None:
        self._environment = {
            **os.environ,
            "HEARTHWATCH_DATABASE_DSN": settings.database_dsn,
            "HEARTHWATCH_CLOCK_ORIGIN": settings.clock_origin,
            "HEARTHWATCH_CLOCK_SPEED": str(settings.clock_speed),
            "PYTHONUTF8": "1",
        }
        self._lock = threading.Condition()
        self._runs: dict[str, Run] = {}
        self._waiting: deque[Run] = deque()
        self._worker: threading.Thread | None = None
        self._closed = False

    def begin(self, session: str, person_id: int, wanted: Wanted) -> Run:
        """Put a run at the end of the queue; it takes the place of the session's last one. Raises Busy."""
        with self._lock:
            self._forget_old()
            if any(run.person_id == person_id and run.state not in OVER for run in self._runs.values()):
                raise Busy
            if self._closed or len(self._waiting) >= WAITING_MAX:
                raise Busy
            run = self._runs[session] = Run(wanted=wanted, person_id=person_id)
            self._waiting.append(run)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="rehearsals", daemon=True)
                self._worker.start()
            self._lock.notify_all()
            return run

    def of(self, session: str) -> Run | None:
        """Give a session's run, if there is one and it is not too old."""
        with self._lock:
            self._forget_old()
            return self._runs.get(session)

    def stop(self, session: str) -> None:
        """End a session's run, wherever it is."""
        with self._lock:
            run = self._runs.get(session)
            if run is not None and run.state not in OVER:
                self._end(run)

    def close(self) -> None:
        """End all of them; nothing begins any more."""
        with self._lock:
            self._closed = True
            for run in self._runs.values():
                if run.state not in OVER:
                    self._end(run)
            self._lock.notify_all()

    def _end(self, run: Run) -> None:
        run.state, run.over_s = State.STOPPED, time.monotonic()
        if run in self._waiting:
            self._waiting.remove(run)
        if run.process is not None:
            run.process.kill()

    def _forget_old(self) -> None:
        old_s = time.monotonic() - KEPT_S
        for session, run in list(self._runs.items()):
            if run.state in OVER and run.over_s < old_s:
                del self._runs[session]

    def _work(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                run = self._waiting.popleft()
                run.state = State.RUNNING
            try:
                self._carry_out(run)
            except Exception:
                log.exception("rehearsal_failed")
                self._over(run, State.FAILED, error="")

    def _carry_out(self, run: Run) -> None:
        with tempfile.TemporaryFile() as profile, tempfile.TemporaryFile() as result:
            profile.write(run.wanted.profile.encode())
            profile.seek(0)
            with self._lock:
                if run.state is not State.RUNNING:
                    return
                process = run.process = subprocess.Popen(
                    _command(run.wanted), stdin=profile, stdout=result, stderr=subprocess.PIPE, env=self._environment
                )
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            limit = threading.Timer(RUN_S_MAX, process.kill)
            limit.daemon = True
            limit.start()
            try:
                said = _follow(run, process)
            finally:
                limit.cancel()
            if process.wait() == 0:
                self._over(run, State.DONE, document=_read(result))
            else:
                self._over(run, State.FAILED, error=said)

    def _over(self, run: Run, state: State, *, error: str = "", document: Mapping[str, Any] | None = None) -> None:
        with self._lock:
            if run.state is State.RUNNING:
                run.document, run.error, run.over_s, run.state = document, error, time.monotonic(), state
            run.process = None


def _command(wanted: Wanted) -> list[str]:
    whose = ["--patient", wanted.patient] if wanted.patient else ["--panel", wanted.panel]
    module = [sys.executable, "-m", "alerting.rehearsal.command"]
    return [*module, *whose, "--days", str(wanted.days), "--profile", "-", "--json"]


def _follow(run: Run, process: "subprocess.Popen[bytes]") -> str:
    """Take the progress as it is told, until the process ends; gives the last line that was none."""
    said = ""
    assert process.stderr is not None, "it is a pipe"
    with process.stderr as told:
        for raw in told:
            line = raw.decode(errors="replace").strip()
            progress = progress_of(line)
            run.progress = progress or run.progress
            said = said if progress else line.removeprefix("rehearse: ")
    return said


def _read(result: IO[bytes]) -> Mapping[str, Any]:
    if result.seek(0, os.SEEK_END) > RESULT_BYTES_MAX:
        raise ValueError(f"a report of more than {RESULT_BYTES_MAX} bytes")
    result.seek(0)
    document: Mapping[str, Any] = json.load(result)
    return document

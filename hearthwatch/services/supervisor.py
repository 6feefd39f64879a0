"""The supervisor: starts processes, waits until each is ready, restarts what dies, stops all in reverse order.

One thread, the keeper, does every start, so that the kernel's parent-death signal (which follows the thread, not
the process) means: no child outlives its supervisor. A start either ends ready or raises with the tail of the log;
a process that has been ready once is brought back for ever, ever slower up to `RESTART_DELAY_MAX_S`.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from hearthwatch.services.process import (
    ProcessAlreadyRunning,
    ProcessError,
    ProcessNotReady,
    ProcessNotRunning,
    ProcessSpec,
    tied_to_parent,
)

POLL_S = 0.03
RESTART_DELAY_FIRST_S = 0.1
RESTART_DELAY_MAX_S = 5.0
STEADY_AFTER_S = 30.0  # ready for so long: the next death starts again at the first delay
LOG_TAIL_LINES = 30
LOG_BYTES_MAX = 16 * 1024 * 1024  # looked at before each start; the older log is kept once as .1


class State(StrEnum):
    """Where a kept process is."""

    WAITING = "waiting"  # to be started when its delay is over and it may
    STARTING = "starting"  # alive, not ready yet
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"  # asked to, or ended by itself without `restart`
    FAILED = "failed"  # never was ready


@dataclass(slots=True, kw_only=True)
class _Child:
    spec: ProcessSpec
    log: Path
    log_start: int = 0
    state: State = State.WAITING
    since: float = 0.0  # monotonic time of the state
    process: subprocess.Popen[bytes] | None = None
    was_ready: bool = False
    starts: int = 0
    delay_s: float = 0.0
    reason: str = ""


class Supervisor:
    """Keep named processes running until told otherwise; safe to call from any thread."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._log_dir.mkdir(parents=True, exist_ok=True)
        self._children: dict[str, _Child] = {}
        self._changed = threading.Condition(threading.RLock())
        self._keeper: threading.Thread | None = None

    def start(self, spec: ProcessSpec, *, wait: bool = True) -> None:
        """Start a process and return when it is ready; raise ProcessNotReady with its log where it fails."""
        with self._changed:
            known = self._children.get(spec.name)
            if known is not None and known.state not in (State.STOPPED, State.FAILED):
                raise ProcessAlreadyRunning(f"{spec.name} is {known.state}")
            self._children.pop(spec.name, None)  # a new start goes to the end of the order of stopping
            self._children[spec.name] = _Child(
                spec=spec, log=self._log_dir / f"{spec.name}.log", since=time.monotonic()
            )
            self._see_to_a_keeper()
        if wait:
            self.wait_until_ready(spec.name)

    def wait_until_ready(self, name: str, within: timedelta | None = None) -> None:
        """Return when the process is ready; raise ProcessNotReady when it failed, ended or took too long."""
        child = self._child(name)
        limit = within or child.spec.ready_within + timedelta(seconds=30)
        ended = (State.FAILED, State.STOPPED)
        self._wait(lambda: child.state is State.READY or child.state in ended, limit)
        if child.state is not State.READY:
            raise ProcessNotReady(_complaint(child))

    def wait_for_restart(self, name: str, beyond: int, within: timedelta = timedelta(seconds=90)) -> None:
        """Return when the process has been restarted more than `beyond` times and is ready again."""
        child = self._child(name)
        if not self._wait(lambda: child.state is State.READY and child.starts - 1 > beyond, within):
            raise ProcessNotReady(f"not restarted within {within}: {_complaint(child)}")

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL) -> int:
        """Signal the process and return the pid that it had; what is to be restarted comes back."""
        with self._changed:
            process = self._running(name)
            process.send_signal(sig)
            return process.pid

    def pid(self, name: str) -> int:
        """Answer the pid of the running process."""
        with self._changed:
            return self._running(name).pid

    def restarts(self, name: str) -> int:
        """Answer how often the process was started anew since `start`."""
        return max(0, self._child(name).starts - 1)

    def state(self, name: str) -> State:
        """Answer where the process is."""
        return self._child(name).state

    def names(self) -> list[str]:
        """List the kept processes in the order of their start."""
        with self._changed:
            return list(self._children)

    def log_tail(self, name: str) -> str:
        """Answer the end of what the process has written since its last start."""
        return _tail(self._child(name))

    def stop(self, name: str) -> None:
        """Stop one process: its stop signal, then SIGKILL; return when it is gone."""
        child = self._child(name)
        with self._changed:
            if child.state in (State.STOPPED, State.FAILED):
                return
            _turn(child, State.STOPPING, "asked to stop")
            if child.process is not None:
                child.process.send_signal(child.spec.stop_signal)
            self._see_to_a_keeper()
        limit = child.spec.stop_within + timedelta(seconds=60)
        if not self._wait(lambda: child.state is State.STOPPED, limit):
            raise ProcessError(f"{name} survived SIGKILL")

    def wait_until_ended(self, name: str, within: timedelta = timedelta(seconds=30)) -> None:
        """Return when a process that is not restarted has ended."""
        child = self._child(name)
        if not self._wait(lambda: child.state in (State.STOPPED, State.FAILED), within):
            raise ProcessError(f"{name} is still {child.state} after {within}")

    def stop_all(self) -> None:
        """Stop every process, the last started first, and end the keeper."""
        for name in reversed(self.names()):
            self.stop(name)
        with self._changed:
            keeper, self._keeper = self._keeper, None
            self._changed.notify_all()
        if keeper is not None:
            keeper.join()

    def __enter__(self) -> Self:
        """Give the supervisor; `stop_all` at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all."""
        self.stop_all()

    def _child(self, name: str) -> _Child:
        with self._changed:
            if name not in self._children:
                raise ProcessNotRunning(f"no process named {name}")
            return self._children[name]

    def _running(self, name: str) -> subprocess.Popen[bytes]:
        child = self._child(name)
        if child.process is None or child.process.poll() is not None:
            raise ProcessNotRunning(f"{name} is {child.state}")
        return child.process

    def _wait(self, until: Callable[[], bool], within: timedelta) -> bool:
        with self._changed:
            return self._changed.wait_for(until, within.total_seconds())

    def _see_to_a_keeper(self) -> None:
        """Have a living one: Ctrl-C may have come between making the thread and starting it."""
        if self._keeper is None or not self._keeper.is_alive():
            self._keeper = threading.Thread(target=self._keep, name="supervisor", daemon=True)
            self._keeper.start()

    def _keep(self) -> None:
        """Tend every child again and again: the keeper's whole life."""
        while True:
            with self._changed:
                if self._keeper is not threading.current_thread():
                    return
                children = list(self._children.values())
            for child in children:
                self._tend(child)
            with self._changed:
                self._changed.notify_all()
                self._changed.wait(POLL_S)

    def _tend(self, child: _Child) -> None:
        if child.state is State.WAITING and _delay_is_over(child) and self._asks(child, child.spec.may_start):
            with self._changed:
                if child.state is State.WAITING:
                    self._try_to_launch(child)
        answers = child.state is State.STARTING and self._asks(child, child.spec.ready)
        with self._changed:
            exit_code = child.process.poll() if child.process is not None else None
            if child.state is State.STOPPING:
                _press(child)
            elif exit_code is not None:
                _after_exit(child, f"ended with {_in_words(exit_code)}")
            elif child.state is State.STARTING and answers:
                child.was_ready = True
                _turn(child, State.READY)
            elif child.state is State.STARTING and _is_over(child, child.spec.ready_within.total_seconds()):
                _end(child)
                _after_exit(child, f"was not ready within {child.spec.ready_within}")

    def _try_to_launch(self, child: _Child) -> None:
        try:
            _launch(child)
        except OSError as error:
            _after_exit(child, f"could not be started: {error}")

    def _asks(self, child: _Child, check: Callable[[], bool]) -> bool:
        try:
            return check()
        except Exception as error:  # noqa: BLE001 - a check is the caller's code; a broken one must not end the keeper
            child.reason = f"its check failed: {error!r}"
            return False


def _launch(child: _Child) -> None:
    """Start the process; what it writes goes to its log."""
    if child.log.exists() and child.log.stat().st_size > LOG_BYTES_MAX:
        child.log.replace(child.log.with_suffix(".log.1"))
    env = None if child.spec.env is None else {**os.environ, **child.spec.env}
    with child.log.open("ab") as log:
        child.log_start = log.tell()
        child.process = subprocess.Popen(
            tied_to_parent(child.spec.argv),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches the supervisor only, which stops them in order
        )
    child.starts += 1
    _turn(child, State.STARTING)


def _after_exit(child: _Child, reason: str) -> None:
    """Decide what follows the end of a process that nobody asked to end."""
    steady = child.state is State.READY and _is_over(child, STEADY_AFTER_S)
    if not child.was_ready:
        _turn(child, State.FAILED, reason)
    elif not child.spec.restart:
        _turn(child, State.STOPPED, reason)
    else:
        child.delay_s = RESTART_DELAY_FIRST_S if steady else _slower(child.delay_s)
        _turn(child, State.WAITING, reason)


def _slower(delay_s: float) -> float:
    return min(max(2 * delay_s, RESTART_DELAY_FIRST_S), RESTART_DELAY_MAX_S)


def _press(child: _Child) -> None:
    """Carry a stop through: SIGKILL when the stop signal did not do."""
    if child.process is None or child.process.poll() is not None:
        _turn(child, State.STOPPED, child.reason)
    elif _is_over(child, child.spec.stop_within.total_seconds()):
        _end(child)
        _turn(child, State.STOPPED, f"needed SIGKILL after {child.spec.stop_within}")


def _end(child: _Child) -> None:
    if child.process is not None:
        child.process.kill()
        child.process.wait()


def _turn(child: _Child, state: State, reason: str = "") -> None:
    child.state, child.since, child.reason = state, time.monotonic(), reason
    if state in (State.WAITING, State.STOPPED, State.FAILED):
        child.process = None


def _is_over(child: _Child, seconds: float) -> bool:
    return time.monotonic() - child.since >= seconds


def _delay_is_over(child: _Child) -> bool:
    return _is_over(child, child.delay_s)


def _in_words(exit_code: int) -> str:
    return f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name


def _complaint(child: _Child) -> str:
    reason = child.reason or f"is {child.state}"
    return f"{child.spec.name} {reason}; command: {' '.join(child.spec.argv)}\n--- {child.log}\n{_tail(child)}"


def _tail(child: _Child) -> str:
    try:
        with child.log.open("rb") as log:
            log.seek(child.log_start)
            lines = log.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return "(no log)"
    return "\n".join(lines[-LOG_TAIL_LINES:])

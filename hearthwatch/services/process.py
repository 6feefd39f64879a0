"""What a supervised process is, and what can go wrong with one."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

PDEATHSIG_SIGNALS = {signal.SIGINT: "INT", signal.SIGTERM: "TERM", signal.SIGQUIT: "QUIT", signal.SIGKILL: "KILL"}


class ProcessError(Exception):
    """A supervised process did not do what was asked of it."""


class ProcessNotReady(ProcessError):
    """A process died or fell silent before it was ready; the message ends with the tail of its log."""


class ProcessNotRunning(ProcessError):
    """There is no such process, or it is not running now."""


class ProcessAlreadyRunning(ProcessError):
    """A process of that name is kept already."""


def at_once() -> bool:
    """Be true: ready as soon as started, free to start as soon as asked."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process to keep running.

    `ready` and `may_start` are polled by the supervisor and must answer within a second or so; `may_start` is
    asked before every start (a database must wait until the children of its killed predecessor are gone).
    The environment `env` is added to the parent's; None keeps it as it is.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    ready: Callable[[], bool] = at_once
    may_start: Callable[[], bool] = at_once
    restart: bool = True
    ready_within: timedelta = timedelta(seconds=60)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: timedelta = timedelta(seconds=20)


def tied_to_parent(argv: tuple[str, ...], death_signal: signal.Signals = signal.SIGKILL) -> tuple[str, ...]:
    """Wrap a command so that the kernel signals it when the thread that started it dies.

    The kernel forgets this at a change of user: a command that changes its user wraps again after the change.
    """
    return ("setpriv", "--pdeathsig", PDEATHSIG_SIGNALS[death_signal], "--", *argv)

"""One duty of a process: its own connection and its own loop, which begins again whatever goes wrong."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import structlog

from alerting.desk import Connection, Desk, connect
from alerting.profile.profile import Profile
from alerting.settings import AlertingSettings

SHORTEST_PERIOD_S = 0.1
RETRY_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One loop: what to do, how often (clinical seconds), and which notification wakes it before its time."""

    name: str
    period_s: float
    wakes_on: str
    turn: Callable[[Callable[[], Desk]], int]
    begin: Callable[[Desk], None] = lambda _desk: None
    end: Callable[[Desk], None] = lambda _desk: None


def keep(settings: AlertingSettings, profile: Profile, duty: Duty, stop: threading.Event) -> None:
    """A process's outermost loop: whatever goes wrong is logged, and the duty begins again on a new connection."""
    trouble = ""
    while not stop.is_set():
        try:
            with connect(settings.database_dsn, f"alerting-{duty.name}") as connection:
                _work(settings, profile, duty, stop, connection)
        except psycopg.OperationalError as exc:
            what = f"{type(exc).__name__}: {str(exc).strip().splitlines()[0]}"
            if what != trouble:  # said once per change, not once a second
                log.warning("database_unreachable", duty=duty.name, error=what, retry_s=RETRY_S)
            trouble = what
        except Exception:
            log.exception("duty_failed", duty=duty.name)
        stop.wait(RETRY_S)


def _work(
    settings: AlertingSettings, profile: Profile, duty: Duty, stop: threading.Event, connection: Connection
) -> None:
    def desk() -> Desk:
        return Desk(connection=connection, profile=profile, now=settings.now(), link=settings.alerting_console_url)

    desk().run(
        "save_profile",
        profile_hash=profile.profile_hash,
        name=profile.name,
        body=profile.body,
        now=settings.now(),
    )
    duty.begin(desk())
    if duty.wakes_on:
        connection.execute(f"LISTEN {duty.wakes_on}".encode())
    period_s = max(SHORTEST_PERIOD_S, duty.period_s / settings.clock_speed)
    log.info("duty_begins", duty=duty.name, period_s=period_s)
    while not stop.is_set():
        duty.turn(desk)
        if duty.wakes_on:
            _listen(connection, period_s, stop)
        else:
            stop.wait(period_s)
    duty.end(desk())


def _listen(connection: Connection, period_s: float, stop: threading.Event) -> None:
    """Wait for a word to this session, at most `period_s`; a second more at most when all are asked to end."""
    until = time.monotonic() + period_s
    while not stop.is_set() and (left_s := until - time.monotonic()) > 0:
        if any(True for _ in connection.notifies(timeout=min(left_s, 1.0), stop_after=1)):
            return

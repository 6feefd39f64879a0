"""The watchdog: a process of its own that sees whether alerting works, and needs no database to tell operations.

It looks at what should have happened by now: deadlines, notices, judging. Its channels stand in its settings, not in
the registry, so that they are known when the database is gone.
"""

import signal
import threading
from collections.abc import Callable

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from alerting.desk import QUERIES, connect
from alerting.sending import Taken, hand_over, warm_up_channels
from alerting.settings import AlertingSettings
from alerting.watch import Message, Seen, Told, decide, troubles

LOOK_EVERY_S = 5.0
CONNECT_S = 5
STATEMENT_MS = 5000

log = structlog.get_logger()

Tell = Callable[[str, Message], Taken]


def run(settings: AlertingSettings) -> None:
    """Look every few seconds until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    warm_up_channels()
    log.info("watchdog_starts", channels=len(settings.watchdog_urls))
    told = Told()
    while not stop.is_set():
        told = look(settings, told, tell=_tell)
        stop.wait(LOOK_EVERY_S)
    log.info("watchdog_stopped")


def look(settings: AlertingSettings, told: Told, *, tell: Tell) -> Told:
    """Look once, and tell what has to be told by every channel; what none takes is told again at the next look."""
    now = settings.now()
    found = troubles(see(settings), now=now)
    messages, new = decide(told, found, now=now)
    for message in messages:
        outcomes = [tell(url, message) for url in settings.watchdog_urls]
        accepted = sum(each.accepted for each in outcomes)
        level = log.info if message.is_over else log.error
        level("watchdog", trouble=message.trouble, over=message.is_over, told=accepted, of=len(outcomes))
        if outcomes and not accepted and not message.is_over:
            at = {trouble: instant for trouble, instant in new.at.items() if trouble is not message.trouble}
            new = Told(at=at, since=new.since)
    return new


def see(settings: AlertingSettings) -> Seen:
    """Ask the database what should have happened by now; a database that does not answer in time is gone."""
    try:
        dsn = make_conninfo(settings.database_dsn, connect_timeout=CONNECT_S)
        with connect(dsn, "alerting-watchdog") as connection:
            connection.execute(f"SET statement_timeout = {STATEMENT_MS}".encode())
            row = connection.execute(QUERIES["watch"], {"now": settings.now()}).fetchone()
    except psycopg.Error:
        return Seen(is_database_there=False)
    assert row is not None, "SELECT of scalars gives a row"
    return Seen(
        is_database_there=True,
        deadline_due_at=row.deadline_due_at,
        notice_due_at=row.notice_due_at,
        unjudged_since=row.unjudged_since,
    )


def _tell(url: str, message: Message) -> Taken:
    return hand_over(url, title=message.title, body=message.body, key=message.key)

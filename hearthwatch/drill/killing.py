"""The worker is killed with SIGKILL at every exchange of a turn with the database, on both sides of it.

Each kill has a county of its own, made from one template: alarms and a referral whose deadlines are all due at one
instant. The turn is played once undisturbed; then once for each place to die, with a new worker behind it. Afterwards
everything must be as if nobody had died: each deadline fired once, within a second of the restart, every notice is
delivered, and what came twice came under its first key.
"""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import psycopg

from alerting.delivery import LEASE_S
from alerting.desk import connect
from hearthwatch.demo.webhook import PAGES_MAX, Pager
from hearthwatch.drill.stage import MINUTE, SEVERE, T0, Stage, stage
from hearthwatch.drill.worker import Kill, Side, turns

TEMPLATE = "killing"
RESTART_S = 1
DUE_S = 10 * MINUTE
TURN_TAKES_AT_MOST_S = 60.0

_RECORD = """
    SELECT 'event' AS what, v.key AS name, v.kind AS said, v.at, NULL::timestamptz AS due_at FROM episode_event v
     WHERE v.key IS NOT NULL
    UNION ALL
    SELECT 'referral', r.key, r.kind || ' ' || r.to_stage, r.at, NULL FROM referral_event r WHERE r.key IS NOT NULL
    UNION ALL
    SELECT 'episode', e.episode_id::text, e.state || ' ' || e.step, e.alarmed_at, e.due_at FROM episode e
    UNION ALL
    SELECT 'notice', regexp_replace(n.key, ':[0-9]+', ''), n.audience || ' ' || n.channel_url, n.created_at, NULL
      FROM notice n    -- without the event's number: what was rolled back has used one up
     ORDER BY 1, 2
"""
_NOTICES = """
    SELECT key, due_at IS NULL AND sent_at IS NOT NULL AS delivered FROM notice
     WHERE created_at >= %s AND channel_url LIKE 'json:%%' ORDER BY key
"""


@dataclass(slots=True)
class Proof:
    """What came of all kills.

    `timer_error_s`: the latest a deadline fired behind its time, by the clock that its worker was given (a second after
    the kill). `fired_s`: the longest it took a new worker, by the machine's clock, from its first line of code on until
    all that was due had fired.
    """

    exchanges: list[str] = field(default_factory=list)
    kills: int = 0
    fired: int = 0
    notices: int = 0
    repeats: int = 0
    repeats_most: int = 0
    timer_error_s: float = 0.0
    fired_s: float = 0.0
    outlived: bool = False
    wrong: list[str] = field(default_factory=list)

    def as_document(self) -> dict[str, Any]:
        """Give the figures as plain values."""
        return {
            "exchanges_of_a_turn": len(self.exchanges),
            "kills": self.kills,
            "deadlines_a_turn": self.fired,
            "notices_a_turn": self.notices,
            "repeats": self.repeats,
            "repeats_of_one_kill_at_most": self.repeats_most,
            "timer_error_s_at_most": self.timer_error_s,
            "all_fired_after_a_restart_s_at_most": round(self.fired_s, 2),
            "wrong": len(self.wrong),
            "what_is_wrong": self.wrong[:20],
        }


def prove(
    server: str, sides: Iterable[Side] = Side, *, every: int = 1, tell: Callable[[str], None] = lambda _: None
) -> Proof:
    """Kill a worker at every exchange (or every so many), on these sides of it; gives what came of it."""
    proof = Proof()
    with Pager() as pager:
        due_at = _template(server, pager)
        _leave_alone(server)
        with _county(server) as dsn:
            proof.exchanges, undisturbed, received, _ = _played(dsn, due_at, None, pager)
        proof.fired = sum(row.what in ("event", "referral") and row.at == due_at for row in undisturbed)
        proof.notices = len(received)
        for kill in _kills(proof, list(sides), every):
            with _county(server) as dsn:
                said, record, keys, fired_s = _played(dsn, due_at, kill, pager)
                notices = _rows(dsn, _NOTICES, due_at)
            proof.outlived = len(said) < kill.exchange
            wrong = _differences(undisturbed, record, due_at) + _undelivered(notices, keys)
            where = f"{kill.side} {kill.exchange}: {'outlived' if proof.outlived else said[-1]}"
            repeats = keys.total() - len(keys)
            proof.kills += not proof.outlived
            proof.repeats += repeats
            proof.repeats_most = max(proof.repeats_most, repeats)
            proof.fired_s = max(proof.fired_s, fired_s)
            proof.timer_error_s = max(proof.timer_error_s, *(_late_s(row, due_at) for row in record))
            proof.wrong += [f"{where}: {each}" for each in wrong]
            tell(f"killed {where}; {len(wrong)} wrong, {repeats} came twice")
    return proof


def _kills(proof: Proof, sides: Sequence[Side], every: int) -> Iterator[Kill]:
    """Give each place to die, until a turn ends before it: hand-overs that end together are recorded together."""
    for exchange in count(1, every):
        for side in sides:
            yield Kill(exchange=exchange, side=side)
            if proof.outlived:
                return


def _template(server: str, pager: Pager) -> datetime:
    """Make the county in which much is due at one instant, which it gives."""
    with stage(server, TEMPLATE) as made:
        made.connection.execute(
            "UPDATE person SET channels = ARRAY['json://' || %(at)s || '/' || key]", {"at": pager.address}
        )
        made.connection.execute(
            "UPDATE patient SET household_channels = ARRAY['json://' || %(at)s || '/home-' || key]",
            {"at": pager.address},
        )
        _until_all_is_due(made)
        made.connection.execute("UPDATE notice SET due_at = NULL, sent_at = %s", (made.now,))
        made.now = T0 + timedelta(seconds=DUE_S)
        return made.now


def _leave_alone(server: str) -> None:
    """Let nobody into the template any more, TimescaleDB's own scheduler neither: a database in use is not copied."""
    with psycopg.connect(server, autocommit=True) as connection:
        name = f"drill_{TEMPLATE}"
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s", [name])


def _until_all_is_due(made: Stage) -> None:
    """Let deadlines of every kind fall on one second: a first, a second, a third one, and a hospital's silence."""
    referred = made.alarm("p1", "SPO2-REFER")
    made.acknowledge(referred, "wang")
    made.refer(referred, "wang", SEVERE)
    made.until(4 * MINUTE)
    made.alarm("p2", "SPO2-REFER")
    made.until(7 * MINUTE)
    made.alarm("p3", "SPO2-CRIT")
    made.until(DUE_S - 1)


@contextmanager
def _county(server: str) -> Iterator[str]:
    name = "drill_killed"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE drill_{TEMPLATE} STRATEGY file_copy".encode())
        try:
            yield psycopg.conninfo.make_conninfo(server, dbname=name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _played(
    dsn: str, now: datetime, kill: Kill | None, pager: Pager
) -> tuple[list[str], list[Any], Counter[str], float]:
    """Play the turn, killed or not; then go on as a new worker does.

    Gives the exchanges until it ended or died, the record, the keys received, and how soon the new worker had fired.
    """
    pager.take()
    said, fired_s = _worker(dsn, [now], kill)
    if kill is not None:
        _, fired_s = _worker(
            dsn, [now + timedelta(seconds=RESTART_S), now + timedelta(seconds=RESTART_S + LEASE_S)], None
        )
    keys = Counter(received.key for received in pager.take())
    assert keys.total() < PAGES_MAX, "the pager keeps what it received"
    return said, _rows(dsn, _RECORD), keys, fired_s


def _worker(dsn: str, instants: Sequence[datetime], kill: Kill | None) -> tuple[list[str], float]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hearthwatch.drill.worker", "hearthwatch.drill.warmed"])
    hears, tells = context.Pipe(duplex=False)
    process = context.Process(target=turns, args=(dsn, instants, kill, tells))
    process.start()
    tells.close()
    told: tuple[list[str], float] = hears.recv() if hears.poll(TURN_TAKES_AT_MOST_S) else ([], 0.0)
    process.join(TURN_TAKES_AT_MOST_S)
    if process.exitcode not in (0, -signal.SIGKILL if kill else 0):
        process.kill()
        raise RuntimeError(f"the worker ended with {process.exitcode}, to be killed at {kill}")
    return told


def _rows(dsn: str, query: str, *values: object) -> list[Any]:
    with connect(dsn, "drill-look") as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def _undelivered(notices: Sequence[Any], keys: Counter[str]) -> list[str]:
    decided = {row.key for row in notices}
    lost = [f"{row.key} is not delivered" for row in notices if not row.delivered or row.key not in keys]
    return lost + [f"{key} came without being decided" for key in keys if key not in decided]


def _differences(undisturbed: list[Any], record: list[Any], due_at: datetime) -> list[str]:
    def shape(rows: list[Any]) -> set[tuple[Any, ...]]:
        return {(row.what, row.name, row.said) for row in rows}

    lost = [f"{what} {name} is missing: {said}" for what, name, said in shape(undisturbed) - shape(record)]
    more = [f"{what} {name} is too much: {said}" for what, name, said in shape(record) - shape(undisturbed)]
    late = [
        f"{row.what} {row.name} is {_late_s(row, due_at)} s late" for row in record if _late_s(row, due_at) > RESTART_S
    ]
    return lost + more + late


def _late_s(row: Any, due_at: datetime) -> float:
    """Say how late something that was due happened; nothing else is late."""
    return float((row.at - due_at).total_seconds()) if row.at > due_at else 0.0

"""Kills the engine at random statements, again and again, and compares with a course that nobody disturbed.

    python -m hearthwatch.bench.engine_crash --runs 1000

Each run draws a ward's course (engine_script.py), lets it be judged once undisturbed, and once with kills: at a random
statement of a turn, or right behind its commit, the process fails, loses its connection, or dies and is followed by one
of its name or of another. Then every episode, event, notice, pending and active rule, cursor and limit must be the
same: nothing lost, nothing doubled.
"""

import argparse
import json
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg

from alerting.desk import Connection, Desk, connect
from alerting.judging.judge import Judge
from alerting.judging.limits import Limits, save_baseline
from alerting.orders import NewOrder, OrderError, order_limit, revoke_order
from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Profile
from alerting.sweep import sweep
from hearthwatch.bench.engine_script import EVERY_S, PATIENTS, Doing, Step, script
from hearthwatch.migrations import migrate
from hearthwatch.services.databases import best_database
from hearthwatch.services.postgres import SETTINGS_OF_TESTS
from hearthwatch.services.supervisor import Supervisor
from ingest.judging.decode import read_packed
from ingest.judging.screening import Incoming
from ingest.store.registry import Registry
from ingest.store.storing import Batch, prepare, store
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.wire import DeviceEntry, Header, Row, pack

KILL_SHARE = 0.3
"""Of the turns of a disturbed course; at least one is killed."""

LEASE = timedelta(microseconds=1)
"""Run out at once: a process of another name need not wait."""

PARTITIONS = sorted({patient % 32 for patient in PATIENTS})
SPO2 = SIGNALS[Signal.SPO2].code

COUNTY = """
INSERT INTO organisation (organisation_id, key, name, name_en, facility_role) VALUES (1, 'c', 'C', 'C', 'county');
INSERT INTO person (person_id, key, name, name_en, organisation_id, role, service_tier, channels)
     VALUES (1, 'doctor', 'D', 'D', 1, 'family_doctor', 2, '{json://localhost:1/d}');
INSERT INTO patient (patient_id, key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id, risk_colour,
                     service_tier)
     SELECT n, 'p' || n, 'P' || n, 'P', '', '1970-01-01', 'female', 1, 1, 'yellow', 2
       FROM unnest(%(patients)s::integer[]) n;
INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw', 1);
INSERT INTO device (device_id, key, kind, expected_every_s)
     SELECT 1000 + n, 'C0:00:00:00:00:' || lpad(to_hex(n), 2, '0'), 'oximeter', 3
       FROM unnest(%(patients)s::integer[]) n;
INSERT INTO binding (device_id, patient_id, valid)
     SELECT 1000 + n, n, '[2020-01-01 00:00+00,)' FROM unnest(%(patients)s::integer[]) n;
UPDATE registry_version SET version = version + 1;
"""
CLEAN = """
TRUNCATE limit_order RESTART IDENTITY;
DELETE FROM episode_event; DELETE FROM notice; DELETE FROM episode; DELETE FROM pending; DELETE FROM active_rule;
DELETE FROM engine_snapshot; DELETE FROM engine_limits; DELETE FROM engine_worker; DELETE FROM limits_said;
DELETE FROM baseline; DELETE FROM intake_log; DELETE FROM sample; DELETE FROM latest; DELETE FROM evidence_window;
DELETE FROM outbox_account; DELETE FROM outbox_owner; DELETE FROM rejected;
UPDATE partition SET head = 0 WHERE head > 0;
UPDATE engine_cursor SET batch_id = 0, owner = '', leased_until = NULL;
UPDATE intake_reader SET batch_id = 0 WHERE batch_id > 0;
"""
RECORD = {
    "episodes": """SELECT patient_id, family, rule, priority, emergency, tier3, condition, state, step, since,
                          raised_at, detected_at, alarmed_at, due_at, raise_count, cleared_at, evidence, profile_hash
                     FROM episode ORDER BY patient_id, family, since, raised_at""",
    "events": """SELECT e.patient_id, e.family, v.at, v.kind, v.from_state, v.to_state, v.key, v.detail
                   FROM episode_event v JOIN episode e USING (episode_id) ORDER BY e.patient_id, v.event_id""",
    "notices": """SELECT e.patient_id, e.family, n.recipient, n.audience, n.step, n.created_at, n.title,
                        regexp_replace(n.body, '[0-9]+$', '') AS body  -- its link has the episode's number
                    FROM notice n JOIN episode e USING (episode_id) ORDER BY e.patient_id, n.notice_id""",
    "pending": "SELECT * FROM pending ORDER BY patient_id, rule, basis",
    "active": "SELECT * FROM active_rule ORDER BY patient_id, rule, basis",
    "cursors": "SELECT partition, batch_id, head FROM engine_cursor JOIN partition USING (partition) ORDER BY 1",
    "limits": "SELECT partition, patient_id, batch_id, said FROM engine_limits ORDER BY 1, 2, 3",
}
Record = dict[str, list[Any]]


class Killed(BaseException):
    """The process ends here; no handler of errors sees it."""


class Way(StrEnum):
    """How a process is killed, and what goes on afterwards."""

    FAILS = "fails"  # the turn is given up, the process and its arrays live on
    LOSES_CONNECTION = "loses_connection"  # the same, on a new connection
    DIES = "dies"  # one of its name begins anew
    DIES_FOR_ANOTHER = "dies_for_another"  # one of another name takes over


@dataclass(slots=True)
class Found:
    """What came of many runs."""

    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    after_commit: int = 0
    turns: int = 0
    statements: int = 0
    recorded: Counter[str] = field(default_factory=Counter)
    different: list[dict[str, Any]] = field(default_factory=list)

    def as_document(self, *, seconds: float) -> dict[str, Any]:
        """Give the counts as plain values."""
        return {
            "runs": self.runs,
            "kills": sum(self.kills.values()),
            "kills_by_way": dict(sorted(self.kills.items())),
            "of_these_behind_the_commit": self.after_commit,
            "turns": self.turns,
            "statements_of_undisturbed_turns": self.statements,
            "recorded_undisturbed": dict(sorted(self.recorded.items())),
            "different": len(self.different),
            "differences": self.different[:10],
            "seconds": round(seconds, 1),
        }


class Course(AbstractContextManager["Course"]):
    """A ward on a migrated database, on which scripts are carried out one after another."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.profile: Profile = parse_profile(standard_adult())
        self.steering: Connection = connect(dsn, "crash-steering")
        if not self.steering.execute("SELECT FROM patient LIMIT 1").fetchall():
            with psycopg.ClientCursor(self.steering) as cursor:
                cursor.execute(COUNTY, {"patients": list(PATIENTS)})
        self._ingest = psycopg.connect(dsn, autocommit=True)
        prepare(self._ingest)
        self._registry = Registry()

    def __exit__(self, *_: object) -> None:
        self.steering.close()
        self._ingest.close()

    def desk(self, connection: Connection, now: datetime) -> Desk:
        """Give a desk at a clinical instant."""
        return Desk(connection=connection, profile=self.profile, now=now)

    def begin(self) -> None:
        """Forget everything but the registry."""
        self.steering.execute(CLEAN)
        rules = self.profile
        desk = self.desk(self.steering, datetime.fromisoformat("2026-03-01T12:00Z"))
        desk.run("save_profile", profile_hash=rules.profile_hash, name=rules.name, body=rules.body, now=desk.now)
        self._outbox, self._next_row, self._limits = uuid.UUID(int=1), 0, Limits()

    def do(self, step: Step) -> None:
        """Carry out a step that is not the engine's."""
        desk = self.desk(self.steering, step.now)
        match step.doing:
            case Doing.STREAM:
                self._store(step, Acquisition.CONTINUOUS)
            case Doing.CLIP:
                self._store(step, Acquisition.SPOT)
            case Doing.ORDER:
                for rule, limit in (("SPO2-CRIT", 83), ("SPO2-REFER", 88)):
                    self._order(step, rule, limit)
            case Doing.REVOKE:
                self._revoke(step)
            case Doing.BASELINE:
                save_baseline(desk, step.patient, step.baseline)
            case Doing.SAY:
                self._limits.turn(lambda: desk)
            case Doing.SWEEP:
                sweep(desk)
            case Doing.SNAPSHOT | Doing.JUDGE:
                raise AssertionError(f"{step.doing} is the engine's")

    def record(self) -> Record:
        """Read all that was recorded."""
        return {name: self.steering.execute(query.encode()).fetchall() for name, query in RECORD.items()}

    def _order(self, step: Step, rule: str, limit: float) -> None:
        until = step.now + timedelta(days=1)
        order = NewOrder(
            patient=f"p{step.patient}", rule=rule, limit=limit, clear_at=None, reason="drawn", until=until, by="doctor"
        )
        order_limit(self.steering, order, profile=self.profile, now=step.now)

    def _revoke(self, step: Step) -> None:
        for row in self.steering.execute(
            "SELECT order_id FROM limit_order WHERE revoked_at IS NULL AND patient_id = %s", (step.patient,)
        ).fetchall():
            try:
                revoke_order(self.steering, row.order_id, by="doctor", profile=self.profile, now=step.now)
            except OrderError:
                continue  # it had ended by itself

    def _store(self, step: Step, acquisition: Acquisition) -> None:
        header = Header(
            outbox_id=self._outbox,
            first_row=self._next_row,
            boot_id=1,
            t0_ms=round(step.begin.timestamp() * 1000),
            sent_ms=round(step.now.timestamp() * 1000),
            synchronised=True,
            backlog=False,
            offset_unit_ms=1000,
            devices=(DeviceEntry(device=f"C0:00:00:00:00:{step.patient:02x}", acquisition=acquisition),),
        )
        rows = [
            Row(offset=number * EVERY_S, device_index=0, signal_code=SPO2, value=value, quality=0, reason=0)
            for number, value in enumerate(step.values)
        ]
        self._next_row += len(rows)
        now_ms = header.sent_ms
        message = Incoming(gateway_id="gw", received_ms=now_ms, decoded=read_packed(pack(header, rows)))
        stored = store(self._ingest, Batch(now_ms=now_ms, messages=[message]), self._registry, retention_days=90)
        assert stored.readings == len(rows), f"{stored.refused} refused of {step}"


class Engine:
    """The process under test: judges turn by turn, and can be killed at the n-th statement of one."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._names = 0
        self._statements = 0
        self._kill_at = 0
        self._way = Way.FAILS
        self.connection = self._connect()
        self._judge = self._new_judge()

    def turn(self, now: datetime) -> int:
        """Judge what has come; gives how many statements that took."""
        self._statements = 0
        self._judge.catch_up(lambda: self._course.desk(self.connection, now))
        return self._statements

    def killed_turn(self, now: datetime, *, at: int, way: Way) -> bool:
        """Judge, be killed at this statement (beyond the last: behind the commit), recover; says if it was behind."""
        self._kill_at, self._way = at, way
        behind = False
        try:
            self.turn(now)
            behind = True
        except (Killed, psycopg.OperationalError):
            pass
        self._kill_at = 0
        if way in (Way.DIES, Way.DIES_FOR_ANOTHER):
            self.connection.close()
            self._names += way is Way.DIES_FOR_ANOTHER
            self._judge = self._new_judge()
        if self.connection.closed:
            self.connection = self._connect()
        self.turn(now)
        return behind

    def snapshot(self, now: datetime) -> None:
        """Write the arrays."""
        self._judge.save_snapshots(self._course.desk(self.connection, now))

    def _new_judge(self) -> Judge:
        return Judge(PARTITIONS, f"engine-{self._names}", LEASE)

    def _connect(self) -> Connection:
        connection = connect(self._course.dsn, "crash-engine")
        engine = self

        class Counting(psycopg.Cursor[Any]):
            def execute(self, *arguments: Any, **named: Any) -> "Counting":
                engine.count()
                return super().execute(*arguments, **named)

        connection.cursor_factory = Counting
        return connection

    def count(self) -> None:
        """Count a statement that is about to be executed; the fatal one is not."""
        self._statements += 1
        if self._statements != self._kill_at:
            return
        if self._way is Way.FAILS:
            raise Killed
        self.connection.close()  # the server rolls back; the statement fails on a closed connection
        if self._way is not Way.LOSES_CONNECTION:
            raise Killed


def run(course: Course, seed: int, found: Found, *, disturbed: int = 1) -> None:
    """Carry out one seed's script undisturbed, then so many times with kills, each a run; compare the records."""
    steps = script(seed)
    statements, undisturbed = _undisturbed(course, steps)
    found.turns += len(statements)
    found.statements += sum(statements)
    found.recorded.update({name: len(rows) for name, rows in undisturbed.items()})
    for number in range(disturbed):
        draw = random.Random(f"{seed}/{number}")
        got = _disturbed(course, steps, statements, draw, found)
        found.runs += 1
        if got != undisturbed:
            differing = {
                name: _first_difference(undisturbed[name], got[name]) for name in got if got[name] != undisturbed[name]
            }
            found.different.append({"seed": seed, "number": number, "in": differing})


def _undisturbed(course: Course, steps: list[Step]) -> tuple[list[int], Record]:
    course.begin()
    engine = Engine(course)
    statements = []
    for step in steps:
        if step.doing is Doing.JUDGE:
            statements.append(engine.turn(step.now))
        elif step.doing is Doing.SNAPSHOT:
            engine.snapshot(step.now)
        else:
            course.do(step)
    engine.connection.close()
    return statements, course.record()


def _disturbed(course: Course, steps: list[Step], statements: list[int], draw: random.Random, found: Found) -> Record:
    fatal = {number for number in range(len(statements)) if draw.random() < KILL_SHARE}
    fatal |= {draw.randrange(len(statements))}
    course.begin()
    engine, turn = Engine(course), -1
    for step in steps:
        if step.doing is Doing.SNAPSHOT:
            engine.snapshot(step.now)
        elif step.doing is not Doing.JUDGE:
            course.do(step)
        elif (turn := turn + 1) in fatal:
            way = draw.choice(list(Way))
            behind = engine.killed_turn(step.now, at=draw.randint(1, statements[turn] + 1), way=way)
            found.kills[way] += 1
            found.after_commit += behind
        else:
            engine.turn(step.now)
    engine.connection.close()
    return course.record()


def _first_difference(expected: list[Any], got: list[Any]) -> dict[str, str]:
    place = next(
        (n for n, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got))
    )
    return {
        "expected": str(expected[place : place + 1])[:600],
        "got": str(got[place : place + 1])[:600],
        "counts": f"{len(expected)} and {len(got)}",
    }


def measure(folder: Path, *, runs: int, first_seed: int, each: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Carry out so many runs on a database of their own; gives the counts."""
    found, began_s = Found(), time.monotonic()
    with Supervisor(folder / "log") as supervisor, best_database(settings=SETTINGS_OF_TESTS) as database:
        supervisor.start(database.process())
        with psycopg.connect(database.dsn(), autocommit=True) as maker:
            maker.execute("CREATE DATABASE crashes")
        migrate(database.dsn("crashes"))
        with Course(database.dsn("crashes")) as course:
            seed = first_seed
            while found.runs < runs:
                run(course, seed, found, disturbed=min(each, runs - found.runs))
                seed += 1
                if (seed - first_seed) % 10 == 0:
                    say(f"{found.runs} runs, {sum(found.kills.values())} kills, {len(found.different)} different")
    return found.as_document(seconds=time.monotonic() - began_s)


def main() -> int:
    """Run from the command line: the counts as JSON on stdout; ends with 1 where anything differed."""
    import sys

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # kills are loud by nature
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--each", type=int, default=4, help="disturbed runs of one seed")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(
            Path(folder),
            runs=asked.runs,
            first_seed=asked.first_seed,
            each=asked.each,
            say=lambda text: print(text, file=sys.stderr, flush=True),  # noqa: T201 - a command's progress
        )
    print(json.dumps(found, indent=1, ensure_ascii=False))  # noqa: T201 - a command's result
    return bool(found["different"])


if __name__ == "__main__":
    raise SystemExit(main())

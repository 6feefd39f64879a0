"""Kills the engine at random statements, again and again, and compares with a course that nobody disturbed.

    python -m hearthwatch.bench.engine.crash --runs 1000

Each run draws a ward's course (script.py), lets it be judged once undisturbed, and once with kills: at a random
statement of a turn, or right behind its commit, the process fails, loses its connection, or dies and is followed by one
of its name or of another. Then every episode, event, notice, pending and active rule, cursor and limit must be the
same: nothing lost, nothing doubled.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
import structlog

from alerting.desk import Connection, connect
from alerting.judging.judge import Judge
from hearthwatch.bench.engine.course import Course, Record
from hearthwatch.bench.engine.script import PATIENTS, Doing, Step, script
from hearthwatch.migrations import migrate
from hearthwatch.services.databases import best_database
from hearthwatch.services.postgres import SETTINGS_OF_TESTS
from hearthwatch.services.supervisor import Supervisor

KILL_SHARE = 0.3
"""Of the turns of a disturbed course; at least one is killed."""

BEHIND_SHARE = 0.15
"""Of the kills: behind the last statement, when all is committed."""

LEASE = timedelta(microseconds=1)
"""Run out at once: a process of another name need not wait."""

ENDS_WITHIN_S = 60.0

PARTITIONS = sorted({patient % 32 for patient in PATIENTS})


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
            left_behind, self.connection = self._pid, self._connect()
            self._await_end_of(left_behind)
        self.turn(now)
        return behind

    def _await_end_of(self, pid: int) -> None:
        """Wait until the server has rolled back what a closed connection left: it holds partitions until then."""
        limit_s = time.monotonic() + ENDS_WITHIN_S
        with connect(self._course.dsn, "crash-look") as looking:
            while looking.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() is not None:
                if time.monotonic() > limit_s:
                    raise TimeoutError(f"backend {pid} of a closed connection goes on after {ENDS_WITHIN_S} s")
                time.sleep(0.002)

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
        self._pid = connection.info.backend_pid
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


def run(course: Course, seed: int, found: Found, *, numbers: Iterable[int] = (0,)) -> None:
    """Carry out a seed's script undisturbed, then by each number with other kills, each a run; compare the records."""
    steps = script(seed)
    statements, undisturbed = _undisturbed(course, steps)
    found.turns += len(statements)
    found.statements += sum(statements)
    found.recorded.update({name: len(rows) for name, rows in undisturbed.items()})
    for number in numbers:
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
            course.store_received()
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
            continue
        if step.doing is not Doing.JUDGE:
            course.do(step)
            continue
        course.store_received()
        turn += 1
        if turn in fatal:
            way = draw.choice(list(Way))
            last = statements[turn]
            at = last + 1 if draw.random() < BEHIND_SHARE else draw.randint(1, last)
            behind = engine.killed_turn(step.now, at=at, way=way)
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
                differed = len(found.different)
                run(course, seed, found, numbers=range(min(each, runs - found.runs)))
                seed += 1
                if (seed - first_seed) % 10 == 0 or len(found.different) > differed:
                    say(f"{found.runs} runs, {sum(found.kills.values())} kills, {len(found.different)} different")
    return found.as_document(seconds=time.monotonic() - began_s)


def main() -> int:
    """Run from the command line: the counts as JSON on stdout; ends with 1 where anything differed."""
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

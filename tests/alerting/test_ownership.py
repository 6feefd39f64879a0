"""Several workers share the partitions: each is judged by one, whoever dies, freezes or comes, and nothing twice."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.desk import Connection, Desk, connect
from alerting.judging.judge import Judge
from alerting.judging.owning import Ownership
from alerting.judging.sharing import fair_share
from tests.alerting.streams import FALL_S, profile
from tests.alerting.ward import Ward

pytestmark = pytest.mark.long

CRITICAL, WELL = [8400], [9700]
FOR_EVER, AT_ONCE = timedelta(hours=1), timedelta(microseconds=1)


class Worker:
    """An alerting process's judging: its own connection, its own arrays."""

    def __init__(self, ward: Ward, name: str, lease: timedelta, partitions: Sequence[int]) -> None:
        self.ward = ward
        self.connection: Connection = connect(ward.dsn, name)
        self.judge = Judge(partitions, name, lease)

    def desk(self) -> Desk:
        return Desk(connection=self.connection, profile=profile(), now=self.ward.now, link="http://console")

    def turn(self) -> int:
        """Give a sign of life, then judge what has come."""
        self.judge.take_over(self.desk())
        return self.judge.catch_up(self.desk)

    def die(self) -> None:
        self.connection.close()


@pytest.fixture
def ward(database: str) -> Iterator[Ward]:
    """A ward on TimescaleDB alone, whose own engine has left."""
    with Ward(database) as made:
        made.judge.leave(made.desk())
        yield made


@pytest.fixture
def hire(ward: Ward) -> Iterator[Callable[..., Worker]]:
    """Workers, gone at the end of the test."""
    hired: list[Worker] = []

    def one(name: str, lease: timedelta = FOR_EVER, partitions: Sequence[int] = range(32)) -> Worker:
        hired.append(Worker(ward, name, lease, partitions))
        return hired[-1]

    yield one
    for worker in hired:
        worker.die()


def owners(ward: Ward) -> dict[str, int]:
    """How many partitions each name has in the database."""
    rows = ward.connection.execute("SELECT owner, count(*) AS n FROM engine_cursor GROUP BY owner").fetchall()
    return {row.owner: row.n for row in rows}


def run_out(ward: Ward) -> None:
    """Let every lease and every sign of life have run out, as the server sees it."""
    ward.connection.execute("UPDATE engine_cursor SET leased_until = clock_timestamp() - interval '1 s'")
    ward.connection.execute("UPDATE engine_worker SET alive_until = clock_timestamp() - interval '1 s'")


def physiological(ward: Ward) -> list[Any]:
    return [(e.patient_id, e.rule, e.raise_count) for e in ward.episodes() if not e.technical]


@given(st.sets(st.text(max_size=3), min_size=1, max_size=40), st.integers(0, 32))
def test_shares_add_up_and_differ_by_one_at_most(workers: set[str], partitions: int) -> None:
    shares = [fair_share(sorted(workers), each, partitions) for each in workers]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize("count", [2, 3, 5])
def test_workers_come_to_equal_shares_and_then_leave_each_other_alone(
    ward: Ward, hire: Callable[..., Worker], count: int
) -> None:
    workers = [hire(f"w{n}") for n in range(count)]
    for _ in range(2 * count):
        for worker in workers:
            worker.turn()
    assert sorted(owners(ward).values()) == sorted(
        fair_share([str(n) for n in range(count)], str(n), 32) for n in range(count)
    )
    before = ward.connection.execute("SELECT partition, owner, version FROM engine_cursor ORDER BY 1").fetchall()
    for _ in range(5):
        for worker in workers:
            worker.turn()
    assert (
        ward.connection.execute("SELECT partition, owner, version FROM engine_cursor ORDER BY 1").fetchall() == before
    )


def test_a_dead_workers_partitions_are_left_to_it_for_its_lease_and_then_taken(
    ward: Ward, hire: Callable[..., Worker]
) -> None:
    first, second = hire("first"), hire("second")
    first.turn()
    first.die()
    second.turn()
    assert owners(ward) == {"first": 32}
    run_out(ward)
    ward.spo2(1, CRITICAL * FALL_S, judged=False)
    second.turn()
    assert owners(ward) == {"second": 32}
    assert physiological(ward) == [(1, "SPO2-CRIT", 1)]


def test_the_clinical_clock_ends_no_lease(ward: Ward, hire: Callable[..., Worker]) -> None:
    first, second = hire("first"), hire("second")
    first.turn()
    ward.now += timedelta(days=400)
    second.turn()
    assert owners(ward) == {"first": 32}


def test_a_worker_that_ends_in_good_order_is_followed_at_once(ward: Ward, hire: Callable[..., Worker]) -> None:
    first, second = hire("first"), hire("second")
    ward.spo2(1, WELL * 60, judged=False)
    first.turn()
    first.judge.leave(first.desk())
    second.turn()
    assert owners(ward) == {"second": 32}
    assert ward.connection.execute("SELECT count(*) AS n FROM engine_snapshot").fetchone() == (1,)


def test_a_process_of_the_same_name_takes_its_own_at_once(hire: Callable[..., Worker]) -> None:
    first, again = hire("same"), hire("same")
    first.turn()
    first.die()
    again.turn()
    assert len(again.judge.partitions) == 32


def test_two_processes_of_one_name_come_to_share(ward: Ward, hire: Callable[..., Worker]) -> None:
    first, second = hire("same"), hire("same")
    for _ in range(4):
        first.turn()
        second.turn()
    assert sorted(owners(ward).values()) == [16, 16]
    assert {first.judge.owner, second.judge.owner} == set(owners(ward))
    versions = ward.connection.execute("SELECT sum(version) AS n FROM engine_cursor").fetchone()
    for _ in range(4):
        first.turn()
        second.turn()
    assert ward.connection.execute("SELECT sum(version) AS n FROM engine_cursor").fetchone() == versions


def test_a_worker_that_lost_a_partition_between_turns_records_nothing_of_it(
    ward: Ward, hire: Callable[..., Worker]
) -> None:
    slow, quick = hire("slow"), hire("quick")
    ward.spo2(1, WELL * 60, judged=False)
    slow.turn()
    run_out(ward)
    quick.judge.take_over(quick.desk())
    ward.spo2(1, CRITICAL * FALL_S, judged=False)
    cursor = ward.connection.execute("SELECT batch_id FROM engine_cursor WHERE partition = 1").fetchone()
    assert slow.judge.catch_up(slow.desk) == 0
    assert physiological(ward) == []
    assert ward.connection.execute("SELECT batch_id FROM engine_cursor WHERE partition = 1").fetchone() == cursor
    quick.turn()
    assert physiological(ward) == [(1, "SPO2-CRIT", 1)]


def test_the_snapshot_of_a_worker_that_lost_the_partition_is_not_written(
    ward: Ward, hire: Callable[..., Worker]
) -> None:
    """An older one over a newer would begin where the log was trimmed."""
    slow, quick = hire("slow"), hire("quick")
    ward.spo2(1, WELL * 60, judged=False)
    slow.turn()
    run_out(ward)
    ward.spo2(1, WELL * 60, judged=False)
    quick.turn()
    quick.judge.save_snapshots(quick.desk())
    newest = ward.connection.execute("SELECT partition, batch_id FROM engine_snapshot").fetchall()
    assert slow.judge.save_snapshots(slow.desk()) == 0
    assert ward.connection.execute("SELECT partition, batch_id FROM engine_snapshot").fetchall() == newest
    read = ward.connection.execute("SELECT batch_id FROM intake_reader WHERE reader = 'alerting' AND partition = 1")
    assert [row.batch_id for row in read.fetchall()] == [row.batch_id for row in newest]


def test_a_worker_that_freezes_amidst_a_transaction_is_cut_off_and_followed(
    ward: Ward, hire: Callable[..., Worker]
) -> None:
    frozen, quick = hire("frozen"), hire("quick")
    ward.spo2(1, WELL * 60, judged=False)
    frozen.turn()
    ward.spo2(1, CRITICAL * FALL_S, judged=False)
    (row,) = ward.connection.execute("SELECT version FROM engine_cursor WHERE partition = 1").fetchall()
    run_out(ward)
    Ownership([], "frozen", timedelta(seconds=3)).bound_idleness(frozen.desk())
    frozen.connection.execute("BEGIN")
    assert frozen.desk().one("lock_cursor", partition=1, version=row.version) is not None
    quick.judge.take_over(quick.desk())
    assert quick.judge.partitions == [n for n in range(32) if n != 1]
    free = threading.Thread(target=_wait_for_row, args=(ward.dsn,))
    free.start()
    free.join(timeout=60)  # until the server has ended the frozen one's transaction
    with pytest.raises(psycopg.Error):
        frozen.connection.execute("COMMIT")
    quick.turn()
    assert physiological(ward) == [(1, "SPO2-CRIT", 1)]


def _wait_for_row(dsn: str) -> None:
    with connect(dsn, "waits") as other, other.transaction():
        other.execute("SELECT FROM engine_cursor WHERE partition = 1 FOR UPDATE")


class Between(psycopg.Cursor[Any]):
    """A cursor that lets something happen before one statement of those it is asked for."""

    at = -1
    count = 0
    then: Callable[[], object] = staticmethod(lambda: None)

    def execute(self, *arguments: Any, **named: Any) -> "Between":
        Between.count += 1
        if Between.count == Between.at:
            Between.then()
        return super().execute(*arguments, **named)


def test_whenever_in_a_transaction_another_takes_over_each_event_is_recorded_once(
    ward: Ward, hire: Callable[..., Worker]
) -> None:
    """Every statement of a turn that raises, in turn, is met by another worker that takes all it can and judges it."""
    first, second = hire("first", AT_ONCE, [1]), hire("second", AT_ONCE, [1])
    ward.spo2(1, WELL * 60, judged=False)
    first.turn()
    first.connection.cursor_factory = Between
    statement, raised, lost = 0, 0, 0
    while True:
        statement += 1
        ward.spo2(1, CRITICAL * FALL_S, judged=False)
        Between.count, Between.at, Between.then = 0, statement, second.turn
        first.judge.catch_up(first.desk)
        took_place = Between.count >= statement
        Between.at = -1
        lost += "second" in owners(ward)
        second.turn()
        first.turn()
        raised += 1
        keys = ward.connection.execute("SELECT key FROM episode_event WHERE key IS NOT NULL").fetchall()
        raises = [row.key for row in keys if ":SPO2-CRIT:sustained:" in row.key]
        assert len(raises) == raised, f"at statement {statement}"
        heads = ward.connection.execute(
            "SELECT c.batch_id, p.head FROM engine_cursor c JOIN partition p USING (partition) WHERE partition = 1"
        ).fetchone()
        assert heads.batch_id == heads.head
        ward.spo2(1, WELL * 660, judged=False)
        first.turn()
        second.turn()
        if not took_place:
            break
    assert statement > 20
    assert lost > 0

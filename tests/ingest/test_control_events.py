"""The log carries events that are no readings: whoever reads readings passes over them, and order holds for all."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ingest.feed import BatchKind
from ingest.store.log import append
from ingest.tend import rollups
from ingest.tend.horizon import newest_received
from ingest.tend.retention import trim_log
from tests.ingest.county import NOW, NOW_MS, OXIMETER, PULSE, SPO2, Home, connect, heard_at, put, rows_of
from tests.ingest.rollup_oracle import expected, found

DAY = timedelta(days=1)
SAID = b'{"patient": 1}\n'


@pytest.fixture
def rolled(county: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The county with no roll-ups yet."""
    county.execute(
        "TRUNCATE minute_rollup, hour_rollup, dirty_hour; UPDATE intake_reader SET batch_id = 0;"
        " UPDATE partition SET head = 0; UPDATE dropped SET before = '-infinity'"
    )
    rollups.prepare(county)
    return county


def readings(connection: psycopg.Connection[Any], home: Home, *, minutes: float = 0) -> None:
    """Store two readings of patient 1, in partition 1."""
    at_ms = NOW_MS + round(minutes * 60_000)
    put(
        connection,
        home.message([(0, SPO2, 9500), (0, PULSE, 7000)], t0_ms=at_ms, devices=[OXIMETER]),
        received_ms=at_ms,
    )


def event(connection: psycopg.Connection[Any], *, minutes: float = 0, partition: int = 1) -> None:
    append(connection, BatchKind.LIMITS, [(partition, SAID)], received_at=NOW + timedelta(minutes=minutes))


def cursor(connection: psycopg.Connection[Any]) -> int:
    statement = "SELECT batch_id FROM intake_reader WHERE reader = 'rollups' AND partition = 1"
    return int(rows_of(connection, statement)[0][0])


def test_events_stand_among_readings_in_the_order_of_their_commits(rolled: psycopg.Connection[Any]) -> None:
    home = Home()
    readings(rolled, home)
    event(rolled)
    readings(rolled, home, minutes=1)
    assert rows_of(rolled, "SELECT batch_id, kind, octet_length(payload) FROM intake_log ORDER BY 1") == [
        (1, "readings", 48),
        (2, "limits", len(SAID)),
        (3, "readings", 48),
    ]


def test_an_event_waits_for_a_batch_that_is_being_committed(rolled: psycopg.Connection[Any]) -> None:
    other = connect(rolled.info.dsn)
    with rolled.transaction():
        readings(rolled, Home())
        late = threading.Thread(target=event, args=(other,))
        late.start()
        assert rows_of(rolled, "SELECT head FROM partition WHERE partition = 1") == [(1,)]
    late.join(timeout=30)
    other.close()
    assert rows_of(rolled, "SELECT batch_id, kind FROM intake_log ORDER BY 1") == [(1, "readings"), (2, "limits")]


def test_a_kind_that_nobody_knows_is_refused(rolled: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        rolled.execute("INSERT INTO intake_log VALUES (1, 1, now(), 'x', 'gossip')")


@pytest.mark.parametrize("places", [(0,), (1,), (2,), (0, 1, 2), (1, 1, 2, 2)])
def test_the_roll_ups_pass_over_events_and_make_the_same_minutes(
    rolled: psycopg.Connection[Any], places: tuple[int, ...]
) -> None:
    home = Home()
    for place in range(3):
        for _ in range(places.count(place)):
            event(rolled, minutes=place)
        readings(rolled, home, minutes=place)
        rollups.roll_minutes(rolled, NOW)
    event(rolled)
    turn = rollups.roll_minutes(rolled, NOW)
    assert (turn.done, turn.left, turn.more) == (0, 0, False)
    assert cursor(rolled) == 3 + len(places) + 1
    assert found(rolled, "minute_rollup") == expected(rolled, 60_000)
    assert len(expected(rolled, 60_000)) == 3


def test_an_event_is_no_reading_for_retention(rolled: psycopg.Connection[Any]) -> None:
    event(rolled, minutes=5 * 24 * 60)
    assert newest_received(rolled) is None
    readings(rolled, Home())
    event(rolled, minutes=6 * 24 * 60)
    assert newest_received(rolled) == NOW


def test_the_log_keeps_the_readings_before_an_event_that_came_days_later(rolled: psycopg.Connection[Any]) -> None:
    """The engine fills its windows with them, should the home that was cut off go on where it stopped."""
    home = Home()
    for minutes in (0, 30, 70, 80):
        readings(rolled, home, minutes=minutes)
    event(rolled, minutes=9 * 24 * 60)
    rolled.execute("UPDATE intake_reader SET batch_id = 5 WHERE partition = 1")
    heard_at(rolled, NOW + 20 * DAY)
    rolled.execute("UPDATE intake_reader r SET batch_id = p.head FROM partition p WHERE r.partition = p.partition")
    trim_log(rolled, NOW + 20 * DAY, kept=3 * DAY)
    assert [row[0] for row in rows_of(rolled, "SELECT batch_id FROM intake_log WHERE partition = 1 ORDER BY 1")] == [
        2,
        3,
        4,
        5,
    ]

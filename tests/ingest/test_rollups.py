"""Roll-ups beside an oracle in plain Python: whatever the order, the gaps, the crashes, they are what `sample` says."""

import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hearthwatch.services.process import tied_to_parent
from ingest.store.registry import Registry
from ingest.tend import rollups
from tests.ingest.county import (
    LENT,
    NOW,
    NOW_MS,
    OXIMETER,
    PULSE,
    SPO2,
    TEMPERATURE,
    THERMOMETER,
    Home,
    put,
    rows_of,
)
from tests.ingest.rollup_oracle import expected, found
from tests.ingest.service import wait_until
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
LATER_MS = NOW_MS + 120_000
QUESTIONABLE = (Quality.QUESTIONABLE, Reason.POOR_SIGNAL)
INVALID = (Quality.INVALID, Reason.FINGER_OUT)


@pytest.fixture
def rolled(county: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The county with no roll-ups yet."""
    county.execute(
        "TRUNCATE minute_rollup, hour_rollup, dirty_hour; UPDATE intake_reader SET batch_id = 0;"
        " UPDATE dropped SET before = '-infinity'"
    )
    rollups.prepare(county)
    return county


def roll(connection: psycopg.Connection[Any], readings_max: int = rollups.READINGS_MAX) -> int:
    """Roll up all there is; gives the number of turns that minutes took."""
    turns = 1
    while rollups.roll_minutes(connection, NOW, readings_max=readings_max).more:
        turns += 1
    while rollups.roll_hours(connection, NOW).more:
        pass
    return turns


def held_at(connection: psycopg.Connection[Any], offset_s: int) -> tuple[int, int, int]:
    """Give a minute's covered, below 90 and below 93 ms."""
    values = {"at": NOW + timedelta(seconds=offset_s)}
    statement = b"SELECT covered_ms, below_90_ms, below_93_ms FROM minute_rollup WHERE begins_at = %(at)s"
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return (row[0], row[1], row[2])


def same_as_oracle(connection: psycopg.Connection[Any]) -> int:
    """Hold everything against the oracle; gives how many minutes there are."""
    minutes = expected(connection, MINUTE_MS)
    assert found(connection, "minute_rollup") == minutes
    assert found(connection, "hour_rollup") == expected(connection, HOUR_MS)
    return len(minutes)


def test_a_minute_has_its_figures_in_the_signals_unit(rolled: psycopg.Connection[Any]) -> None:
    readings = [(0, SPO2, 9500), (5_000, SPO2, 8900), (10_000, SPO2, 9200), (15_000, SPO2, 8800, *QUESTIONABLE),
                (20_000, SPO2, NO_VALUE, *INVALID), (0, PULSE, 7000)]  # fmt: skip
    put(rolled, Home().message(readings))
    roll(rolled)
    lines = rows_of(
        rolled,
        "SELECT signal, low::float8, mean::float8, high::float8, good, count, good_share::float8, covered_s::float8,"
        " below_90_s::float8, below_93_s::float8 FROM reading_minute ORDER BY signal DESC",
    )
    assert lines == [
        ("spo2", 89.0, 92.0, 95.0, 3, 5, 0.6, 20.0, 5.0, 15.0),
        ("pulse", 70.0, 70.0, 70.0, 1, 1, 1.0, None, None, None),
    ]
    assert rows_of(rolled, "SELECT signal, mean::float8, below_90_s::float8 FROM reading_hour ORDER BY 1") == [
        ("pulse", 70.0, None),
        ("spo2", 92.0, 5.0),
    ]


@pytest.mark.parametrize(
    ("first_ms", "next_ms", "here_ms", "there_ms"),
    [
        (40_000, 45_000, 5_000 + 10_000, None),
        (40_000, 50_000, 10_000 + 10_000, None),
        (20_000, 40_000, 10_000 + 10_000, None),
        (46_000, 56_000, 10_000 + 4_000, 6_000),
        (50_000, 65_000, 10_000, 10_000),
        (59_999, 60_000, 1, 10_000),
    ],
)
def test_a_value_holds_until_the_next_or_for_ten_seconds_and_its_time_is_cut_at_the_minute(
    rolled: psycopg.Connection[Any], first_ms: int, next_ms: int, here_ms: int, there_ms: int | None
) -> None:
    home = Home()
    for at_ms in (first_ms, next_ms):
        put(rolled, home.message([(at_ms, SPO2, 8900)]), received_ms=LATER_MS)
        roll(rolled)
    assert held_at(rolled, 0) == (here_ms, here_ms, here_ms)
    if there_ms is not None:
        assert held_at(rolled, 60) == (there_ms, there_ms, there_ms)
    same_as_oracle(rolled)


def test_two_oximeters_never_hold_longer_than_the_minute(rolled: psycopg.Connection[Any]) -> None:
    rolled.execute("INSERT INTO binding (device_id, patient_id, valid) VALUES (19, 1, '[2020-01-01 00:00+00,)')")
    rolled.execute("UPDATE registry_version SET version = version + 1")
    values = [(at, SPO2, 8800) for at in range(0, 60_000, 1_000)]
    put(rolled, Home().message(values), Home().message(values, devices=["C0:00:00:00:00:09"]))
    roll(rolled)
    assert held_at(rolled, 0) == (60_000, 60_000, 60_000)
    same_as_oracle(rolled)


def test_a_spot_reading_counts_and_holds_for_no_time(rolled: psycopg.Connection[Any]) -> None:
    put(rolled, Home().message([(0, SPO2, 8800)], acquisition=1))
    roll(rolled)
    assert held_at(rolled, 0) == (0, 0, 0)
    assert rows_of(rolled, "SELECT spo2_sum, spo2_good FROM minute_rollup") == [(8800, 1)]


def test_a_late_row_folds_in_also_in_a_minute_before(rolled: psycopg.Connection[Any]) -> None:
    home = Home()
    put(rolled, home.message([(58_000, SPO2, 8900), (61_000, SPO2, 9500)]), received_ms=LATER_MS)
    roll(rolled)
    assert held_at(rolled, 60) == (10_000 + 1_000, 1_000, 1_000)
    put(rolled, home.message([(59_000, SPO2, 9600)]))
    roll(rolled)
    assert held_at(rolled, 0) == (2_000, 1_000, 1_000)
    assert held_at(rolled, 60) == (11_000, 0, 0)
    same_as_oracle(rolled)


def test_minutes_of_dropped_days_are_left_as_they_are(rolled: psycopg.Connection[Any]) -> None:
    put(rolled, Home().message([(0, SPO2, 9500)]))
    roll(rolled)
    before = found(rolled, "minute_rollup")
    put(rolled, Home().message([(1_000, SPO2, 9500)]))
    rolled.execute("DELETE FROM sample")
    rolled.execute("UPDATE dropped SET before = %s WHERE class = 'sample'", [NOW + timedelta(hours=1)])
    roll(rolled)
    assert found(rolled, "minute_rollup") == before
    assert rows_of(rolled, BEHIND) == [(0,)]


BEHIND = """SELECT sum(p.head - r.batch_id) FROM intake_reader r JOIN partition p USING (partition)
             WHERE reader = 'rollups'"""


class Traffic:
    """Random batches: three patients, two days, values of every quality, repeats, fills, any order."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.registry = Registry()
        self._sent: list[bytes] = []
        self._homes = [Home(), Home()]

    def send(self, connection: psycopg.Connection[Any]) -> None:
        """Store one batch."""
        draw = self.random
        payloads = [self._message() for _ in range(draw.randint(1, 4))]
        payloads += draw.sample(self._sent, k=min(len(self._sent), draw.randint(0, 2)))
        self._sent += payloads
        draw.shuffle(payloads)
        put(connection, *payloads, registry=self.registry)

    def _message(self) -> bytes:
        draw = self.random
        name, codes = draw.choice([(OXIMETER, (SPO2, PULSE)), (LENT, (SPO2, PULSE)), (THERMOMETER, (TEMPERATURE,))])
        begin_ms = NOW_MS - draw.choice([0, 0, 0, 3_600, 43_200, 90_000]) * 1_000 - draw.randrange(0, 600_000, 500)
        every_ms = draw.choice([1_000, 5_000, 7_500, 20_000])
        readings = [
            (number * every_ms, code, *self._value(code))
            for number in range(draw.randint(1, 12))
            for code in codes
            if draw.random() < 0.8
        ] or [(0, codes[0], *self._value(codes[0]))]
        acquisition = draw.choice([0, 0, 0, 1])
        readings = [reading for reading in readings if reading[0] < 65_536]  # an offset on the wire has 16 bits
        return draw.choice(self._homes).message(
            readings, devices=[name], t0_ms=begin_ms, sent_ms=NOW_MS, acquisition=acquisition
        )

    def _value(self, code: int) -> tuple[int, int, int]:
        usual = {SPO2: 9200, PULSE: 7000, TEMPERATURE: 3700}[code]
        value = usual + self.random.randrange(-400, 400, 100)
        return self.random.choice([(value, 0, 0)] * 5 + [(value, *QUESTIONABLE), (NO_VALUE, *INVALID)])


@pytest.mark.parametrize("seed", range(6))
def test_random_batches_in_any_order_roll_up_to_what_is_stored(rolled: psycopg.Connection[Any], seed: int) -> None:
    traffic = Traffic(seed)
    for _ in range(12):
        traffic.send(rolled)
        if traffic.random.random() < 0.6:
            roll(rolled, readings_max=traffic.random.choice([1, 500, rollups.READINGS_MAX]))
    roll(rolled)
    assert same_as_oracle(rolled) > 20


def test_days_away_are_caught_up_in_bounded_turns(rolled: psycopg.Connection[Any]) -> None:
    traffic = Traffic(99)
    for _ in range(40):
        traffic.send(rolled)
    first = rollups.roll_minutes(rolled, NOW + timedelta(days=3), readings_max=32)
    assert (first.more, first.behind_s) == (True, 3 * 86_400)
    assert first.left > 0
    assert roll(rolled, readings_max=32) > 10
    same_as_oracle(rolled)


def test_nothing_moves_where_the_transaction_fails(rolled: psycopg.Connection[Any]) -> None:
    put(rolled, Home().message([(0, SPO2, 9500)]))
    rolled.execute("ALTER TABLE minute_rollup ADD CONSTRAINT in_the_way CHECK (spo2_good IS NULL)")
    with pytest.raises(psycopg.errors.CheckViolation):
        rollups.roll_minutes(rolled, NOW)
    rolled.execute("ALTER TABLE minute_rollup DROP CONSTRAINT in_the_way")
    assert found(rolled, "minute_rollup") == {}
    roll(rolled)
    same_as_oracle(rolled)


ROLLER = """
import sys
from datetime import UTC, datetime
from ingest.tend import rollups
from ingest.tend.tending import connect
connection = connect(sys.argv[1])
rollups.prepare(connection)
print("ready", flush=True)
while True:
    rollups.roll_minutes(connection, datetime.now(UTC), readings_max=int(sys.argv[2]))
    rollups.roll_hours(connection, datetime.now(UTC))
"""


def test_kills_at_random_instants_lose_and_double_nothing(rolled: psycopg.Connection[Any], tmp_path: Path) -> None:
    traffic = Traffic(7)
    dsn = f"{rolled.info.dsn} user={rolled.info.user}"
    for _ in range(8):
        command = (sys.executable, "-c", ROLLER, dsn, str(traffic.random.choice([32, 2_000])))
        with (tmp_path / "roller.log").open("ab") as log, subprocess.Popen(
            tied_to_parent(command), stdout=subprocess.PIPE, stderr=log
        ) as roller:  # fmt: skip
            assert roller.stdout is not None
            assert roller.stdout.readline() == b"ready\n"
            for _ in range(traffic.random.randint(2, 6)):
                traffic.send(rolled)
            left = rows_of(rolled, BEHIND)[0][0]
            aim = traffic.random.randint(0, int(left))
            wait_until(lambda aim=aim: rows_of(rolled, BEHIND)[0][0] <= aim, "it has rolled up some")
            roller.kill()
    turns = roll(rolled)
    assert turns >= 1
    assert same_as_oracle(rolled) > 50

"""Any stream of messages, repeated and reordered, cut into any batches, beside a model in plain Python."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingest.feed import from_payload
from ingest.judging.rejection import Rejection
from ingest.store.registry import Registry
from tests.ingest.county import NOW_MS, OXIMETER, PULSE, SPO2, Home, put, rows_of
from vitals.reading import NO_VALUE

Reading = tuple[int, int, int, int, int]
"""Offset, signal, value, quality, reason."""

READING = st.tuples(
    st.integers(0, 2), st.sampled_from([SPO2, PULSE]), st.sampled_from([NO_VALUE, 9000, 9100]), st.just(2), st.just(11)
)
MESSAGES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 5), st.lists(READING, min_size=1, max_size=4)), min_size=1, max_size=8
)
BEATEN = [
    [(0, 0, [(0, SPO2, 9000, 2, 11), (2, SPO2, 9000, 2, 11)])],
    [
        (0, 2, [(0, SPO2, 9100, 2, 11), (0, SPO2, 9000, 2, 11), (0, PULSE, 9000, 2, 11)]),
        (0, 5, [(1, SPO2, 9000, 2, 11), (2, SPO2, 9100, 2, 11), (2, SPO2, 9000, 2, 11)]),
    ],
]
"""A new sample lies between readings that are beaten by ones that contradict what is stored."""
CLEAN = "TRUNCATE sample, latest, rejected, outbox_account, intake_log"


@dataclass
class Model:
    """What the database should hold."""

    taken: set[tuple[int, int]] = field(default_factory=set)
    stored: dict[tuple[int, int], int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    fed: int = 0
    repeated: int = 0

    def put(self, rows: list[tuple[int, int, Reading]]) -> None:
        """Take one batch: rows by outbox and row number."""
        fresh: list[Reading] = []
        for outbox, number, reading in rows:
            if (outbox, number) in self.taken:
                self.counts["duplicates"] += 1
            else:
                self.taken.add((outbox, number))
                fresh.append(reading)
        # Of each place the first with a value comes first; the others are judged after it.
        for reading in sorted(fresh, key=lambda r: r[2] == NO_VALUE):
            self._judge(reading)

    def _judge(self, reading: Reading) -> None:
        place, value = reading[:2], reading[2]
        there = self.stored.get(place)
        if there is None or (there == NO_VALUE and value != NO_VALUE):
            self.stored[place] = value
            self.counts["readings"] += 1
            self.fed += 1
        elif there == value:
            self.counts["duplicates"] += 1
            self.repeated += 1
        else:
            self.counts["conflict"] += 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MESSAGES, min_size=1, max_size=4))
@example([[(0, 0, [(0, SPO2, 9000, 2, 11)])], [(0, 1, [(0, SPO2, 9100, 2, 11), (0, SPO2, 9000, 2, 11)])]])
@example(BEATEN)
def test_each_reading_is_stored_once_or_put_aside_whatever_the_order(
    county: psycopg.Connection[Any], batches: list[list[tuple[int, int, list[Reading]]]]
) -> None:
    county.execute(CLEAN)
    model, registry = Model(), Registry()
    homes = [Home(), Home()]
    total: Counter[str] = Counter()
    for messages in batches:
        payloads = [
            homes[home].message(readings, first_row=first, devices=[OXIMETER]) for home, first, readings in messages
        ]
        stored = put(county, *payloads, registry=registry)
        total["readings"] += stored.readings
        total["duplicates"] += stored.duplicates
        total["conflict"] += stored.refused[Rejection.CONFLICT]
        model.put([(home, first + i, r) for home, first, readings in messages for i, r in enumerate(readings)])
    assert +total == +model.counts
    found = {
        (int(at.timestamp() * 1000) - NOW_MS, {"spo2": SPO2, "pulse": PULSE}[signal]): value
        for at, signal, value in rows_of(county, "SELECT measured_at, signal, (value * 100)::integer FROM reading")
    }
    assert found == {place: None if value == NO_VALUE else value for place, value in model.stored.items()}
    fed = rows_of(county, "SELECT payload FROM intake_log")
    assert sum(len(from_payload(payload)) for (payload,) in fed) == model.fed
    assert rows_of(county, "SELECT COALESCE(sum(readings), 0) FROM rejected") == [(model.counts["conflict"],)]
    assert rows_of(county, "SELECT sum(repeated) FROM outbox_account") == [(model.repeated,)]
    assert len(model.taken) == model.fed + model.repeated + model.counts["conflict"]

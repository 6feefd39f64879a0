"""Two residents and one oximeter: a reading goes to who was chosen when it was measured, and to nobody otherwise."""

from datetime import timedelta
from typing import Any

import psycopg

from care import kits
from ingest.judging.rejection import Rejection
from tests.ingest.county import NOW, NOW_MS, SPO2, UNBOUND, Home, put, refused, rows_of

MINUTE_MS = 60_000


def test_two_residents_one_oximeter(county: psycopg.Connection[Any]) -> None:
    county.execute("UPDATE device SET shared = true WHERE key = %s", [UNBOUND])
    home = Home()

    def measured(minute: float, value: int) -> dict[Rejection, int]:
        at_ms = NOW_MS + round(minute * MINUTE_MS)
        message = home.message([(0, SPO2, value)], devices=[UNBOUND], acquisition=1, t0_ms=at_ms)
        return refused(put(county, message, received_ms=at_ms))

    assert measured(-1, 9100) == {Rejection.UNBOUND_DEVICE: 1}
    kits.choose(county, UNBOUND, "p1", person_id=1, now=NOW)
    assert measured(1, 9200) == {}
    kits.choose(county, UNBOUND, "p2", person_id=1, now=NOW + timedelta(minutes=2))
    assert measured(3, 9300) == {}
    assert measured(11.9, 9400) == {}
    assert measured(12.1, 9500) == {Rejection.UNBOUND_DEVICE: 1}
    whose = rows_of(county, "SELECT patient_id, spo2 FROM sample WHERE device_id = 19 ORDER BY measured_at")
    assert whose == [(1, 9200), (2, 9300), (2, 9400)]

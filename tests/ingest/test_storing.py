"""Bytes in, rows in the database out: on a real TimescaleDB and on plain PostgreSQL."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ingest.feed import from_payload
from ingest.judging.rejection import Rejection
from ingest.store.registry import Registry
from tests.ingest.county import (
    LENT,
    NOW,
    NOW_MS,
    OXIMETER,
    PULSE,
    SPO2,
    TEMPERATURE,
    THERMOMETER,
    UNBOUND,
    Home,
    put,
    refused,
    rows_of,
)
from vitals.quality import Quality, Reason
from vitals.reading import NO_VALUE

County = psycopg.Connection[Any]


def log_rows(connection: County) -> list[tuple[Any, ...]]:
    """Every row of the feed, by partition and batch."""
    found = rows_of(connection, "SELECT partition, batch_id, payload FROM intake_log ORDER BY partition, batch_id")
    return [(p, b, *row) for p, b, payload in found for row in from_payload(payload).tolist()]


def test_a_message_becomes_samples_newest_words_account_and_feed(county: County) -> None:
    home = Home()
    message = home.message([(0, SPO2, 9700), (0, PULSE, 7000), (1000, SPO2, 9650), (1000, PULSE, NO_VALUE, 3, 9)])
    stored = put(county, message, received_ms=NOW_MS + 1500)
    assert (stored.readings, stored.duplicates, refused(stored)) == (4, 0, {})
    assert rows_of(
        county,
        "SELECT measured_at, received_at, patient_id, device_id, spo2, pulse, temperature, quality FROM sample"
        " ORDER BY measured_at",
    ) == [
        (NOW, NOW + timedelta(seconds=1.5), 1, 11, 9700, 7000, None, None),
        (
            NOW + timedelta(seconds=1),
            NOW + timedelta(seconds=1.5),
            1,
            11,
            9650,
            None,
            None,
            bytes([0, 3 * 64 + 9, *[255] * 11]),
        ),
    ]
    assert rows_of(county, "SELECT signal, value, quality, reason, good_value FROM latest ORDER BY signal") == [
        (SPO2, 9650, 0, 0, 9650),
        (PULSE, None, 3, 9, 7000),
    ]
    assert rows_of(county, "SELECT outbox_id, gateway_id, taken::text FROM outbox_account") == [
        (home.outbox_id, "gw-1", "{[0,4)}")
    ]
    assert log_rows(county) == [
        (1, 1, NOW_MS, 1, 11, 9700, SPO2, 0, 0, 0),
        (1, 1, NOW_MS, 1, 11, 7000, PULSE, 0, 0, 0),
        (1, 1, NOW_MS + 1000, 1, 11, 9650, SPO2, 0, 0, 0),
        (1, 1, NOW_MS + 1000, 1, 11, NO_VALUE, PULSE, 3, 9, 0),
    ]
    assert rows_of(
        county,
        "SELECT signal, value, quality, reason FROM reading WHERE measured_at > '2026-03-01 12:00Z' ORDER BY signal",
    ) == [("pulse", None, 3, 9), ("spo2", 96.5, 0, 0)]


def test_the_same_message_a_hundred_times_is_stored_once(county: County) -> None:
    message = Home().message([(i * 1000, SPO2, 9700 - i) for i in range(5)])
    for _ in range(10):
        put(county, *[message] * 10)
    assert rows_of(county, "SELECT count(*) FROM sample") == [(5,)]
    assert len(log_rows(county)) == 5
    assert rows_of(county, "SELECT count(*) FROM rejected") == [(0,)]


def test_overlapping_and_reordered_row_ranges_are_stored_once(county: County) -> None:
    home = Home()
    readings = [(i * 10, SPO2, 9000 + i) for i in range(100)]
    parts = [(50, 100), (0, 30), (20, 60), (10, 100), (0, 100)]
    stored = [put(county, home.message(readings[a:b], first_row=a)) for a, b in parts]
    assert [s.readings for s in stored] == [50, 30, 20, 0, 0]
    assert [s.duplicates for s in stored] == [0, 0, 20, 90, 100]
    assert rows_of(county, "SELECT count(*), sum(spo2) FROM sample") == [(100, sum(range(9000, 9100)))]
    assert rows_of(county, "SELECT taken::text FROM outbox_account") == [("{[0,100)}",)]


def test_the_same_reading_by_another_outbox_is_a_duplicate(county: County) -> None:
    first = put(county, Home().message([(0, SPO2, 9700)]))
    again = put(county, Home().message([(0, SPO2, 9700)]))
    assert (first.readings, again.readings, again.duplicates) == (1, 0, 1)
    assert len(log_rows(county)) == 1


def test_a_differing_value_is_a_conflict_and_the_first_one_stays(county: County) -> None:
    put(county, Home().message([(0, SPO2, 9700), (5, SPO2, 9600)]))
    again = put(county, Home().message([(0, SPO2, 8800), (5, SPO2, 9600), (9, SPO2, 9500)]))
    assert (again.readings, again.duplicates, refused(again)) == (1, 1, {Rejection.CONFLICT: 1})
    assert rows_of(county, "SELECT spo2 FROM sample ORDER BY measured_at") == [(9700,), (9600,), (9500,)]
    assert rows_of(county, "SELECT reason, device, readings, first_row, last_row, measured_at FROM rejected") == [
        ("conflict", OXIMETER, 1, 0, 0, NOW)
    ]
    assert [row[5] for row in log_rows(county)] == [9700, 9600, 9500]


def test_a_conflict_within_one_batch_keeps_the_first(county: County) -> None:
    stored = put(county, Home().message([(0, SPO2, 9700)]), Home().message([(0, SPO2, 8800)]))
    assert (stored.readings, refused(stored)) == (1, {Rejection.CONFLICT: 1})
    assert rows_of(county, "SELECT spo2 FROM sample") == [(9700,)]


def test_one_beaten_by_a_reading_that_contradicts_what_is_stored_is_judged_beside_new_samples(county: County) -> None:
    put(county, Home().message([(10, SPO2, 9500)]))
    home = Home()
    stored = put(
        county,
        home.message([(9, SPO2, 9100), (10, SPO2, 9400), (10, SPO2, 9500), (10, PULSE, 7000), (11, SPO2, 9300)]),
        home.message([(10, TEMPERATURE, 3700)], devices=[THERMOMETER]),
    )
    assert (stored.readings, stored.duplicates, refused(stored)) == (4, 1, {Rejection.CONFLICT: 1})
    assert rows_of(county, "SELECT spo2, pulse, temperature FROM sample ORDER BY measured_at, patient_id") == [
        (9100, None, None),
        (9500, 7000, None),
        (None, None, 3700),
        (9300, None, None),
    ]


def test_a_late_signal_fills_what_is_null(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, 9700)]))
    put(county, home.message([(0, PULSE, 7100, 2, 11)]))
    put(county, home.message([(0, SPO2, 9700), (0, TEMPERATURE, 3700)]))
    assert rows_of(county, "SELECT spo2, pulse, temperature, quality FROM sample") == [
        (9700, 7100, 3700, bytes([0, 2 * 64 + 11, 255, 0, *[255] * 9]))
    ]
    assert [row[6] for row in log_rows(county)] == [SPO2, PULSE, TEMPERATURE]


def test_a_value_takes_the_place_of_none_and_none_does_not_take_a_value_s(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, NO_VALUE, 3, 9), (1, SPO2, 9500)]))
    stored = put(county, home.message([(0, SPO2, 9700), (1, SPO2, NO_VALUE, 3, 9)]))
    assert (stored.readings, refused(stored)) == (1, {Rejection.CONFLICT: 1})
    assert rows_of(county, "SELECT spo2, quality FROM sample ORDER BY measured_at") == [(9700, None), (9500, None)]


def test_latest_is_moved_by_newer_readings_only(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, 9700)]))
    put(county, home.message([(0, SPO2, 9100)], t0_ms=NOW_MS - 60_000))
    put(county, home.message([(0, SPO2, 8000, 2, 11)], t0_ms=NOW_MS + 1000))
    assert rows_of(county, "SELECT value, quality, measured_at, good_value, good_measured_at FROM latest") == [
        (8000, 2, NOW + timedelta(seconds=1), 9700, NOW)
    ]


def test_an_implausible_value_is_kept_without_its_number(county: County) -> None:
    stored = put(county, Home().message([(0, SPO2, 0), (0, PULSE, 7000)]))
    assert (stored.readings, stored.implausible) == (2, 1)
    word = Quality.INVALID * 64 + Reason.IMPLAUSIBLE
    assert rows_of(county, "SELECT spo2, pulse, quality FROM sample") == [(None, 7000, bytes([word, 0, *[255] * 11]))]


def test_a_lent_device_s_readings_go_to_whoever_wore_it(county: County) -> None:
    message = Home().message(
        [(0, SPO2, 9100), (3600 * 2, SPO2, 9200)], devices=[LENT], t0_ms=NOW_MS - 2 * 3600_000, unit_ms=1000
    )
    put(county, message)
    assert rows_of(county, "SELECT patient_id, spo2 FROM sample ORDER BY measured_at") == [(2, 9100), (3, 9200)]
    assert [row[0] for row in log_rows(county)] == [2, 3]


def test_a_new_binding_is_seen_by_the_next_batch(county: County) -> None:
    registry = Registry()
    home = Home()
    assert refused(put(county, home.message([(0, SPO2, 9100)], devices=[UNBOUND]), registry=registry)) == {
        Rejection.UNBOUND_DEVICE: 1
    }
    county.execute("INSERT INTO binding (device_id, patient_id, valid) VALUES (19, 1, '[2020-01-01 00:00+00,)')")
    county.execute("UPDATE registry_version SET version = version + 1")
    assert put(county, home.message([(1, SPO2, 9100)], devices=[UNBOUND]), registry=registry).readings == 1


@pytest.mark.parametrize("thermometer_first", [True, False])
def test_many_devices_and_days_go_into_one_transaction(county: County, thermometer_first: bool) -> None:
    devices = [THERMOMETER, OXIMETER] if thermometer_first else [OXIMETER, THERMOMETER]
    backlog = [
        Home().message(
            [(0, TEMPERATURE, 3900)],
            devices=devices,
            device=devices.index(THERMOMETER),
            acquisition=2,
            t0_ms=NOW_MS - day * 86_400_000,
        )
        for day in range(4)
    ]
    assert put(county, *backlog).readings == 4
    assert rows_of(county, "SELECT acquisition, count(*) FROM sample GROUP BY 1") == [(2, 4)]
    assert rows_of(county, "SELECT partition, head FROM partition WHERE head > 0") == [(2, 1)]


def test_what_a_clock_set_wrong_left_in_latest_yields_to_what_comes(county: County) -> None:
    day_ms = 86_400_000
    home = Home()
    ahead = home.message([(0, SPO2, 9800)], t0_ms=NOW_MS + day_ms, synchronised=False)
    put(county, ahead, received_ms=NOW_MS + day_ms)
    put(county, home.message([(1_000, SPO2, 7000)]))
    newest = "SELECT value, good_value, measured_at, received_at, good_measured_at, good_received_at FROM latest"
    second = NOW + timedelta(seconds=1)
    assert rows_of(county, newest) == [(7000, 7000, second, NOW, second, NOW)]
    put(county, home.message([(0, SPO2, 9900)]))
    assert rows_of(county, "SELECT value FROM latest") == [(7000,)], "what is older does not take its place"

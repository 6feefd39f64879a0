"""Several writers at once: each reading once, and the log's numbers in the order of the commits."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from ingest.feed import from_payload
from ingest.store.registry import Registry
from ingest.store.trouble import Trouble, trouble_of
from tests.ingest.county import (
    LENT,
    OXIMETER,
    REGISTRY,
    SPO2,
    TEMPERATURE,
    THERMOMETER,
    Home,
    connect,
    put,
    rows_of,
)

WRITERS, BATCHES = 6, 40


def test_writers_of_the_same_samples_store_each_once_and_commit_in_the_log_s_order(any_database: str) -> None:
    """All writers send the same readings, each from an outbox of its own, in another order, each three times."""
    with connect(any_database) as county:
        county.execute(REGISTRY)
    done = threading.Event()
    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(follow, any_database, done)
        writers = [pool.submit(write, any_database, number) for number in range(WRITERS)]
        for writer in writers:
            writer.result()
        done.set()
        read = reader.result()
    with connect(any_database) as county:
        assert rows_of(county, "SELECT count(*), count(spo2), count(temperature) FROM sample") == [
            (3 * BATCHES, 2 * BATCHES, BATCHES)
        ]
        assert rows_of(county, "SELECT count(*) FROM rejected") == [(0,)]
        log = rows_of(county, "SELECT partition, batch_id, payload FROM intake_log ORDER BY partition, batch_id")
        heads = dict(rows_of(county, "SELECT partition, head FROM partition WHERE head > 0"))
    assert sum(len(from_payload(payload)) for *_, payload in log) == 3 * BATCHES
    assert read == heads


def write(dsn: str, number: int) -> None:
    """Send every batch, trying again after a collision."""
    home, registry = Home(), Registry()
    with connect(dsn) as connection:
        for step in range(BATCHES):
            at = step if number % 2 else BATCHES - 1 - step
            again = [(max(at - 1, 0), SPO2), (at, SPO2), (min(at + 1, BATCHES - 1), SPO2)]
            messages = [
                home.message([(offset, signal, 9500) for offset, signal in again], devices=[OXIMETER]),
                home.message([(at, TEMPERATURE, 3700)], devices=[THERMOMETER]),
                home.message([(offset, signal, 9400) for offset, signal in again], devices=[LENT]),
            ]
            while not attempt(connection, messages, registry):
                pass


def attempt(connection: psycopg.Connection[Any], messages: list[bytes], registry: Registry) -> bool:
    try:
        put(connection, *messages, registry=registry)
    except Exception as error:
        if trouble_of(error) is not Trouble.COLLISION:
            raise
        return False
    return True


def follow(dsn: str, done: threading.Event) -> dict[int, int]:
    """Read the log behind a cursor, as alerting does: a number that appears below it would be lost."""
    cursors: dict[int, int] = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            last_look = done.is_set()
            for partition, batch in rows_of(connection, "SELECT partition, batch_id FROM intake_log ORDER BY 1, 2"):
                if batch > cursors.get(partition, 0):
                    assert batch == cursors.get(partition, 0) + 1
                    cursors[partition] = batch
            if last_look:
                return cursors


def test_a_batch_is_announced(any_database: str) -> None:
    with connect(any_database) as county, psycopg.connect(any_database, autocommit=True) as listener:
        county.execute(REGISTRY)
        listener.execute("LISTEN intake")
        put(county, Home().message([(0, SPO2, 9700)]), Home().message([(0, TEMPERATURE, 3700)], devices=[THERMOMETER]))
        assert [note.payload for note in listener.notifies(timeout=60, stop_after=1)] == ["1,2"]

"""Whose outbox it is: a copied one takes nothing from its first gateway's account, and nothing of it is lost."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from hearthwatch.services.mosquitto import Mosquitto
from ingest.judging.decode import read_json, read_packed
from ingest.judging.letters import quarantined
from ingest.judging.refusals import PAYLOAD_BYTES_MAX
from ingest.judging.rejection import Rejection
from ingest.judging.screening import Incoming
from ingest.store.registry import Registry
from ingest.store.storing import Batch, quarantine, store
from tests.ingest.county import LENT, NOW_MS, OXIMETER, REGISTRY, SPO2, Home, connect, put, refused, rows_of
from tests.ingest.service import Publisher, Service, wait_until
from tests.ingest.test_bad_input import twin

County = psycopg.Connection[Any]
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
ACCOUNTS = "SELECT gateway_id, taken::text FROM outbox_account ORDER BY gateway_id"
REJECTED = "SELECT source, reason, outbox_id, first_row, last_row, readings FROM rejected ORDER BY rejected_id"


def test_a_copied_outbox_s_rows_lie_in_rejected_once_and_not_on_the_first_gateway_s_account(county: County) -> None:
    home = Home(next_row=5)
    own = home.message([(0, SPO2, 9500)])
    copied = home.message([(0, SPO2, 8000), (1, SPO2, 8100)], devices=[LENT], first_row=5)
    assert put(county, own).readings == 1
    assert refused(put(county, copied, gateway_id="gw-2")) == {Rejection.FOREIGN_OUTBOX: 2}
    again = put(county, copied, gateway_id="gw-2")
    assert (again.readings, again.duplicates, refused(again)) == (0, 2, {})
    assert rows_of(county, REJECTED) == [("gw-2", "foreign_outbox", home.outbox_id, 5, 6, 2)]
    assert rows_of(county, ACCOUNTS) == [("gw-1", "{[5,6)}"), ("gw-2", "{[5,7)}")]
    [(detail,)] = rows_of(county, "SELECT detail FROM rejected")
    assert "'gw-2'" in detail
    assert "'gw-1'" in detail
    later = put(county, home.message([(9, SPO2, 9600)], first_row=6))
    assert (later.readings, later.duplicates) == (1, 0)
    assert rows_of(county, "SELECT spo2 FROM sample ORDER BY measured_at") == [(9500,), (9600,)]


def test_of_two_gateways_in_one_batch_the_first_has_the_outbox(county: County) -> None:
    home = Home()
    own = home.message([(0, SPO2, 9500)])
    copied = home.message([(0, SPO2, 8000)], devices=[LENT], first_row=0)
    stored = store(
        county,
        Batch(
            now_ms=NOW_MS,
            messages=[
                Incoming(gateway_id=gateway, received_ms=NOW_MS, decoded=read_packed(payload))
                for gateway, payload in (("gw-2", own), ("gw-1", copied), ("gw-2", own), ("gw-1", copied))
            ],
        ),
        Registry(),
        retention_days=90,
    )
    assert (stored.readings, stored.duplicates, refused(stored)) == (1, 2, {Rejection.FOREIGN_OUTBOX: 1})
    assert rows_of(county, "SELECT spo2 FROM sample") == [(9500,)]
    assert rows_of(county, ACCOUNTS) == [("gw-1", "{[0,1)}"), ("gw-2", "{[0,1)}")]


def test_an_unknown_gateway_s_rows_do_not_enter_the_account_of_a_known_one_s_outbox(county: County) -> None:
    home = Home()
    message = home.message([(0, SPO2, 9500)])
    later = home.message([(1, SPO2, 9600)])
    put(county, message)
    assert refused(put(county, later, gateway_id="gw-9")) == {Rejection.UNKNOWN_GATEWAY: 1}
    assert rows_of(county, ACCOUNTS) == [("gw-1", "{[0,1)}"), ("gw-9", "{[1,2)}")]
    assert put(county, later).readings == 1


def test_an_unknown_gateway_that_sends_first_does_not_get_the_outbox(county: County) -> None:
    home = Home()
    message = home.message([(0, SPO2, 9500)])
    put(county, message, gateway_id="gw-9")
    assert put(county, message).readings == 1
    county.execute("INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-9', 1)")
    county.execute("UPDATE registry_version SET version = version + 1")
    late = home.message([(1, SPO2, 9600)])
    assert refused(put(county, late, gateway_id="gw-9")) == {Rejection.FOREIGN_OUTBOX: 1}


def test_an_unknown_gateway_has_its_outbox_as_soon_as_it_is_registered(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, 9500)]), gateway_id="gw-9")
    county.execute("INSERT INTO gateway (gateway_id, organisation_id) VALUES ('gw-9', 1)")
    county.execute("UPDATE registry_version SET version = version + 1")
    assert put(county, home.message([(1, SPO2, 9600)]), gateway_id="gw-9").readings == 1


def test_readings_that_equal_what_is_stored_are_counted_on_their_account(county: County) -> None:
    home, other = Home(), Home()
    put(county, home.message([(0, SPO2, 9500), (1, SPO2, 9600)]))
    again = home.message([(0, SPO2, 9500), (0, SPO2, 9500), (1, SPO2, 8000), (2, SPO2, 9700), (2, SPO2, 9700)])
    put(county, again, other.message([(1, SPO2, 9600), (5, SPO2, 9800)]))
    put(county, again, again)  # rows that were taken before are not taken again, and so not repeated
    assert dict(rows_of(county, "SELECT outbox_id, repeated FROM outbox_account")) == {
        home.outbox_id: 3,
        other.outbox_id: 1,
    }
    assert rows_of(county, "SELECT readings FROM rejected") == [(1,)]


def test_a_message_that_the_database_refuses_stands_for_the_rows_not_taken_before(county: County) -> None:
    home = Home()
    put(county, home.message([(0, SPO2, 9500), (1, SPO2, 9600)]))
    payload = home.message([(1, SPO2, 9600), (2, SPO2, 9700), (3, SPO2, 9800)], first_row=1)
    message = Incoming(gateway_id="gw-1", received_ms=NOW_MS, decoded=read_packed(payload))
    stored = quarantine(county, quarantined(message, payload, "refused"), message, NOW_MS)
    assert refused(stored) == {Rejection.STORE_ERROR: 2}
    assert rows_of(county, "SELECT readings, first_row, last_row FROM rejected") == [(2, 1, 3)]
    assert rows_of(county, ACCOUNTS) == [("gw-1", "{[0,4)}")]


def test_a_message_that_the_database_refuses_is_kept_whole_however_large(county: County) -> None:
    """Its rows are acknowledged, so what is cut off here would be lost."""
    payload = twin(value=[97, 96.5]) + b" " * PAYLOAD_BYTES_MAX
    message = Incoming(gateway_id="gw-1", received_ms=NOW_MS, decoded=read_json(payload))
    quarantine(county, quarantined(message, payload, "refused"), message, NOW_MS)
    assert [bytes(kept) for (kept,) in rows_of(county, "SELECT payload FROM rejected")] == [payload]


def test_two_writers_that_hear_of_an_outbox_at_once_give_it_to_one_gateway(any_database: str) -> None:
    home = Home()
    own, copied = home.message([(0, SPO2, 9500)]), home.message([(0, SPO2, 8000)], devices=[LENT], first_row=0)
    with (
        connect(any_database) as first,
        connect(any_database) as second,
        connect(any_database) as looking,
        ThreadPoolExecutor(1) as pool,
    ):
        looking.execute(REGISTRY)
        with first.transaction():
            assert put(first, own).readings == 1
            other = pool.submit(put, second, copied, gateway_id="gw-2")
            wait_until(
                lambda: rows_of(looking, WAITING) == [(second.info.backend_pid,)],
                "the second writer waits for the first",
            )
        assert refused(other.result()) == {Rejection.FOREIGN_OUTBOX: 1}


def test_a_copied_outbox_is_told_aloud_and_its_gateway_need_not_send_again(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    home, begin = Home(), int(time.time() * 1000)
    with (
        connect(any_database) as county,
        Service(any_database, own_broker, tmp_path) as service,
        Publisher(own_broker, "gw-1") as gateway,
        Publisher(own_broker, "gw-2") as copy,
    ):
        county.execute(REGISTRY)
        gateway.keep((0, 1), home.message([(0, SPO2, 9500)], devices=[OXIMETER], t0_ms=begin))
        wait_until(lambda: gateway.unstored == 0, "the gateway was told")
        copy.keep((0, 1), home.message([(0, SPO2, 9500)], devices=[LENT], t0_ms=begin, first_row=0))
        wait_until(lambda: copy.unstored == 0, "the copy was told")
        assert rows_of(county, "SELECT source, reason FROM rejected") == [("gw-2", "foreign_outbox")]
        wait_until(lambda: service.counted('rejected{reason="foreign_outbox"}') == 1, "it is counted")
        [told] = [event for event in service.events() if "of one outbox" in event["event"]]
        assert told["level"] == "error"
        assert "'gw-2'" in str(told["which"])

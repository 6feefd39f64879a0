"""The service as a process: from the broker to the database and back to the gateway."""

import json
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from functools import partial
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from hearthwatch.migrations import migrate
from hearthwatch.services.mosquitto import Mosquitto
from ingest.broker.mailbox import BrokerAddress, Mailbox
from ingest.settings import IngestSettings
from ingest.store.database import Database, Manner
from ingest.store.trouble import Trouble, trouble_of
from tests.ingest.county import OXIMETER, PULSE, REGISTRY, SPO2, UNBOUND, Home, connect, put, rows_of
from tests.ingest.service import WITHIN_S, Publisher, Service, wait_until
from vitals.setting_names import UnknownSetting
from vitals.topics import Leaf

pytestmark = pytest.mark.long

POISON = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spo2 = 6666 THEN RAISE EXCEPTION 'this value is poison' USING ERRCODE = 'data_exception'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION refuse();
"""

BROKEN = """
CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not read block 7' USING ERRCODE = 'data_corrupted'; END $$;
CREATE TRIGGER break BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION break();
"""
COLLIDING = """
CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spo2 = 6666 THEN RAISE EXCEPTION 'always too slow' USING ERRCODE = 'query_canceled'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER collide BEFORE INSERT ON sample FOR EACH ROW EXECUTE FUNCTION collide();
"""


def now_ms() -> int:
    """Real time: the service runs on the machine's clock."""
    return int(time.time() * 1000)


def test_a_message_is_stored_and_the_gateway_is_told_as_often_as_it_asks(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    home = Home()
    with connect(any_database) as county, Service(any_database, own_broker, tmp_path) as service:
        county.execute(REGISTRY)
        with Publisher(own_broker, "gw-1") as gateway:
            home_sent_ms = now_ms()
            message = home.message([(0, SPO2, 9700), (0, PULSE, 7000)], t0_ms=home_sent_ms)
            gateway.keep((0, 2), message)
            wait_until(lambda: gateway.unstored == 0, "the gateway was told")
            gateway.send(message)
            wait_until(lambda: len(gateway.words) == 2, "the gateway was told again")
        assert gateway.words == [{"outbox_id": str(home.outbox_id), "stored": [[0, 2]]}] * 2
        assert rows_of(county, "SELECT spo2, pulse FROM sample") == [(9700, 7000)]
        wait_until(lambda: service.counted("duplicates") == 2, "duplicates are counted")
        assert service.counted("readings") == 2
        told = service.metrics()
        steps = [told[f"hearthwatch_ingest_{step}_seconds_count"] for step in ("copy", "commit")]
        assert steps == [1, 2], "what was taken before is not copied again"
        assert told["hearthwatch_ingest_last_commit_timestamp_seconds"] * 1000 > home_sent_ms
        assert told["hearthwatch_ingest_waiting_messages"] == 0
        assert service.stop() == 0
        assert service.said("ingest has stopped")


def test_bad_messages_are_counted_by_reason_and_do_not_block_the_queue(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    home = Home()
    good = home.message([(0, SPO2, 9700)], t0_ms=now_ms())
    twin = {
        "version": 1, "outbox_id": str(uuid.uuid4()), "first_row": 0, "boot_id": 1, "t0_ms": now_ms(),
        "sent_ms": now_ms(), "synchronised": True, "backlog": False, "offset_ms": [0], "device": [0],
        "devices": [{"device": OXIMETER, "acquisition": "continuous"}], "signal": ["pulse"], "value": [70],
    }  # fmt: skip
    with (
        connect(any_database) as county,
        Service(any_database, own_broker, tmp_path) as service,
        Publisher(own_broker, "gw-1") as gateway,
        Publisher(own_broker, "gw-9") as stranger,
    ):
        county.execute(REGISTRY)
        gateway.send(b"XX" + good)
        gateway.send(good[:-1])
        gateway.send(json.dumps({**twin, "name": "?"}).encode(), Leaf.READINGS_JSON)
        gateway.send(home.message([(0, SPO2, 8000)], devices=[UNBOUND], t0_ms=now_ms()))
        stranger.send(Home().message([(0, SPO2, 9700)], t0_ms=now_ms()))
        stranger.send(b'{"state": "online"}', Leaf.STATUS)
        gateway.send(b'{"state": "online", "poison": "\\u0000"}', Leaf.STATUS)
        gateway.send(b"no json", Leaf.STATUS)
        gateway.send(json.dumps(twin).encode(), Leaf.READINGS_JSON)
        gateway.send(b'{"state": "offline"}', Leaf.STATUS, retain=True)
        gateway.send(good)
        wait_until(lambda: service.counted("messages") == 11, "all are acknowledged to the broker")
        expected = {
            "wrong_magic": 1, "bad_crc": 1, "unknown_field": 1, "unbound_device": 1, "unknown_gateway": 1,
            "store_error": 1, "not_json": 1,
        }  # fmt: skip
        counts = {reason: service.counted(f'rejected{{reason="{reason}"}}') for reason in expected}
        assert counts == expected
        assert dict(rows_of(county, "SELECT reason, count(*) FROM rejected GROUP BY reason")) == expected
        assert service.counted("unknown_gateway_status") == 1
        assert service.counted("readings") == 2
        assert rows_of(county, "SELECT gateway_id, online, status->>'state' FROM gateway_status") == [
            ("gw-1", False, "offline")
        ]


def test_a_message_that_the_database_refuses_is_found_and_the_others_are_stored(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    home = Home()
    with (
        connect(any_database) as county,
        Service(any_database, own_broker, tmp_path) as service,
        Publisher(own_broker, "gw-1") as gateway,
    ):
        county.execute(REGISTRY)
        county.execute(POISON)
        begin = now_ms()
        for number in range(40):
            value = 6666 if number == 23 else 9000 + number
            message = home.message([(number, SPO2, value), (number, PULSE, 7000)], t0_ms=begin)
            gateway.keep((2 * number, 2 * number + 2), message)
        wait_until(lambda: gateway.unstored == 0, "the gateway was told of all")
        assert rows_of(county, "SELECT count(*), sum(pulse) FROM sample") == [(39, 39 * 7000)]
        [(reason, first, last, readings, detail)] = rows_of(
            county, "SELECT reason, first_row, last_row, readings, detail FROM rejected"
        )
        assert (reason, first, last, readings) == ("store_error", 46, 47, 2)
        assert "this value is poison" in detail
        assert service.counted("readings") == 78


def test_a_fault_of_the_database_is_waited_out_and_no_reading_is_put_aside(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    with (
        connect(any_database) as county,
        Service(any_database, own_broker, tmp_path) as service,
        Publisher(own_broker, "gw-1") as gateway,
    ):
        county.execute(REGISTRY)
        county.execute(BROKEN)
        gateway.keep((0, 1), Home().message([(0, SPO2, 9700)], t0_ms=now_ms()))
        wait_until(lambda: service.counted('trouble{trouble="server_fault"}') > 2, "it tries again")
        assert service.said("the database reports a fault of its own")
        county.execute("DROP TRIGGER break ON sample")
        wait_until(lambda: gateway.unstored == 0, "the gateway was told")
        assert rows_of(county, "SELECT spo2 FROM sample") == [(9700,)]
        assert rows_of(county, "SELECT count(*) FROM rejected") == [(0,)]


def test_a_lock_is_waited_for_by_name_and_no_message_is_suspected(any_database: str) -> None:
    with connect(any_database) as county, psycopg.connect(any_database) as holder:
        county.execute(REGISTRY)
        holder.execute("LOCK TABLE sample IN SHARE MODE")  # as CREATE INDEX does
        message = Home().message([(0, SPO2, 7000)])
        with closing(Database(any_database, Manner(statement_s_max=2))) as database:
            with pytest.raises(psycopg.errors.LockNotAvailable) as refused:
                database.run(lambda connection: put(connection, message))
            assert trouble_of(refused.value) is Trouble.LOCKED
            holder.rollback()
            assert database.run(lambda connection: put(connection, message)).readings == 1


def test_a_batch_is_bounded_by_its_rows_however_many_messages_wait(
    database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    with connect(database) as county, Service(database, own_broker, tmp_path, batch_rows="100") as service:
        county.execute(REGISTRY)
        assert service.stop() == 0
        with Publisher(own_broker, "gw-1") as gateway:
            home, begin = Home(), now_ms()
            for number in range(20):
                rows = [(50 * number + at, SPO2, 9000 + at) for at in range(50)]
                gateway.keep((50 * number, 50 * number + 50), home.message(rows, t0_ms=begin))
            service.start()
            wait_until(lambda: gateway.unstored == 0, "the gateway was told of all")
        told = service.metrics()
        assert told["hearthwatch_ingest_batch_rows_sum"] == 1000
        assert told['hearthwatch_ingest_batch_rows_bucket{le="100.0"}'] == told["hearthwatch_ingest_batch_rows_count"]


def test_what_knows_no_receive_maximum_waits_on_the_line_too(own_broker: Mosquitto) -> None:
    address = BrokerAddress(host="127.0.0.1", port=own_broker.port, client_id="test", receive_maximum=10)
    mailbox = Mailbox(address, now_ms, threading.Event())
    with Publisher(own_broker, "gw-1") as gateway:
        wait_until(lambda: mailbox.pump(0.01) or mailbox.subscribed, "the mailbox is open")
        for number in range(500):
            gateway.send(str(number).encode(), qos=0)
        wait_until(lambda: mailbox.pump(0.01) or mailbox.waiting > 10, "it is full")
        for _ in range(20):
            mailbox.pump(0.01)
        assert mailbox.waiting == 11
        came: list[bytes] = []
        while len(came) < 500:
            mailbox.pump(WITHIN_S)
            while (delivery := mailbox.fetch()) is not None:
                came.append(delivery.payload)
        assert came == [str(number).encode() for number in range(500)], "nothing is lost by it, nothing changes places"
    mailbox.close()


def test_a_broken_session_is_left_for_a_new_one(any_database: str) -> None:
    with connect(any_database) as county:
        county.execute(REGISTRY)
    message = Home().message([(0, SPO2, 9700)])
    with closing(Database(any_database)) as database:
        database.run(lambda connection: connection.execute("DROP TABLE staged_latest"))
        with pytest.raises(psycopg.errors.UndefinedTable):
            database.run(lambda connection: put(connection, message))
        assert database.run(lambda connection: put(connection, message)).readings == 1


def test_a_message_that_collides_without_end_is_found_and_the_others_are_stored(
    database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    home = Home()
    with (
        connect(database) as county,
        Service(database, own_broker, tmp_path, window_ms="1000") as service,
        Publisher(own_broker, "gw-1") as gateway,
    ):
        county.execute(REGISTRY)
        county.execute(COLLIDING)
        begin = now_ms()
        for number in range(40):
            value = 6666 if number == 23 else 9000 + number
            gateway.keep((number, number + 1), home.message([(number, SPO2, value)], t0_ms=begin))
        wait_until(lambda: gateway.unstored == 0, "the gateway was told of all")
        assert rows_of(county, "SELECT count(*) FROM sample") == [(39,)]
        assert rows_of(county, "SELECT reason, first_row, last_row, readings FROM rejected") == [
            ("store_error", 23, 23, 1)
        ]
        assert service.said("another writer was in the way")


def is_above(number: Callable[[], int], bound: int) -> bool:
    return number() > bound


def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    home, rounds, per_round = Home(), 10, 30
    with connect(any_database) as county, Publisher(own_broker, "gw-1") as gateway:
        county.execute(REGISTRY)
        begin = now_ms() - 60_000
        service = Service(any_database, own_broker, tmp_path, window_ms="5", batch_messages="7")

        def stored() -> int:
            return int(rows_of(county, "SELECT count(*) FROM sample")[0][0])

        with service:
            for number in range(rounds):
                enough = stored() + 7 * number
                for _ in range(per_round):
                    at = home.next_row
                    gateway.keep((at, at + 4), home.message([(at + i, SPO2, 9000 + i) for i in range(4)], t0_ms=begin))
                gateway.send_again()
                wait_until(partial(is_above, stored, enough), "some are stored")
                service.kill()
                service.start()
            gateway.send_again()
            wait_until(lambda: gateway.unstored == 0, "the gateway was told of all")
        rows = rounds * per_round * 4
        assert rows_of(county, "SELECT count(*), sum(spo2) FROM sample") == [(rows, rows // 4 * 36_006)]
        assert rows_of(county, "SELECT taken::text FROM outbox_account") == [(f"{{[0,{rows})}}",)]
        assert rows_of(county, "SELECT count(*) FROM rejected") == [(0,)]
        assert rows_of(county, "SELECT sum(octet_length(payload)) / 24 FROM intake_log") == [(rows,)]
        assert rows_of(county, "SELECT count(*) = max(batch_id) FROM intake_log") == [(True,)]


@pytest.mark.parametrize("flavour", ["timescale", "plain"])
def test_database_and_broker_are_waited_for_and_their_deaths_survived(
    flavour: str, own_broker: Mosquitto, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue(f"own_{flavour}")
    home = Home()
    server.kill()
    own_broker.kill()
    service = Service(server.dsn(), own_broker, tmp_path)
    try:
        service.launch()
        wait_until(lambda: service.metrics() and service.said("the database can not be reached"), "it says so")
        assert service.page("/ready") == (503, {"status": "not ready", "trouble": "unreachable"})
        assert service.page("/healthz") == (200, {"status": "alive"})
        server.start()
        wait_until(lambda: service.said("tables are missing or of another version: run"), "it says so")
        migrate(server.dsn())
        with psycopg.connect(server.dsn(), autocommit=True) as county:
            county.execute(REGISTRY)
        wait_until(lambda: service.said("the broker can not be reached"), "it says so")
        wait_until(lambda: service.page("/ready")[1].get("trouble") == "no_broker", "it is not ready")
        own_broker.start()
        wait_until(service.is_ready, "it is ready")
        assert service.page("/ready") == (200, {"status": "ready"})
        server.kill()
        wait_until(
            lambda: service.page("/ready")[1].get("trouble") == "unreachable", "it is red though nothing is sent"
        )
        assert not service.is_ready()
        server.start()
        wait_until(service.is_ready, "it is ready again")
        with Publisher(own_broker, "gw-1") as gateway:
            begin = now_ms()

            def send(count: int) -> None:
                for _ in range(count):
                    at = home.next_row
                    gateway.keep((at, at + 1), home.message([(at, SPO2, 9000 + at)], t0_ms=begin))

            send(50)
            server.kill()
            send(50)
            wait_until(
                lambda: service.page("/ready") == (503, {"status": "not ready", "trouble": "unreachable"}), "it waits"
            )
            server.start()
            wait_until(lambda: gateway.unstored == 0, "the gateway was told after the database was back")
            send(50)
            own_broker.kill()
            own_broker.start()
            wait_until(lambda: gateway.is_connected, "the gateway is connected again")
            wait_until(service.is_ready, "ingest is connected again")
            gateway.send_again()
            send(50)
            wait_until(lambda: gateway.unstored == 0, "the gateway was told after the broker was back")
        with psycopg.connect(server.dsn(), autocommit=True) as county:
            assert rows_of(county, "SELECT count(*), sum(spo2) FROM sample") == [(200, sum(range(9000, 9200)))]
            assert rows_of(county, "SELECT taken::text FROM outbox_account") == [("{[0,200)}",)]
        assert service.stop() == 0
    finally:
        service.__exit__()


def test_an_unknown_setting_is_an_error_that_names_the_right_one() -> None:
    with pytest.raises(UnknownSetting, match="did you mean HEARTHWATCH_INGEST_WINDOW_MS"):
        IngestSettings.from_environment({"HEARTHWATCH_INGEST_WINDOWS_MS": "1"})


def test_every_setting_says_what_it_is() -> None:
    source = files("ingest").joinpath("settings.py").read_text(encoding="utf-8")
    for name in IngestSettings.model_fields:
        _, _, after = source.partition(f"    {name}: ")
        assert after.splitlines()[1].strip().startswith('"""'), name

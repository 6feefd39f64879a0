"""Real servers: they start, survive SIGKILL with what they had promised, and leave nothing behind."""

import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.places import Instance, PlaceError
from hearthwatch.services.ports import LOOPBACK, listens
from hearthwatch.services.postgres import Postgres

PATIENCE_S = 30


@pytest.fixture(params=["timescale", "plain"])
def own_server(request: pytest.FixtureRequest) -> Postgres:
    """Each flavour of PostgreSQL in turn, for this test alone."""
    server: Postgres = request.getfixturevalue(f"own_{request.param}")
    return server


def test_a_killed_database_comes_back_on_its_port_with_what_it_committed(own_server: Postgres) -> None:
    port = own_server.port
    with psycopg.connect(own_server.dsn(), autocommit=True) as db:
        db.execute("CREATE TABLE kept (n int)")
    for n in range(3):
        # A connection left open keeps a backend alive beyond its postmaster for a moment.
        with psycopg.connect(own_server.dsn(), autocommit=True) as db:
            db.execute("INSERT INTO kept VALUES (%s)", [n])
            own_server.kill()
            assert not own_server.running
            own_server.start()
    assert own_server.port == port
    with psycopg.connect(own_server.dsn()) as db:
        assert db.execute("SELECT array_agg(n ORDER BY n) FROM kept").fetchone() == ([0, 1, 2],)


def test_each_flavour_is_what_it_says(timescale_server: Postgres, plain_server: Postgres) -> None:
    offered = "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
    for server, extensions in ((timescale_server, 1), (plain_server, 0)):
        with psycopg.connect(server.dsn()) as db:
            assert db.execute(offered).fetchone() == (extensions,)
            assert server.edition == ("timescale" if extensions else "plain")


def test_a_killed_broker_comes_back_on_its_port_and_keeps_a_session(own_broker: Mosquitto) -> None:
    _subscribed(own_broker, "test-reader")
    own_broker.stop()  # in good order: the session is saved
    own_broker.start()
    assert _subscribed(own_broker, "test-reader") is True
    own_broker.restart()
    assert listens(own_broker.port)


def test_the_broker_queues_more_than_its_default_of_1000_for_an_absent_reader(own_broker: Mosquitto) -> None:
    _subscribed(own_broker, "absent-reader")
    _publish(own_broker, 1500)
    received = _received(own_broker, "absent-reader", 1500)
    assert received == [str(n).encode() for n in range(1500)]


def test_closing_removes_a_temporary_instance_and_keeps_a_named_one(tmp_path: Path) -> None:
    temporary, named = Instance(tmp_path), Instance(tmp_path, "named")
    temporary.release()
    named.release()
    assert not temporary.path.exists()
    assert named.path.exists()


def test_an_instance_belongs_to_one_process(tmp_path: Path) -> None:
    first = Instance(tmp_path, "named")
    with pytest.raises(PlaceError, match="in use"):
        Instance(tmp_path, "named")
    first.release()
    Instance(tmp_path, "named").release()


def test_what_a_killed_owner_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / "temporary-0badf00d"
    left.mkdir()
    held = Instance(tmp_path)
    Instance(tmp_path).release()
    assert not left.exists()
    assert held.path.exists()
    held.release()


def _client(client_id: str) -> mqtt.Client:
    return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)


def _connect(client: mqtt.Client, broker: Mosquitto, *, expiry_s: int) -> None:
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = expiry_s
    client.connect(LOOPBACK, broker.port, clean_start=False, properties=properties)


def _subscribed(broker: Mosquitto, client_id: str) -> bool:
    """Subscribe in a lasting session, leave, and say whether the session was there before."""
    client, subscribed, present = _client(client_id), threading.Event(), []

    def on_connect(client: mqtt.Client, _data: object, flags: mqtt.ConnectFlags, *_rest: object) -> None:
        present.append(flags.session_present)
        client.subscribe("test/#", qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: subscribed.set()
    _connect(client, broker, expiry_s=3600)
    client.loop_start()
    assert subscribed.wait(PATIENCE_S)
    client.disconnect()
    client.loop_stop()
    return present[0]


def _publish(broker: Mosquitto, count: int) -> None:
    client = _client("test-writer")
    _connect(client, broker, expiry_s=0)
    client.loop_start()
    messages = [client.publish("test/n", str(n), qos=1) for n in range(count)]
    for message in messages:
        message.wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def _received(broker: Mosquitto, client_id: str, count: int) -> list[bytes]:
    client, complete, payloads = _client(client_id), threading.Event(), []

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        payloads.append(message.payload)
        if len(payloads) == count:
            complete.set()

    client.on_message = on_message
    _connect(client, broker, expiry_s=0)
    client.loop_start()
    complete.wait(PATIENCE_S)
    client.disconnect()
    client.loop_stop()
    return payloads

"""What gateways are told to read: on a real broker, from a real registry, through every trouble of both."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from care.claiming import claim, release
from care.claims import ClaimWish
from care.registry import DeviceKind
from hearthwatch.services.mosquitto import Mosquitto
from ingest.broker.config_document import GatewayClaims, config_document
from tests.ingest.county import OXIMETER, REGISTRY, SPO2, THERMOMETER, Home, connect
from tests.ingest.service import Publisher, Service, wait_until
from tests.ingest.test_intake import now_ms
from vitals.topics import Leaf, topic

pytestmark = pytest.mark.long

A, B = OXIMETER, THERMOMETER
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Connection = psycopg.Connection[Any]


class Ears:
    """Hears every config document, and which of them the broker had retained."""

    def __init__(self, broker: Mosquitto) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.retained: dict[str, dict[str, Any]] = {}
        self._listening = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._listening.set()
        self._client.on_connect = lambda client, *_: client.subscribe(topic("+", Leaf.CONFIG), qos=1)
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._listening.wait(10)

    def __enter__(self) -> "Ears":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def devices(self, gateway_id: str) -> list[tuple[str, str | None]] | None:
        """Give what a gateway was told last."""
        told = [document for who, document in self.heard if who == gateway_id]
        return [(device["address"], device["driver"]) for device in told[-1]["devices"]] if told else None

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        gateway_id, document = message.topic.split("/")[2], json.loads(message.payload)
        if message.retain:
            self.retained[gateway_id] = document
        self.heard.append((gateway_id, document))


def retained(broker: Mosquitto, gateway_id: str) -> dict[str, Any]:
    """Ask the broker anew what it keeps for a gateway; it must have been published."""
    with Ears(broker) as ears:
        wait_until(lambda: gateway_id in ears.retained, "the broker has kept it")
        return ears.retained[gateway_id]


@contextmanager
def county(dsn: str) -> Iterator[Connection]:
    with connect(dsn) as opened:
        opened.execute(REGISTRY)
        yield opened


def put_claim(connection: Connection, device: str, *, gateway_id: str = "gw-1", driver: str | None = None) -> None:
    wish = ClaimWish(gateway_id=gateway_id, device_key=device, driver=driver, kind=DeviceKind.OXIMETER, continuous=True)
    claim(connection, wish, person_id=1, now=NOW)


def test_the_same_claims_give_the_same_bytes_and_no_more_devices_than_a_gateway_takes() -> None:
    claims = GatewayClaims(gateway_id="gw-1", changed_at=NOW, devices=[A, B], drivers=["jumper", None])
    assert config_document(claims) == (
        b'{"issued_at":"2026-03-01T12:00:00.000+00:00","devices":'
        b'[{"address":"C0:00:00:00:00:01","driver":"jumper"},{"address":"C0:00:00:00:00:05","driver":null}]}'
    )
    many = GatewayClaims(gateway_id="gw-1", changed_at=NOW, devices=[A] * 70, drivers=[None] * 70)
    assert len(json.loads(config_document(many))["devices"]) == 64


def test_a_claim_and_a_release_are_told_to_their_gateway_alone(
    any_database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    with county(any_database) as registry, Ears(own_broker) as ears, Service(any_database, own_broker, tmp_path):
        put_claim(registry, A, driver="jumper")
        wait_until(lambda: ears.devices("gw-1") == [(A, "jumper")], "the claim is told")
        put_claim(registry, B)
        wait_until(lambda: ears.devices("gw-1") == [(A, "jumper"), (B, None)], "both are told")
        put_claim(registry, B, gateway_id="gw-2")
        wait_until(lambda: ears.devices("gw-2") == [(B, None)], "the second gateway is told")
        release(registry, "gw-1", A, unbind=False, person_id=1, now=NOW)
        wait_until(lambda: ears.devices("gw-1") == [(B, None)], "the release is told")
        release(registry, "gw-1", B, unbind=False, person_id=1, now=NOW)
        wait_until(lambda: ears.devices("gw-1") == [], "that nothing is left is told too")
        assert [who for who, _ in ears.heard] == ["gw-1", "gw-1", "gw-2", "gw-1", "gw-1"], "nobody hears anything twice"
        assert retained(own_broker, "gw-1") == ears.heard[-1][1]


def test_what_was_claimed_while_ingest_was_away_is_told_at_its_start_and_who_has_no_claims_hears_nothing(
    database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    with county(database) as registry, Ears(own_broker) as ears:
        put_claim(registry, A)
        with Service(database, own_broker, tmp_path) as service:
            wait_until(lambda: ears.devices("gw-1") == [(A, None)], "told at the start")
            service.kill()
            put_claim(registry, B)
            service.start()
            wait_until(lambda: ears.devices("gw-1") == [(A, None), (B, None)], "told after the kill")
            assert {who for who, _ in ears.heard} == {"gw-1"}


def test_a_broker_that_lost_what_it_kept_is_filled_again(database: str, own_broker: Mosquitto, tmp_path: Path) -> None:
    with county(database) as registry, Service(database, own_broker, tmp_path) as service:
        put_claim(registry, A)
        wait_until(lambda: service.counted("configs") == 1, "it is told")
        own_broker.kill()
        for kept in own_broker.directory.glob("*.db*"):
            kept.unlink()
        put_claim(registry, A, gateway_id="gw-2")
        own_broker.start()
        wait_until(lambda: service.counted("configs") == 3, "both are told to the new broker")
        assert {who: len(retained(own_broker, who)["devices"]) for who in ("gw-1", "gw-2")} == {"gw-1": 1, "gw-2": 1}


def test_a_claim_made_while_the_database_was_lost_to_ingest_is_told(
    database: str, own_broker: Mosquitto, tmp_path: Path
) -> None:
    with county(database) as registry, Ears(own_broker) as ears, Service(database, own_broker, tmp_path) as service:
        put_claim(registry, A)
        wait_until(lambda: ears.devices("gw-1") == [(A, None)], "the first is told")
        registry.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hearthwatch-ingest'"
            " AND datname = current_database()"
        )
        put_claim(registry, B)
        wait_until(lambda: ears.devices("gw-1") == [(A, None), (B, None)], "the second is told")
        wait_until(lambda: service.counted("configs") == 2, "two documents were published")


def test_readings_go_on_where_claims_can_not_be_read(database: str, own_broker: Mosquitto, tmp_path: Path) -> None:
    home = Home()
    with county(database) as registry, Ears(own_broker) as ears:
        registry.execute("ALTER VIEW care_claim RENAME TO hidden")
        with Service(database, own_broker, tmp_path) as service, Publisher(own_broker, "gw-1") as gateway:
            wait_until(lambda: service.said("gateways are not told what to read"), "it says so")
            gateway.keep((0, 1), home.message([(0, SPO2, 9700)], t0_ms=now_ms()))
            wait_until(lambda: gateway.unstored == 0, "a reading is stored all the same")
            registry.execute("ALTER VIEW hidden RENAME TO care_claim")
            put_claim(registry, A)
            wait_until(lambda: ears.devices("gw-1") == [(A, None)], "told once it can be read")
            assert service.counted('trouble{trouble="config_no_schema"}') >= 1


def test_a_config_that_the_broker_refuses_is_told_once_it_is_allowed(database: str, tmp_path: Path) -> None:
    rules = [
        "topic readwrite hearthwatch/v1/+/ack",
        "topic read hearthwatch/v1/#",
        "topic write hearthwatch/v1/+/config",
    ]

    def guarded(port: int, directory: Path) -> str:
        (directory / "acl").write_text("\n".join(rules[:2]) + "\n")
        return f"listener {port} 127.0.0.1\nallow_anonymous true\nacl_file {directory}/acl\n"

    with Mosquitto(config=guarded) as broker, county(database) as registry, Ears(broker) as ears:
        put_claim(registry, A)
        with Service(database, broker, tmp_path) as service:
            wait_until(lambda: service.said("the broker refuses what gateways are told"), "it says so")
            assert ears.heard == []
            (broker.directory / "acl").write_text("\n".join(rules) + "\n")
            os.kill(broker.pid, signal.SIGHUP)
            wait_until(lambda: ears.devices("gw-1") == [(A, None)], "it is told once it may be", within_s=60)


def test_a_county_of_gateways_is_told_in_turns(database: str, own_broker: Mosquitto, tmp_path: Path) -> None:
    with county(database) as registry, Ears(own_broker) as ears:
        registry.execute("INSERT INTO gateway SELECT 'home-' || n, 1 FROM generate_series(1, 450) n")
        registry.execute(
            "INSERT INTO claim (gateway_id, device_id, claimed_at) SELECT gateway_id, 11, now() FROM gateway"
            " WHERE gateway_id LIKE 'home-%'"
        )
        registry.execute("INSERT INTO gateway VALUES ('No Topic', 1)")
        registry.execute("INSERT INTO claim (gateway_id, device_id, claimed_at) VALUES ('No Topic', 11, now())")
        with Service(database, own_broker, tmp_path) as service:
            wait_until(lambda: len(ears.heard) == 450, "all are told")
            assert {who for who, _ in ears.heard} == {f"home-{n}" for n in range(1, 451)}
            wait_until(lambda: service.said("a gateway can not be told what to read"), "the impossible one is named")

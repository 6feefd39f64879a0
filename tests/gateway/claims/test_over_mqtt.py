"""The config document on a real broker: retained for who comes later, replaced, refused, empty."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from gateway.claims.book import ClaimBook, book_path
from gateway.claims.desk import ClaimDesk
from gateway.report.status import OFFLINE
from gateway.uplink.uplink import BrokerAddress, Listener, Uplink
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.waiting import eventually
from vitals.topics import Leaf, topic

A, B = "C0:00:00:00:00:0A", "C0:00:00:00:00:0B"


async def say(broker: Mosquitto, gateway_id: str, payload: bytes | str) -> None:
    """Publish retained, as the centre does."""
    await asyncio.to_thread(
        publish.single,
        topic(gateway_id, Leaf.CONFIG),
        payload,
        qos=1,
        retain=True,
        hostname="127.0.0.1",
        port=broker.port,
        protocol=MQTTProtocolVersion.MQTTv5,
    )


def config(*addresses: str) -> str:
    devices = [{"address": address, "driver": None} for address in addresses]
    return json.dumps({"issued_at": "2026-03-01T11:00:00+00:00", "devices": devices})


class Listening:
    """A desk on an uplink."""

    def __init__(self, broker: Mosquitto, gateway_id: str, folder: Path) -> None:
        self.addresses: list[str] | None = None
        self.desk = ClaimDesk(
            ClaimBook(book_path(folder / "outbox.sqlite")),
            settings=(),
            devices_max=32,
            now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC),
        )
        self.uplink = Uplink(
            BrokerAddress(host="127.0.0.1", port=broker.port, gateway_id=gateway_id, reconnect_s_max=1),
            Listener(on_connected=lambda: None, on_ack=lambda _payload: None, on_config=self.desk.hear),
            will=OFFLINE,
        )
        self.task = asyncio.create_task(
            self.desk.run(lambda claims: setattr(self, "addresses", [c.address for c in claims]), lambda: None)
        )

    async def end(self) -> None:
        await self.uplink.stop()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def listening(own_broker: Mosquitto, gateway_id: str, tmp_path: Path) -> AsyncIterator[Listening]:
    opened = Listening(own_broker, gateway_id, tmp_path)
    await eventually(lambda: opened.addresses is not None)
    yield opened
    await opened.end()


async def test_a_config_said_before_the_gateway_came_and_those_after_are_taken(
    own_broker: Mosquitto, gateway_id: str, listening: Listening
) -> None:
    await say(own_broker, gateway_id, config(A))
    listening.uplink.start()
    await eventually(lambda: listening.addresses == [A])
    await say(own_broker, gateway_id, config(A, B))
    await eventually(lambda: listening.addresses == [A, B])
    await say(own_broker, gateway_id, b'{"devices": 3}')
    await eventually(lambda: listening.desk.report().refused is not None)
    assert listening.addresses == [A, B]


async def test_a_topic_that_is_cleared_takes_no_device_away(
    own_broker: Mosquitto, gateway_id: str, listening: Listening
) -> None:
    listening.uplink.start()
    await eventually(lambda: listening.uplink.connected)
    await say(own_broker, gateway_id, config(A))
    await eventually(lambda: listening.addresses == [A])
    await say(own_broker, gateway_id, b"")
    await eventually(lambda: listening.desk.report().refused is not None)
    assert listening.addresses == [A]


async def test_after_the_broker_was_away_the_config_said_meanwhile_is_taken(
    own_broker: Mosquitto, gateway_id: str, listening: Listening
) -> None:
    listening.uplink.start()
    await eventually(lambda: listening.uplink.connected)
    await say(own_broker, gateway_id, config(A))
    await eventually(lambda: listening.addresses == [A])
    await asyncio.to_thread(own_broker.kill)
    await eventually(lambda: not listening.uplink.connected)
    await asyncio.to_thread(own_broker.start)
    await say(own_broker, gateway_id, config(B))
    await eventually(lambda: listening.addresses == [B])

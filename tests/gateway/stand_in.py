"""A tiny stand-in for ingest on a real broker: takes messages apart, keeps every row, acknowledges if told to."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from vitals.topics import Leaf, topic
from vitals.wire import Header, Message, Row, rows_of, unpack


class StandIn:
    """Subscribes to one gateway; `async with` it on the event loop, and wait for a state with `until`."""

    def __init__(self, host: str, port: int, gateway_id: str, *, acks: bool = True) -> None:
        self.acks = acks
        self.messages: list[Message] = []
        self.urgent: list[bool] = []
        self.rows: dict[int, Row] = {}
        self.times_ms: dict[int, int] = {}
        self.headers: dict[int, Header] = {}
        self.copies = 0
        self.status: dict[str, Any] = {}
        self.statuses: list[dict[str, Any]] = []
        self.before_ack: Callable[[], None] = lambda: None
        self._gateway_id = gateway_id
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Condition()
        self._subscribed = asyncio.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"stand-in-{gateway_id}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._loop.call_soon_threadsafe(self._subscribed.set)
        self._client.on_message = self._on_message
        self._client.connect_async(host, port, clean_start=False)

    async def __aenter__(self) -> Self:
        self._client.loop_start()
        await self._subscribed.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def until(self, state: Callable[[Self], bool]) -> None:
        """Wait for a state of this stand-in."""
        async with self._news:
            await self._news.wait_for(lambda: state(self))

    def acknowledge(self, outbox_id: object, ranges: list[list[int]]) -> None:
        """Say that rows are stored."""
        payload = json.dumps({"outbox_id": str(outbox_id), "stored": ranges})
        self._client.publish(topic(self._gateway_id, Leaf.ACK), payload, qos=1)

    def say(self, payload: bytes) -> None:
        """Publish raw bytes as an acknowledgement."""
        self._client.publish(topic(self._gateway_id, Leaf.ACK), payload, qos=1)

    def acknowledge_all(self) -> None:
        """Acknowledge every row seen so far, one range a message."""
        for message in list(self.messages):
            header = message.header
            self.acknowledge(header.outbox_id, [[header.first_row, header.first_row + message.row_count]])

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe([(topic(self._gateway_id, leaf), 1) for leaf in (Leaf.READINGS, Leaf.STATUS)])

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        properties = getattr(message.properties, "UserProperty", [])
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._take, message.topic, message.payload, ("urgent", "1") in properties)

    def _take(self, name: str, payload: bytes, urgent: bool) -> None:
        if name.endswith("/status"):
            self.status = json.loads(payload)
            self.statuses.append(self.status)
        else:
            self._take_readings(unpack(payload), urgent)
        self._loop.create_task(self._tell())

    def _take_readings(self, message: Message, urgent: bool) -> None:
        header = message.header
        self.messages.append(message)
        self.urgent.append(urgent)
        for number, row in enumerate(rows_of(message), header.first_row):
            self.copies += number in self.rows
            self.rows[number] = row
            self.headers[number] = header
            self.times_ms[number] = header.t0_ms + row.offset * header.offset_unit_ms
        if self.acks:
            self.before_ack()
            self.acknowledge(header.outbox_id, [[header.first_row, header.first_row + message.row_count]])

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

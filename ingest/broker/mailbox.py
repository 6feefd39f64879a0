"""The link to the broker: one persistent MQTT 5 session, driven by the caller's own loop, acknowledged by hand.

There is no thread and no queue of ours: the broker keeps what is not acknowledged, and sends at most
`receive_maximum` messages ahead. A message may be acknowledged only on the connection that brought it, since a later
one may give its packet number to another message; what a lost connection leaves behind is delivered again.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vitals.topics import Leaf, topic

RETRY_S_FIRST, RETRY_S_MAX = 0.1, 5.0
COMPLAIN_EVERY_S = 30.0
WAITING_BYTES_MAX = 64 * 1024 * 1024
"""So much is read ahead of what is stored; TCP holds back the rest, and the broker keeps it."""
FULL_PAUSE_S = 0.05
OUTGOING_MAX = 10_000
"""Acknowledgements waiting for the broker; one more is dropped, as the gateway will ask again."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is, and who we are to it."""

    host: str
    port: int
    client_id: str
    username: str = ""
    password: str = ""
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = 30
    session_expiry_s: int = 7 * 86_400
    receive_maximum: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as it came, and what is needed to acknowledge it."""

    topic: str
    payload: bytes
    retained: bool
    received_ms: int
    connection: int
    mid: int
    qos: int


class Mailbox:
    """Holds what has been delivered and not been fetched; `now_ms` gives clinical time.

    `refused` counts what we sent and the broker would not take.
    """

    def __init__(self, address: BrokerAddress, now_ms: Callable[[], int], stopping: threading.Event) -> None:
        self._address = address
        self._now_ms = now_ms
        self._stopping = stopping
        self._waiting: deque[Delivery] = deque()
        self._waiting_bytes = 0
        self._connection = 0
        self._attempt_at = 0.0
        self._retry_s = RETRY_S_FIRST
        self._complained_at = -COMPLAIN_EVERY_S
        self._refused_at = -COMPLAIN_EVERY_S
        self.refused = 0
        self._began = False
        self.subscribed = False
        self._client = self._made()

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._client.is_connected()

    @property
    def waiting(self) -> int:
        """How many messages have been delivered and not been fetched."""
        return len(self._waiting)

    @property
    def _is_full(self) -> bool:
        """Whether no more is read off the line for now: what comes at QoS 0 knows no receive maximum."""
        return len(self._waiting) > self._address.receive_maximum or self._waiting_bytes >= WAITING_BYTES_MAX

    @property
    def connection(self) -> int:
        """A number that is another for every connection."""
        return self._connection

    def pump(self, timeout_s: float) -> None:
        """Work on the connection until something was delivered, at most so long; connects again by itself."""
        if not self._client.is_connected() and self._client.socket() is None:
            self._connect_again(timeout_s)
            return
        if self._is_full:
            self._client.loop_misc()
            self._stopping.wait(min(FULL_PAUSE_S, timeout_s))
            return
        if self._waiting:
            timeout_s = 0
        before = -1
        while before < len(self._waiting) and not self._is_full:
            before = len(self._waiting)
            if self._client.loop(timeout_s) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._back_off()
                return
            timeout_s = 0

    def fetch(self) -> Delivery | None:
        """Take what was delivered first; None if nothing waits."""
        if not self._waiting:
            return None
        delivery = self._waiting.popleft()
        self._waiting_bytes -= len(delivery.payload)
        return delivery

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """Tell the broker that these are safe with us."""
        for delivery in deliveries:
            if delivery.connection == self._connection and delivery.qos:
                self._client.ack(delivery.mid, delivery.qos)

    def send(self, topic_name: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> bool:
        """Publish; false where it could not be handed over now. Only of QoS 1 the broker says whether it was let in."""
        if not self._client.is_connected():
            return False
        return self._client.publish(topic_name, payload, qos=qos, retain=retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def close(self) -> None:
        """Leave in good order and for good; the session stays at the broker."""
        self._client.disconnect()
        self._client.loop(0.1)
        del self._client  # only its end closes the pair of sockets by which it wakes itself

    def _made(self) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._address.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.max_inflight_messages_set(OUTGOING_MAX)
        client.max_queued_messages_set(OUTGOING_MAX)
        if self._address.username:
            client.username_pw_set(self._address.username, self._address.password)
        if self._address.ca_file:
            client.tls_set(
                ca_certs=str(self._address.ca_file),
                certfile=str(self._address.certificate_file) if self._address.certificate_file else None,
                keyfile=str(self._address.key_file) if self._address.key_file else None,
            )
        return client

    def _connect_again(self, timeout_s: float) -> None:
        pause_s = self._attempt_at - time.monotonic()
        if pause_s > 0:
            self._stopping.wait(min(pause_s, timeout_s))
            return
        try:
            if self._began:
                self._client.reconnect()
            else:
                self._connect_first()
        except (OSError, ValueError) as exc:  # ValueError: paho's word for a websocket or TLS set-up that failed
            self._complain(str(exc))
            self._back_off()

    def _connect_first(self) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._address.session_expiry_s
        properties.ReceiveMaximum = self._address.receive_maximum
        self._began = True
        self._client.connect(
            self._address.host,
            self._address.port,
            keepalive=self._address.keepalive_s,
            clean_start=False,
            properties=properties,
        )

    def _back_off(self) -> None:
        self._attempt_at = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, RETRY_S_MAX)

    def _complain(self, why: str) -> None:
        if time.monotonic() - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = time.monotonic()
            where = f"{self._address.host}:{self._address.port}"
            log.warning("the broker can not be reached; waiting for it", broker=where, why=why)

    def _on_connect(
        self, client: Client, _userdata: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._complain(f"it refuses us: {reason}")
            return
        self._connection += 1
        self._retry_s = RETRY_S_FIRST
        self._complained_at = -COMPLAIN_EVERY_S
        log.info("connected to the broker", session_present=flags.session_present)
        when_new = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        never = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        client.subscribe(
            [
                (topic("+", Leaf.READINGS), never),
                (topic("+", Leaf.READINGS_JSON), never),
                (topic("+", Leaf.STATUS), when_new),
            ]
        )

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connection += 1
        self.subscribed = False
        self._waiting_bytes = 0
        self._waiting.clear()  # what was not fetched will be delivered again
        if not self._stopping.is_set():
            log.warning("the broker is gone; connecting again", why=str(reason))

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self.subscribed = not any(reason.is_failure for reason in reasons)
        for reason in reasons:
            if reason.is_failure:
                log.error("the broker refuses a subscription: readings will not arrive", why=str(reason))

    def _on_publish(
        self, _client: Client, _userdata: Any, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self.refused += reason.is_failure
        if reason.is_failure and time.monotonic() - self._refused_at >= COMPLAIN_EVERY_S:
            self._refused_at = time.monotonic()
            log.error("the broker refuses what gateways are told (its access rules?)", why=str(reason))

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        self._waiting_bytes += len(message.payload)
        self._waiting.append(
            Delivery(
                topic=message.topic,
                payload=bytes(message.payload),
                retained=message.retain,
                received_ms=self._now_ms(),
                connection=self._connection,
                mid=message.mid,
                qos=message.qos,
            )
        )

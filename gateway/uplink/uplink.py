"""The link to the broker: paho on its own thread, MQTT 5, reconnecting for ever; never a queue.

paho would queue without bound while disconnected: so nothing is handed to it then, and what a lost connection leaves
unacknowledged is dropped from its memory (the courier sends again what ingest has not stored).
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.uplink.network_thread import RESTART_S, UnendingClient
from gateway.uplink.tls import TlsFileError, certificate_end, client_context
from gateway.uplink.trouble import Trouble, after_failure
from vitals.topics import Leaf, topic

SPARE_MESSAGES = 4  # heartbeats beside the readings in flight

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """Where the broker is and how to speak to it."""

    host: str
    port: int
    gateway_id: str
    username: str = ""
    password: str = ""
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = 30
    session_expiry_s: int = 3600
    reconnect_s_max: int = 30
    in_flight_max: int = 8
    answer_s_max: float = 30.0
    """A broker that has not answered a message for so long is hung: the connection is cut and made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who wants to hear what, called on the event loop."""

    on_connected: Callable[[], None]
    on_ack: Callable[[bytes], None]
    on_config: Callable[[bytes], None] = lambda _payload: None
    """The retained config document, delivered at every connection too."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message that the broker has not answered yet."""

    at_s: float
    on_answer: Callable[[float], None] | None


class Uplink:
    """One MQTT client. Construct on the event loop; every method is called there."""

    def __init__(self, address: BrokerAddress, listener: Listener, *, will: bytes) -> None:
        self.connected = False
        self.connects = 0
        self.crashes = 0
        self.certificate_end: datetime | None = None
        self._trouble = Trouble()
        self._is_stopping = False
        self._address = address
        self._listener = listener
        self._hears = {
            topic(address.gateway_id, Leaf.ACK): listener.on_ack,
            topic(address.gateway_id, Leaf.CONFIG): listener.on_config,
        }
        self._loop = asyncio.get_running_loop()
        self._unacknowledged: dict[int, _Sent] = {}
        self._news = asyncio.Event()
        self._client = self._made(will)

    @property
    def trouble(self) -> str | None:
        """Why there is no broker; None while there is one, or before the first attempt."""
        return self._trouble.why

    @property
    def failed(self) -> int:
        """How many attempts have failed since there was a broker."""
        return self._trouble.failed

    def start(self) -> None:
        """Begin to connect, and go on for ever; a missing broker is only logged."""
        self._begin(clean_start=False)
        self._client.loop_start()

    def publish(
        self,
        leaf: Leaf,
        payload: bytes,
        *,
        retain: bool = False,
        urgent: bool = False,
        on_answer: Callable[[float], None] | None = None,
    ) -> bool:
        """Hand a QoS 1 message over, if connected and within the bound; say whether it was taken.

        `on_answer` hears after how many seconds the broker answered; not at all if the connection is lost before.
        """
        if not self.connected or len(self._unacknowledged) >= self._address.in_flight_max + SPARE_MESSAGES:
            return False
        properties = None
        if urgent:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = [("urgent", "1")]
        name = topic(self._address.gateway_id, leaf)
        sent = self._client.publish(name, payload, qos=1, retain=retain, properties=properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return False
        self._unacknowledged[sent.mid] = _Sent(self._loop.time(), on_answer)
        return True

    def cut_if_hung(self) -> None:
        """Cut a connection whose broker answers no PUBLISH: paho reconnects. To be called every now and then."""
        oldest_s = min((sent.at_s for sent in self._unacknowledged.values()), default=self._loop.time())
        if self.connected and self._loop.time() - oldest_s > self._address.answer_s_max:
            log.error("broker acknowledges nothing, reconnecting", unacknowledged=len(self._unacknowledged))
            self._unacknowledged.clear()
            with suppress(OSError, AttributeError):
                self._client.socket().shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]

    async def stop(self) -> None:
        """Disconnect and end the thread."""
        self._is_stopping = True
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        self.connected = False

    async def settled(self, *, timeout_s: float) -> None:
        """Wait until the broker has acknowledged everything, at most so long."""
        deadline_s = self._loop.time() + timeout_s
        while self.connected and self._unacknowledged and self._loop.time() < deadline_s:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline_s):
                    await self._news.wait()

    def _begin(self, *, clean_start: bool) -> None:
        """Let paho's thread call the broker; a clean start leaves behind what the broker kept for us."""
        expiry = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        expiry.SessionExpiryInterval = self._address.session_expiry_s
        self._client.connect_async(
            self._address.host,
            self._address.port,
            keepalive=self._address.keepalive_s,
            clean_start=clean_start,
            properties=expiry,
        )

    def _made(self, will: bytes) -> Client:
        address = self._address
        client = UnendingClient(
            CallbackAPIVersion.VERSION2,
            client_id=address.gateway_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            on_crash=lambda exc: self._tell(self._crashed, exc),
            begin=lambda: self._begin(clean_start=True),  # without what may have been the cause
            restart_s=min(RESTART_S, address.reconnect_s_max),
            tls=self._tls if address.ca_file else None,
        )
        client.max_inflight_messages_set(address.in_flight_max + SPARE_MESSAGES)  # paho: only before connecting
        client.max_queued_messages_set(address.in_flight_max + SPARE_MESSAGES)
        client.reconnect_delay_set(min_delay=1, max_delay=address.reconnect_s_max)
        client.will_set(topic(address.gateway_id, Leaf.STATUS), will, qos=1, retain=True)
        if address.username:
            client.username_pw_set(address.username, address.password)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    # On paho's thread: what is heard there is only passed on to the loop.

    def _tls(self) -> ssl.SSLContext:
        """Read the files as they are now. Raises TlsFileError."""
        address = self._address
        assert address.ca_file is not None
        self._tell(self._read_certificate, certificate_end(address.certificate_file))
        return client_context(address.ca_file, address.certificate_file, address.key_file)

    def _on_connect(
        self, client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        client.drop_out_messages()
        if not reason.is_failure:
            client.subscribe([(name, 1) for name in self._hears])
        self._tell(self._connected, reason)

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:
        self._tell(self._not_connected, sys.exc_info()[1])  # paho calls from where it caught it

    def _on_disconnect(
        self, client: Client, _userdata: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Any
    ) -> None:
        client.drop_out_messages()
        self._tell(self._disconnected, reason)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            hears = self._hears.get(message.topic)
        except UnicodeDecodeError:
            return  # a topic that is no text is none of ours
        if hears:
            self._tell(hears, message.payload)

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._tell(self._published, mid, reason)

    def _tell(self, news: Callable[..., None], *facts: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to hear
            self._loop.call_soon_threadsafe(news, *facts)

    # On the loop again.

    def _connected(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            self._failed(log.error, "broker refuses", f"broker refuses: {reason}")
            return
        self._unacknowledged.clear()
        self.connected = True
        self.connects += 1
        self._trouble = Trouble()
        self._listener.on_connected()
        log.info("broker connected", host=self._address.host, port=self._address.port)

    def _read_certificate(self, end: datetime | None) -> None:
        self.certificate_end = end

    def _not_connected(self, why: BaseException | None) -> None:
        if isinstance(why, TlsFileError):
            self._failed(log.error, "a file of TLS is wrong, readings wait in the outbox until it is mended", str(why))
        else:
            self._failed(log.warning, "broker not reachable, readings wait in the outbox", str(why))

    def _disconnected(self, reason: ReasonCode) -> None:
        was_connected, self.connected = self.connected, False
        self._unacknowledged.clear()
        self._news.set()
        if self._is_stopping:
            return
        if was_connected:
            log.warning("broker connection lost, readings wait in the outbox", reason=str(reason))
            self._trouble = Trouble(why=f"connection lost: {reason}")
        else:  # so does a broker that wants a certificate of ours
            self._failed(log.warning, "broker hangs up, readings wait in the outbox", f"broker hangs up: {reason}")

    def _failed(self, say: Callable[..., None], what: str, why: str) -> None:
        self._trouble, is_news = after_failure(self._trouble, why, self._loop.time())
        if is_news:
            say(what, host=self._address.host, port=self._address.port, why=why, failed=self._trouble.failed)

    def _crashed(self, exc: Exception) -> None:
        self.connected = False
        self.crashes += 1
        self._trouble = Trouble(why=f"{type(exc).__name__}: {exc}")
        self._unacknowledged.clear()
        self._news.set()
        log.error("the link to the broker crashed, beginning anew", error=f"{type(exc).__name__}: {exc}", exc_info=exc)

    def _published(self, mid: int, reason: ReasonCode) -> None:
        sent = self._unacknowledged.pop(mid, None)
        if sent and sent.on_answer:
            sent.on_answer(self._loop.time() - sent.at_s)
        self._news.set()
        if reason.is_failure:
            log.error("broker refused a message", reason=str(reason))

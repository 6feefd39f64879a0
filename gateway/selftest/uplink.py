"""Tries the way to the centre: the connection, and a status message where no gateway runs that it would disturb."""

import json
import queue
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.report.status import OFFLINE
from gateway.report.status_file import StatusFile, status_path
from gateway.selftest.uplink_findings import Connection, Running, Step
from gateway.settings import GatewaySettings
from gateway.uplink.tls import client_context
from vitals.topics import Leaf, topic

PATIENCE_S = 10.0
REFUSAL_S = 2.0
"""TLS 1.3 refuses a client's certificate only after the handshake: so long is listened for it."""
STALE_S = 40.0


def meet(host: str, port: int, context: ssl.SSLContext | None) -> Connection:
    """Connect as far as TLS, and be let in by it; nothing of MQTT is said, so nobody's session is cut off."""
    try:
        plain = socket.create_connection((host, port), timeout=PATIENCE_S)
    except socket.gaierror as exc:
        return _failed(Step.NAME, exc)
    except OSError as exc:
        return _failed(Step.REACHED, exc)
    with plain:
        if context is None:
            return Connection(failed_at=None, why="", server_until=None)
        try:
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return _let_in(secure)
        except ssl.SSLCertVerificationError as exc:
            return _failed(Step.SERVER_TRUSTED, exc.verify_message)
        except OSError as exc:
            return _failed(Step.LET_IN, exc)


def tls_of(settings: GatewaySettings) -> ssl.SSLContext | None:
    """Make the context of a gateway's settings; None where they have no TLS. Raises TlsFileError."""
    if settings.broker_ca_file is None:
        return None
    return client_context(settings.broker_ca_file, settings.broker_certificate_file, settings.broker_key_file)


def publish_status(settings: GatewaySettings) -> tuple[str | None, str]:
    """Say over MQTT that this gateway is offline, as it is; answer the broker's reason, or None and why not."""
    heard: queue.Queue[tuple[str | None, str]] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, client_id=settings.gateway_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = _on_connect(heard, topic(settings.gateway_id, Leaf.STATUS))
    client.on_publish = lambda _c, _d, _mid, reason, _p: heard.put((str(reason), ""))
    client.on_disconnect = lambda _c, _d, _f, reason, _p: heard.put((None, str(reason)))
    if settings.broker_username:
        client.username_pw_set(settings.broker_username, settings.broker_password.get_secret_value())
    context = tls_of(settings)
    if context is not None:
        client.tls_set_context(context)
    keep = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    keep.SessionExpiryInterval = settings.broker_session_expiry_s
    try:
        client.connect(settings.broker_host, settings.broker_port, clean_start=False, properties=keep)
        client.loop_start()
        return heard.get(timeout=PATIENCE_S)
    except OSError as exc:
        return None, str(exc)
    except queue.Empty:
        return None, f"nothing within {PATIENCE_S:g} s"
    finally:
        client.disconnect()
        client.loop_stop()


def running(settings: GatewaySettings) -> Running | None:
    """Read what the running gateway said last; None where that is too old, or no word of ours."""
    last = StatusFile(status_path(settings.outbox_path, settings.status_file)).read()
    if last is None or last.age_s > STALE_S:
        return None
    with suppress(ValueError, KeyError, TypeError):
        document: dict[str, Any] = json.loads(last.payload)
        uplink = document["uplink"]
        return Running(
            age_s=last.age_s,
            connects=int(uplink["connects"]),
            stored_age_s=uplink["stored_age_s"],
            is_centre_reachable=uplink["centre_reachable"],
            waiting=int(document["outbox"]["depth"]),
        )
    return None


def _let_in(secure: ssl.SSLSocket) -> Connection:
    shown = secure.getpeercert() or {}
    until = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    secure.settimeout(REFUSAL_S)
    try:
        if secure.recv(1) == b"":
            return _failed(Step.LET_IN, "it hung up")
    except TimeoutError:
        pass
    return Connection(failed_at=None, why="", server_until=until)


def _failed(step: Step, why: object) -> Connection:
    said = (why.strerror or str(why)) if isinstance(why, OSError) else str(why)
    if isinstance(why, ssl.SSLError):
        said = (why.reason or said).lower().replace("_", " ")
    return Connection(failed_at=step, why=said, server_until=None)


def _on_connect(heard: "queue.Queue[tuple[str | None, str]]", name: str) -> Callable[..., None]:
    def on_connect(client: Client, _data: object, _flags: object, reason: Any, _properties: object) -> None:
        if reason.is_failure:
            heard.put((None, str(reason)))
        else:
            client.publish(name, OFFLINE, qos=1, retain=True)

    return on_connect

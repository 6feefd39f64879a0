"""Ingest as its own process, and a gateway that sends again until it is told that its rows are stored."""

import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import free_port
from hearthwatch.services.process import ProcessSpec
from hearthwatch.services.supervisor import Supervisor
from ingest.account import Range, merged
from vitals.topics import Leaf, topic

WITHIN_S = 20.0


def wait_until(true: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Wait for a state, never for a time."""
    ends_at = time.monotonic() + within_s
    pause = threading.Event()
    while not true():
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {within_s} s: {what}")
        pause.wait(0.01)


def ingest_process(dsn: str, broker: Mosquitto, **settings: str) -> ProcessSpec:
    """Say how to run ingest; settings as HEARTHWATCH_INGEST_<NAME>."""
    port = settings.setdefault("metrics_port", str(free_port()))
    return ProcessSpec(
        name="ingest",
        argv=(sys.executable, "-W", "error", "-m", "hearthwatch", "ingest", "run"),
        env={**environment(dsn, broker), **{f"HEARTHWATCH_INGEST_{k.upper()}": v for k, v in settings.items()}},
        ready=lambda: metrics_of(int(port)).get("hearthwatch_ingest_ready") == 1,
    )


def environment(dsn: str, broker: Mosquitto) -> dict[str, str]:
    """Point a process at a database and a broker."""
    return {
        "HEARTHWATCH_DATABASE_DSN": dsn,
        "HEARTHWATCH_BROKER_HOST": "127.0.0.1",
        "HEARTHWATCH_BROKER_PORT": str(broker.port),
        "PATH": os.environ["PATH"],
    }


@contextmanager
def running_ingest(dsn: str, broker: Mosquitto, folder: Path, **settings: str) -> Iterator[Supervisor]:
    """Run ingest, brought back when killed."""
    with Supervisor(folder) as supervisor:
        supervisor.start(ingest_process(dsn, broker, **settings))
        yield supervisor


def metrics_of(port: int) -> dict[str, float]:
    """Read a process's counters by their full names; empty where it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


class Publisher:
    """A gateway's courier in small: keeps every message until ingest has said that its rows are stored."""

    def __init__(self, broker: Mosquitto, gateway_id: str, *, session: bool = True) -> None:
        self.gateway_id = gateway_id
        self.words: list[dict[str, Any]] = []
        self._kept: dict[Range, bytes] = {}
        self._lock = threading.Lock()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"gateway-{gateway_id}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_message = self._on_message
        self._client.on_connect = self._on_connect
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", broker.port, clean_start=session)
        self._client.loop_start()
        wait_until(self._client.is_connected, "the publisher is connected")

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, payload: bytes, leaf: Leaf = Leaf.READINGS, *, retain: bool = False) -> None:
        """Publish once and forget."""
        self._client.publish(topic(self.gateway_id, leaf), payload, qos=1, retain=retain)

    def keep(self, rows: Range, payload: bytes, leaf: Leaf = Leaf.READINGS) -> None:
        """Publish, and keep for sending again."""
        with self._lock:
            self._kept[rows] = payload
        self.send(payload, leaf)

    def send_again(self) -> int:
        """Publish everything that is not known to be stored; say how many messages that were."""
        with self._lock:
            kept = list(self._kept.values())
        if self._client.is_connected():
            for payload in kept:
                self.send(payload)
        return len(kept)

    @property
    def unstored(self) -> int:
        """How many messages are kept."""
        with self._lock:
            return len(self._kept)

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(topic(self.gateway_id, Leaf.ACK), qos=1)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        word: Mapping[str, Any] = json.loads(message.payload)
        stored = merged((first, end) for first, end in word["stored"])
        with self._lock:
            self.words.append(dict(word))
            for rows in list(self._kept):
                if any(first <= rows[0] and rows[1] <= end for first, end in stored):
                    del self._kept[rows]

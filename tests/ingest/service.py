"""Ingest as its own process, and a gateway that sends again until it is told that its rows are stored."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import free_port
from hearthwatch.services.process import tied_to_parent
from ingest.account import Range, merged
from vitals.topics import Leaf, topic

WITHIN_S = 60.0


def wait_until(true: Callable[[], object], what: str, within_s: float = WITHIN_S) -> None:
    """Wait for a state, never for a time."""
    ends_at = time.monotonic() + within_s
    pause = threading.Event()
    while not true():
        if time.monotonic() > ends_at:
            raise AssertionError(f"not within {within_s} s: {what}")
        pause.wait(0.01)


class Service:
    """Ingest as a process of its own: started, killed and started again by its own pid."""

    def __init__(self, dsn: str, broker: Mosquitto, folder: Path, *, log_level: str = "INFO", **settings: str) -> None:
        self.metrics_port = free_port()
        self._log = folder / "ingest.log"
        self._process: subprocess.Popen[bytes] | None = None
        own = {"metrics_port": str(self.metrics_port), **settings}
        self._environment = {
            "HEARTHWATCH_DATABASE_DSN": dsn,
            "HEARTHWATCH_BROKER_PORT": str(broker.port),
            "HEARTHWATCH_LOG_LEVEL": log_level,
            "PATH": os.environ["PATH"],
            **{f"HEARTHWATCH_INGEST_{name.upper()}": value for name, value in own.items()},
        }

    def __enter__(self) -> "Service":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def launch(self) -> None:
        """Start it."""
        command = (sys.executable, "-W", "error", "-m", "hearthwatch", "ingest", "run")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                tied_to_parent(command), env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start it and return when it takes messages."""
        self.launch()
        wait_until(self.is_ready, "ingest is ready")

    def is_ready(self) -> bool:
        """Say whether it takes messages now."""
        return self.metrics().get("hearthwatch_ingest_ready") == 1

    def metrics(self) -> dict[str, float]:
        """Read its counters by their short names."""
        return metrics_of(self.metrics_port)

    def page(self, path: str) -> tuple[int, dict[str, Any]]:
        """Ask for a page; its status and its JSON."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def counted(self, name: str) -> float:
        """Read one counter, such as readings or rejected{reason="bad_crc"}."""
        head, brace, labels = name.partition("{")
        return self.metrics().get(f"hearthwatch_ingest_{head}_total{brace}{labels}", 0)

    def kill(self) -> None:
        """SIGKILL it and return when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to stop and give its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=WITHIN_S)

    def events(self) -> list[dict[str, Any]]:
        """Read what it has logged."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def log(self) -> str:
        """Give all that it has logged, as it stands there."""
        return self._log.read_text()

    def said(self, part: str) -> bool:
        """Say whether it has logged an event with this in its text."""
        return any(part in event["event"] for event in self.events())


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

    def __init__(self, broker: Mosquitto, gateway_id: str) -> None:
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
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()
        wait_until(self._client.is_connected, "the publisher is connected")

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def send(self, payload: bytes, leaf: Leaf = Leaf.READINGS, *, retain: bool = False, qos: int = 1) -> None:
        """Publish once and forget."""
        self._client.publish(topic(self.gateway_id, leaf), payload, qos=qos, retain=retain)

    def keep(self, rows: Range, payload: bytes, leaf: Leaf = Leaf.READINGS) -> None:
        """Publish, and keep for sending again."""
        with self._lock:
            self._kept[rows] = payload
        self.send(payload, leaf)

    def send_again(self) -> int:
        """Publish everything that is not known to be stored; say how many messages that were."""
        with self._lock:
            kept = list(self._kept.values())
        for payload in kept:
            self.send(payload)
        return len(kept)

    @property
    def is_connected(self) -> bool:
        """Whether the broker is there."""
        return self._client.is_connected()

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

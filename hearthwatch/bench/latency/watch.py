"""Who looks on while alarms are measured: another session of the database, and another ear at the broker."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.services.ports import LOOPBACK
from vitals.signals import SIGNALS, Signal
from vitals.topics import Leaf, topic
from vitals.wire import rows_of, unpack

LOOK_S = 0.5
_EPISODE = """
    SELECT e.episode_id, p.key, e.rule, e.raised_at, e.detected_at
      FROM episode e JOIN patient p USING (patient_id) WHERE e.episode_id = %s
"""
Place = tuple[str, int]
"""One SpO2: its device, and its instant in Unix ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtTheBroker:
    """When the gateway made the first message that had it, and when ingest's word that it is stored passed."""

    published_at: datetime
    told_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An episode as another session first saw it; `seen_at` is the machine's time when it had the row."""

    episode_id: int
    patient: str
    rule: str
    raised_at: datetime
    detected_at: datetime
    seen_at: datetime


class EpisodeWatch:
    """Sees each episode once, as soon as the database lets it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._seen: dict[int, Seen] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="episodes", daemon=True)

    def seen(self) -> list[Seen]:
        """Give what was seen so far, in order."""
        return list(self._seen.values())

    @contextmanager
    def watching(self) -> Iterator["EpisodeWatch"]:
        """Watch for the block."""
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()

    def _watch(self) -> None:
        with (
            psycopg.connect(self._dsn, autocommit=True) as told,
            psycopg.connect(self._dsn, autocommit=True) as asking,
        ):
            told.execute("LISTEN episode")
            while not self._stop.is_set():
                for word in told.notifies(timeout=LOOK_S):
                    self._look(asking, int(word.payload))

    def _look(self, asking: psycopg.Connection[tuple[int, str, str, datetime, datetime]], episode_id: int) -> None:
        if episode_id in self._seen:
            return
        row = asking.execute(_EPISODE, (episode_id,)).fetchone()
        seen_at = datetime.now(UTC)
        if row is not None:
            self._seen[episode_id] = Seen(
                episode_id=row[0],
                patient=row[1],
                rule=row[2],
                raised_at=row[3],
                detected_at=row[4],
                seen_at=seen_at,
            )


class Ear:
    """Keeps every message of readings that passes the broker, and every word of ingest on them with when it passed."""

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self._words: list[tuple[datetime, bytes]] = []

    def heard(self) -> dict[Place, AtTheBroker]:
        """Say of each SpO2 when it was first sent, by the gateways' own word, and when it was acknowledged."""
        told = self._told()
        code = SIGNALS[Signal.SPO2].code
        first: dict[Place, AtTheBroker] = {}
        for message in map(unpack, self._payloads):
            header = message.header
            published_at = datetime.fromtimestamp(header.sent_ms / 1000, UTC)
            for number, row in enumerate(rows_of(message), header.first_row):
                if row.signal_code == code:
                    device = header.devices[row.device_index].device
                    place = (device, header.t0_ms + row.offset * header.offset_unit_ms)
                    known = AtTheBroker(published_at=published_at, told_at=told.get((header.outbox_id, number)))
                    first.setdefault(place, known)
        return first

    def _told(self) -> dict[tuple[UUID, int], datetime]:
        """Give the first word on each row."""
        told: dict[tuple[UUID, int], datetime] = {}
        for at, payload in self._words:
            word = json.loads(payload)
            for begin, end in word["stored"]:
                for number in range(begin, end):
                    told.setdefault((UUID(word["outbox_id"]), number), at)
        return told

    @contextmanager
    def listening(self, port: int) -> Iterator["Ear"]:
        """Listen for the block."""
        client = Client(CallbackAPIVersion.VERSION2, client_id="bench-ear", protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = lambda c, *_: c.subscribe([(topic("+", leaf), 1) for leaf in (Leaf.READINGS, Leaf.ACK)])
        client.on_message = lambda _client, _userdata, message: self._take(message)
        client.connect(LOOPBACK, port)
        client.loop_start()
        try:
            yield self
        finally:
            client.disconnect()
            client.loop_stop()

    def _take(self, message: MQTTMessage) -> None:
        if message.topic.endswith(f"/{Leaf.ACK}"):
            self._words.append((datetime.now(UTC), bytes(message.payload)))
        else:
            self._payloads.append(bytes(message.payload))

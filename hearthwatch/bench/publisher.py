"""Publishes a county's messages, all at once or at a pace, until ingest has said *stored* of every row.

`python -m hearthwatch.bench.publisher` with a plan as JSON on its command line. Makes the messages, says `ready`, waits
for a line, then sends; at most `open_max` rows wait for *stored* at one time, as with real gateways. Prints one JSON
document: rows sent and stored, and how long after sending ingest said so.
"""

import json
import sys
import time
from bisect import bisect_left
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.bench.county_traffic import County, Form, Sent, messages
from hearthwatch.services.ports import LOOPBACK
from vitals.topics import Leaf, topic

QUIET_S_MAX = 60.0
"""So long without any *stored* is the end: something is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run sends; `rows_per_s` 0: as fast as it goes."""

    form: Form
    county: County
    readings: int
    rows_per_s: float
    open_max: int
    run: str
    t0_ms: int
    seed: int


class Publisher:
    """One client that speaks for all gateways of the county."""

    def __init__(self, port: int, plan: Plan) -> None:
        self._plan = plan
        per_message = 1 if plan.form is Form.JSON_SINGLE else plan.county.rows
        made = messages(plan.county, plan.form, run=plan.run, t0_ms=plan.t0_ms, seed=plan.seed)
        self._left: deque[Sent] = deque(islice(made, -(-plan.readings // per_message)))
        self._open: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
        self._open_rows = 0
        self._heard_at = 0.0
        self._waits_s: list[float] = []
        self.sent = self.stored = 0
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"publisher-{plan.run}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_message = self._on_message
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(65535)
        self._client.on_connect = lambda client, *_: client.subscribe(topic("+", Leaf.ACK), qos=0)
        self._subscribed = False
        self._client.on_subscribe = self._on_subscribe
        self._client.connect(LOOPBACK, port)
        while not self._subscribed:
            self._client.loop(0.1)

    def run(self) -> dict[str, Any]:
        """Send everything and wait for *stored* of everything."""
        began = self._heard_at = time.monotonic()
        while self._left or self._open_rows:
            self._send_due(began)
            self._client.loop(0.002)
            if time.monotonic() - self._heard_at > QUIET_S_MAX:
                break
        took_s = self._heard_at - began
        waits_ms = np.array(self._waits_s or [0.0]) * 1000
        return {
            "sent": self.sent,
            "stored": self.stored,
            "seconds": round(took_s, 3),
            "readings_per_s": round(self.stored / took_s),
            "age_p50_ms": round(float(np.percentile(waits_ms, 50)), 1),
            "age_p99_ms": round(float(np.percentile(waits_ms, 99)), 1),
        }

    def _send_due(self, began: float) -> None:
        now = time.monotonic()
        due = self._plan.rows_per_s * (now - began) if self._plan.rows_per_s else float("inf")
        for _ in range(200):
            if not self._left or self._open_rows >= self._plan.open_max or self.sent >= due:
                return
            message = self._left.popleft()
            self._client.publish(message.topic, message.payload, qos=1)
            self._open[str(message.outbox_id)].append((message.first_row, message.rows, now))
            self._open_rows += message.rows
            self.sent += message.rows

    def _on_subscribe(self, *_: Any) -> None:
        self._subscribed = True

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        word = json.loads(message.payload)
        self._heard_at = time.monotonic()
        waiting = self._open[word["outbox_id"]]
        for first, end in word["stored"]:
            at = bisect_left(waiting, (first,))
            until = bisect_left(waiting, (end,))
            for _, rows, sent_at in waiting[at:until]:
                self._open_rows -= rows
                self.stored += rows
                self._waits_s.append(self._heard_at - sent_at)
            del waiting[at:until]


def main() -> None:
    """Run the plan on the command line."""
    given = json.loads(sys.argv[2])
    plan = Plan(**{**given, "form": Form(given["form"]), "county": County(**given["county"])})
    publisher = Publisher(int(sys.argv[1]), plan)
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    print(json.dumps(publisher.run()), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

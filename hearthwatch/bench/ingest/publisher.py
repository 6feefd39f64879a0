"""Publishes a county's messages, all at once or at a pace, until ingest has said *stored* of every row.

`python -m hearthwatch.bench.ingest.publisher PORT PLAN`, the plan as JSON. Makes the messages, says `ready`, waits for
a line, then sends; at most `open_max` rows wait for *stored* at one time, and what is silent for long is sent again, as
real gateways do. Prints one JSON document: rows sent and stored, and how long after sending ingest said so.
"""

import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from hearthwatch.bench.ingest.county_traffic import County, Form, Sent, messages
from hearthwatch.services.ports import LOOPBACK
from vitals.topics import Leaf, topic

QUIET_S_MAX = 120.0
"""So long without any *stored* is the end: something is lost."""
MADE_AHEAD_MAX = 200_000
"""Of more messages each is made when it is sent."""
WAITS_MAX = 1_000_000
RATED_S_MIN = 1.0
"""A sixth that was over sooner came in one burst of *stored*, and has no rate."""
RESEND_S = 5.0
"""So long without any *stored*, and everything that waits is sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run sends; `rows_per_s` 0: as fast as it goes.

    `repeated_share` of the messages are sent twice, and messages change places within `shuffled`.
    """

    form: Form
    county: County
    readings: int
    rows_per_s: float
    open_max: int
    run: str
    t0_ms: int
    seed: int
    repeated_share: float = 0.0
    shuffled: int = 1

    @property
    def rows_per_message(self) -> int:
        """Say how many readings a message holds."""
        return 1 if self.form is Form.JSON_SINGLE else self.county.rows

    @property
    def messages(self) -> int:
        """Say how many messages hold so many readings."""
        return -(-self.readings // self.rows_per_message)


def planned(plan: Plan) -> Iterator[Sent]:
    """Make the messages of a plan, in the order of their rows."""
    made = messages(plan.county, plan.form, run=plan.run, t0_ms=plan.t0_ms, seed=plan.seed)
    return islice(made, plan.messages)


def disordered(plan: Plan) -> list[Sent]:
    """Make them, and repeat and shuffle them as the plan says."""
    sent = list(planned(plan))
    rng = np.random.default_rng(plan.seed)
    twice = rng.random(len(sent)) < plan.repeated_share
    everything = [message for message, again in zip(sent, twice, strict=True) for _ in range(1 + again)]
    order = np.argsort(np.arange(len(everything)) + plan.shuffled * rng.random(len(everything)), kind="stable")
    return [everything[at] for at in order]


class Publisher:
    """One client that speaks for all gateways of the county."""

    def __init__(self, port: int, plan: Plan) -> None:
        self._plan = plan
        self.rows = plan.messages * plan.rows_per_message
        self._coming = planned(plan) if plan.messages > MADE_AHEAD_MAX else iter(disordered(plan))
        self._next = next(self._coming, None)
        self._open: dict[str, dict[int, tuple[Sent, float]]] = defaultdict(dict)
        self._done: dict[str, set[int]] = defaultdict(set)
        self._open_rows = 0
        self._heard_at = self._resent_at = 0.0
        self._waits_s: deque[float] = deque(maxlen=WAITS_MAX)
        self._sixths_s: list[float] = []
        self.published = self.stored = self.resent = 0
        self._is_subscribed = False
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"publisher-{plan.run}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(topic("+", Leaf.ACK), qos=0)
        self._client.on_subscribe = self._on_subscribe
        self._client.max_queued_messages_set(0)
        self._client.max_inflight_messages_set(65535)
        self._client.connect(LOOPBACK, port)
        while not self._is_subscribed:
            self._client.loop(0.1)

    def run(self) -> dict[str, Any]:
        """Send everything and wait for *stored* of everything."""
        began = self._heard_at = self._resent_at = time.monotonic()
        while self._next or self._open_rows:
            self._send_due(began)
            if self._client.loop(0.002) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._connect_again()
            quiet_s = time.monotonic() - max(self._heard_at, self._resent_at)
            if self._open_rows and quiet_s > RESEND_S:
                self._resend()
            if time.monotonic() - self._heard_at > QUIET_S_MAX:
                break
            self._tell_sixths(began)
        took_s = self._heard_at - began
        waits_ms = np.array(self._waits_s or [0.0]) * 1000
        return {
            "sent": self.rows,
            "stored": self.stored,
            "published": self.published,
            "resent": self.resent,
            "seconds": round(took_s, 3),
            "readings_per_s": round(self.stored / took_s) if took_s else 0,
            "rates_by_sixth": self._rates(),
            "seconds_by_sixth": [round(seconds, 3) for seconds in self._each_sixth_s()],
            "age_p50_ms": round(float(np.percentile(waits_ms, 50)), 1),
            "age_p99_ms": round(float(np.percentile(waits_ms, 99)), 1),
        }

    def _tell_sixths(self, began: float) -> None:
        while len(self._sixths_s) < 6 and self.stored >= self.rows * (len(self._sixths_s) + 1) // 6:
            self._sixths_s.append(self._heard_at - began)
            if self._plan.messages > MADE_AHEAD_MAX:
                word = {"sixth": len(self._sixths_s), "seconds": round(self._each_sixth_s()[-1], 1)}
                print(json.dumps(word), flush=True)  # noqa: T201

    def _rates(self) -> list[int | None]:
        return [round(self.rows / 6 / s) if s >= RATED_S_MIN else None for s in self._each_sixth_s()]

    def _each_sixth_s(self) -> list[float]:
        return [end - begin for begin, end in pairwise([0.0, *self._sixths_s])]

    def _send_due(self, began: float) -> None:
        now = time.monotonic()
        due = self._plan.rows_per_s * (now - began) if self._plan.rows_per_s else float("inf")
        for _ in range(200):
            if self._next is None or self._open_rows >= self._plan.open_max or self.published >= due:
                return
            message, self._next = self._next, next(self._coming, None)
            self._publish(message)
            outbox = str(message.outbox_id)
            if message.first_row not in self._open[outbox] and message.first_row not in self._done[outbox]:
                self._open[outbox][message.first_row] = (message, now)
                self._open_rows += message.rows

    def _publish(self, message: Sent) -> None:
        self._client.publish(message.topic, message.payload, qos=1)
        self.published += message.rows

    def _resend(self) -> None:
        self._resent_at = time.monotonic()
        for waiting in self._open.values():
            for message, _ in waiting.values():
                self._publish(message)
                self.resent += message.rows

    def _connect_again(self) -> None:
        with suppress(OSError):
            self._client.reconnect()
        time.sleep(0.05)

    def _on_subscribe(self, *_: Any) -> None:
        self._is_subscribed = True

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        word = json.loads(message.payload)
        self._heard_at = time.monotonic()
        waiting = self._open[word["outbox_id"]]
        for first, end in word["stored"]:
            for number in [number for number in waiting if first <= number < end]:
                sent, at = waiting.pop(number)
                self._done[word["outbox_id"]].add(number)
                self._open_rows -= sent.rows
                self.stored += sent.rows
                self._waits_s.append(self._heard_at - at)


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

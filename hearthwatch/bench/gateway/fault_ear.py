"""The centre's ear on a gateway under faults: keeps what arrived, row by row, and acknowledges as ingest would."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.bench.gateway.fault_findings import Heard
from hearthwatch.services.ports import LOOPBACK
from vitals.signals import SIGNALS, Signal
from vitals.topics import Leaf, topic
from vitals.wire import rows_of, unpack

GATEWAY_ID = "gw-faults"


@dataclass(slots=True)
class Ear:
    """Keeps when each device's SpO2 was measured, by the gateway's word, and the numbers of all rows."""

    spo2: dict[str, dict[tuple[UUID, int], Heard]] = field(default_factory=dict)
    numbers: dict[UUID, set[int]] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)

    def rows(self, device: str) -> list[Heard]:
        """Give a device's values, each row once."""
        return list(self.spo2.get(device, {}).values())

    def count(self, outbox: UUID, *, end: int) -> int:
        """Count the rows of an outbox that arrived, of those numbered below an end."""
        return sum(number < end for number in self.numbers.get(outbox, set()).copy())

    def take(self, client: Client, message: MQTTMessage) -> None:
        """Take what the gateway says."""
        if message.topic.endswith(f"/{Leaf.STATUS}"):
            self.status = json.loads(message.payload)
            return
        told = unpack(bytes(message.payload))
        header = told.header
        numbers = range(header.first_row, header.first_row + told.row_count)
        for number, row in zip(numbers, rows_of(told), strict=True):
            if row.signal_code != SIGNALS[Signal.SPO2].code:
                continue
            measured_ms = header.t0_ms + row.offset * header.offset_unit_ms
            heard = Heard(outbox=header.outbox_id, number=number, measured_ms=measured_ms, spo2=row.value)
            device = header.devices[row.device_index].device
            self.spo2.setdefault(device, {})[header.outbox_id, number] = heard
        self.numbers.setdefault(header.outbox_id, set()).update(numbers)
        stored = [[numbers.start, numbers.stop]]
        word = json.dumps({"outbox_id": str(header.outbox_id), "stored": stored})
        client.publish(topic(GATEWAY_ID, Leaf.ACK), word, qos=1)


@asynccontextmanager
async def listening(port: int) -> AsyncIterator[Ear]:
    """Listen on a broker for the block, and again each time it is back."""
    ear = Ear()
    client = Client(CallbackAPIVersion.VERSION2, client_id="faults", protocol=MQTTProtocolVersion.MQTTv5)
    client.reconnect_delay_set(min_delay=1, max_delay=1)
    client.on_connect = lambda c, *_: c.subscribe(
        [(topic(GATEWAY_ID, leaf), 1) for leaf in (Leaf.READINGS, Leaf.STATUS)]
    )
    client.on_message = lambda c, _userdata, message: ear.take(c, message)
    client.connect_async(LOOPBACK, port)
    client.loop_start()
    try:
        yield ear
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)

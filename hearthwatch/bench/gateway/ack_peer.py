"""A peer that says *stored* to every message at once and stores nothing: behind it the gateway alone is the limit."""

import json
import sys
import threading

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hearthwatch.bench.ground import GATEWAY_ID
from hearthwatch.services.ports import LOOPBACK
from vitals.topics import Leaf, topic
from vitals.wire import unpack


def answer(client: Client, _userdata: object, message: MQTTMessage) -> None:
    """Acknowledge a message's rows."""
    found = unpack(bytes(message.payload))
    header = found.header
    stored = [[header.first_row, header.first_row + found.row_count]]
    word = json.dumps({"outbox_id": str(header.outbox_id), "stored": stored})
    client.publish(topic(GATEWAY_ID, Leaf.ACK), word, qos=1)


def main(port: int) -> None:
    """Answer until killed; say so on stdout when ready."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="ack-peer", protocol=MQTTProtocolVersion.MQTTv5)
    ready = threading.Event()
    client.on_message = answer
    client.on_subscribe = lambda *_: ready.set()
    client.connect(LOOPBACK, port)
    client.subscribe(topic(GATEWAY_ID, Leaf.READINGS), qos=1)
    client.loop_start()
    ready.wait()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""The service as a process: from the broker to the database and back to the gateway."""

import time
from pathlib import Path

from hearthwatch.services.mosquitto import Mosquitto
from tests.ingest.county import PULSE, REGISTRY, SPO2, Home, connect, rows_of
from tests.ingest.service import Publisher, running_ingest, wait_until


def now_ms() -> int:
    """Real time: the service runs on the machine's clock."""
    return int(time.time() * 1000)


def test_a_message_is_stored_and_the_gateway_is_told(any_database: str, own_broker: Mosquitto, tmp_path: Path) -> None:
    home = Home()
    with connect(any_database) as county, running_ingest(any_database, own_broker, tmp_path):
        county.execute(REGISTRY)
        with Publisher(own_broker, "gw-1") as gateway:
            gateway.keep((0, 2), home.message([(0, SPO2, 9700), (0, PULSE, 7000)], t0_ms=now_ms()))
            wait_until(lambda: gateway.unstored == 0, "the gateway was told")
            assert gateway.words == [{"outbox_id": str(home.outbox_id), "stored": [[0, 2]]}]
            assert rows_of(county, "SELECT spo2, pulse FROM sample") == [(9700, 7000)]

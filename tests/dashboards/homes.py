"""Gateways of the small county, and what they say of themselves, taken in by ingest's own code."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from ingest.judging.status import read_status
from ingest.store.registry import Registry
from ingest.store.storing import Batch, prepare, store

HOME, WARD, AWAY, NEW, ELSEWHERE = "home-12", "ward-2", "home-31", "home-40", "liuhe-8"
GATEWAYS = (
    (HOME, 2, "青石村12号"),
    (WARD, 5, "敬老院二楼"),
    (AWAY, 2, "青石村31号"),
    (NEW, 2, "青石村40号"),
    (ELSEWHERE, 3, "柳河村8号"),
)
OXIMETER, THERMOMETER, CUFF = "C0:00:00:00:00:0A", "C0:00:00:00:00:0B", "C0:00:00:00:00:0C"
WORN, FOREIGN = "C0:00:00:00:00:01", "C0:00:00:00:00:07"
"""Registered oximeters: worn by patient 1 (in the nursing home), by patient 7 (in the other township)."""


def near(address: str, name: str, kind: str, **changes: Any) -> dict[str, Any]:
    """A device nearby, as a heartbeat names it."""
    is_sig = kind != "oximeter"
    driver, product = ("bluetooth_sig", "Bluetooth SIG health profiles") if is_sig else ("jumper", "Jumper JPD-500F")
    whole = {"address": address, "name": name, "driver": driver, "product": product, "kind": kind, "rssi": -58,
             "age_s": 2.0}  # fmt: skip
    return whole | changes


def read(address: str, name: str, kind: str, **changes: Any) -> dict[str, Any]:
    """A device that is read, as a heartbeat names it."""
    whole = {"address": address, "name": name, "driver": "jumper", "kind": kind, "state": "stream", "connected": True,
             "last_reading_age_s": 0.6, "rssi": -66, "links_lost": 1, "battery_percent": 80, "clock_offset_s": None,
             "adapter": "hci0", "claimed_by": "centre"}  # fmt: skip
    return whole | changes


def heartbeat(**changes: Any) -> dict[str, Any]:
    """A whole status document of a gateway that is well."""
    whole: dict[str, Any] = {
        "state": "online", "sent_at": datetime.now(UTC).isoformat(), "boot_id": 7,
        "clock": {"synchronised": True, "jumps": 0, "last_jump_s": None},
        "adapters": [
            {"name": "hci0", "state": "scanning", "links": 1, "links_max": 5, "last_advertisement_age_s": 0.2}
        ],
        "recovery": {"rescan": 0, "power_cycle": 0, "restart_bluetoothd": 0, "reboot": 0, "last": None},
        "uplink": {"connects": 1, "stored_age_s": 2.1, "centre_reachable": True},
        "outbox": {"id": "00112233-4455-6677-8899-aabbccddeeff", "accepted": 1000, "stored": 990, "thinned": 0,
                   "thinned_rows": [], "depth": 10, "in_flight": 1, "used_bytes": 61440, "bytes_max": 536870912,
                   "disk_full": False, "set_aside": 0, "hours_left": 312.5, "thinned_kinds": {}},
        "local_alarm": {"armed": False, "sounding": []}, "undecoded": 0, "overrun": 0, "devices": [], "nearby": [],
        "config": {"devices": 0, "received_at": None, "refused": None}, "certificate": None,
        "versions": {"hearthwatch": "0.1.0", "python": "3.11.7", "bleak": "3.1.0", "paho-mqtt": "2.2.0"},
    }  # fmt: skip
    return whole | changes


def hear(db: psycopg.Connection[Any], gateway_id: str, document: dict[str, Any], *, at: datetime | None = None) -> None:
    """Take in a gateway's word as ingest does, and commit it."""
    at_ms = round((at or datetime.now(UTC)).timestamp() * 1000)
    status = read_status(json.dumps(document).encode(), gateway_id=gateway_id, received_ms=at_ms, retained=False)
    store(db, Batch(now_ms=at_ms, statuses=[status]), Registry(), retention_days=90)
    db.commit()


def settle(db: psycopg.Connection[Any], *, now: datetime | None = None) -> None:
    """Enter the gateways; one is well, with devices near and read, one silent, one gone, one never heard of."""
    with db.cursor() as cursor:
        cursor.executemany("INSERT INTO gateway (gateway_id, organisation_id, place) VALUES (%s, %s, %s)", GATEWAYS)
        for number, address in ((1, WORN), (7, FOREIGN)):
            cursor.execute("UPDATE device SET key = %s WHERE device_id = %s", [address, number])
        cursor.execute("SELECT setval(pg_get_serial_sequence('device', 'device_id'), 1000)")
    db.commit()
    prepare(db)
    db.commit()
    now = now or datetime.now(UTC)
    nearby = [
        near(OXIMETER, "My Oximeter", "oximeter"),
        near(THERMOMETER, "", "thermometer", rssi=-84, age_s=11.0),
        near(CUFF, "BP-7", "cuff", rssi=-93, age_s=400.0),
        near(FOREIGN, "Oxi-7", "oximeter", rssi=-71),
    ]
    hear(db, HOME, heartbeat(nearby=nearby), at=now - timedelta(seconds=5))
    silent = heartbeat(
        devices=[read(WORN, "Oxi-1", "oximeter", claimed_by="technician")],
        nearby=[near("C0:00:00:00:00:0D", "Oxi-D", "oximeter")],
        recovery={"rescan": 2, "power_cycle": 1, "restart_bluetoothd": 0, "reboot": 0,
                  "last": {"rung": "power_cycle", "because": "silent_air", "adapter": "hci0", "at": now.isoformat()}},
        undecoded=3,
    )  # fmt: skip
    hear(db, WARD, silent, at=now - timedelta(minutes=4))
    hear(db, AWAY, heartbeat(nearby=[near("C0:00:00:00:00:0E", "Oxi-E", "oximeter")]), at=now - timedelta(minutes=1))
    hear(db, AWAY, {"state": "offline"}, at=now - timedelta(seconds=30))
    hear(db, ELSEWHERE, heartbeat(), at=now)

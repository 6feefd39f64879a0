"""What the gateway says about itself, retained on its status topic (docs/wire-format.md)."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.outbox import Account
from gateway.placing import Stamp

THINNED_RANGES_MAX = 64
DEVICES_MAX = 64
OFFLINE = json.dumps({"state": "offline"}).encode()
"""The last will, and the last word of a clean stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """One device's session at a glance; times are clinical, None for never."""

    address: str
    name: str
    state: str
    connected: bool
    last_reading_at: datetime | None
    rssi: int | None
    links_lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a heartbeat reports."""

    account: Account
    adapter: str
    devices: tuple[DeviceState, ...]
    overrun: int
    disk_full: bool
    set_aside: int
    in_flight: int
    versions: dict[str, str]


def status_payload(facts: Facts, now: Stamp) -> bytes:
    """Write the heartbeat."""
    account = facts.account
    document = {
        "state": "online",
        "sent_at": now.wall.isoformat(timespec="milliseconds"),
        "boot_id": now.boot_id,
        "clock_synchronised": now.synchronised,
        "adapter": facts.adapter,
        "outbox": {
            "id": str(account.outbox_id),
            "accepted": account.accepted,
            "stored": account.stored,
            "thinned": account.thinned,
            "thinned_rows": [[r.first, r.end] for r in account.thinned_rows[-THINNED_RANGES_MAX:]],
            "depth": account.depth,
            "in_flight": facts.in_flight,
            "used_bytes": account.used_bytes,
            "bytes_max": account.bytes_max,
            "disk_full": facts.disk_full,
            "set_aside": facts.set_aside,
        },
        "undecoded": account.undecoded,
        "overrun": facts.overrun,
        "devices": [_device(device, now.wall) for device in facts.devices[:DEVICES_MAX]],
        "versions": facts.versions,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _device(device: DeviceState, now: datetime) -> dict[str, object]:
    age: timedelta | None = now - device.last_reading_at if device.last_reading_at else None
    return {
        "address": device.address,
        "name": device.name,
        "state": device.state,
        "connected": device.connected,
        "last_reading_age_s": None if age is None else round(age.total_seconds(), 3),
        "rssi": device.rssi,
        "links_lost": device.links_lost,
    }

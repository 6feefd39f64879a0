"""What the gateway says about itself, retained on its status topic (docs/wire-format.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.claims.claims import ClaimReport
from gateway.clocks.placing import Stamp
from gateway.outbox.account import Account, Oldest
from gateway.recovery.ladder import Rung
from gateway.recovery.state import RecoveryState
from gateway.session.nearby import Neighbour

THINNED_RANGES_MAX = 64
DEVICES_MAX = 64
OFFLINE = json.dumps({"state": "offline"}).encode()
"""The last will, and the last word of a clean stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """One claimed device at a glance; times are clinical, None for never or for not known."""

    address: str
    name: str
    driver: str | None
    kind: str | None
    state: str
    connected: bool
    last_reading_at: datetime | None
    rssi: int | None
    links_lost: int
    battery_percent: float | None
    clock_offset_s: float | None
    adapter: str | None
    claimed_by: str
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterState:
    """One adapter at a glance."""

    name: str
    state: str
    links: int
    links_max: int
    last_advertisement_age_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkState:
    """Connections to the broker so far, why there is none, when ingest last stored, whether the centre is there."""

    connects: int = 0
    trouble: str | None = None
    stored_age_s: float | None = None
    centre_reachable: bool | None = None
    unreachable_for_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a heartbeat reports; what has a default is told by a part that may not be there."""

    account: Account
    adapters: tuple[AdapterState, ...]
    recovery: RecoveryState
    uplink: UplinkState
    devices: tuple[DeviceState, ...]
    nearby: tuple[Neighbour, ...]
    now_s: float
    overrun: int
    repeats: int
    disk_full: bool
    set_aside: int
    in_flight: int
    heartbeat_s: float
    versions: dict[str, str]
    config: ClaimReport | None = None
    clock_jumps: int = 0
    clock_jumps_synchronised: int = 0
    clock_last_jump_s: float | None = None
    local_alarm: Mapping[str, object] = field(default_factory=dict)
    crashes: Mapping[str, int] = field(default_factory=dict)
    certificate_end: datetime | None = None
    durable_ms: Mapping[str, float] | None = None


def status_payload(facts: Facts, now: Stamp) -> bytes:
    """Write the heartbeat."""
    document = {
        "state": "online",
        "heartbeat_s": facts.heartbeat_s,
        "sent_at": now.wall.isoformat(timespec="milliseconds"),
        "boot_id": now.boot_id,
        "clock": {
            "synchronised": now.synchronised,
            "jumps": facts.clock_jumps,
            "jumps_synchronised": facts.clock_jumps_synchronised,
            "last_jump_s": facts.clock_last_jump_s,
        },
        "adapters": [_adapter(adapter) for adapter in facts.adapters],
        "recovery": _recovery(facts.recovery),
        "uplink": {
            "connects": facts.uplink.connects,
            "trouble": facts.uplink.trouble,
            "stored_age_s": _rounded(facts.uplink.stored_age_s),
            "centre_reachable": facts.uplink.centre_reachable,
            "unreachable_for_s": _rounded(facts.uplink.unreachable_for_s),
        },
        "local_alarm": facts.local_alarm,
        "outbox": _outbox(facts, now),
        "undecoded": facts.account.undecoded,
        "durable_ms": facts.durable_ms,
        "overrun": facts.overrun,
        "repeats": facts.repeats,
        "crashes": facts.crashes,
        "devices": [_device(device, now.wall) for device in facts.devices[:DEVICES_MAX]],
        "nearby": [_neighbour(neighbour, facts.now_s) for neighbour in facts.nearby],
        "config": _config(facts.config),
        "certificate": facts.certificate_end and {"expires_at": facts.certificate_end.isoformat()},
        "versions": facts.versions,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def account_entry(account: Account) -> dict[str, object]:
    """Give the account as the status shows it."""
    return {
        "id": str(account.outbox_id),
        "accepted": account.accepted,
        "stored": account.stored,
        "thinned": account.thinned,
        "thinned_kinds": account.thinned_kinds,
        "thinned_rows": [[r.first, r.end, r.rows] for r in account.thinned_rows[-THINNED_RANGES_MAX:]],
        "given_up": account.given_up,
        "depth": account.depth,
        "used_bytes": account.used_bytes,
        "bytes_max": account.bytes_max,
        "hours_left": account.hours_left,
        "salvaged": account.salvaged,
        "to_salvage": account.to_salvage,
        "repeated": account.repeated,
    }


def offline(payload: bytes) -> bytes:
    """Give a heartbeat as the last word of a gateway that has stopped: the facts stay, the state is offline."""
    return json.dumps({**json.loads(payload), "state": "offline"}, separators=(",", ":")).encode()


def _adapter(adapter: AdapterState) -> dict[str, object]:
    return {
        "name": adapter.name,
        "state": adapter.state,
        "links": adapter.links,
        "links_max": adapter.links_max,
        "last_advertisement_age_s": _rounded(adapter.last_advertisement_age_s),
    }


def _recovery(recovery: RecoveryState) -> dict[str, object]:
    last = recovery.last
    return {
        **{rung.value: recovery.taken.get(rung, 0) for rung in Rung},
        "refused": recovery.refused,
        "last": last
        and {
            "rung": last.rung.value,
            "because": last.because.value,
            "adapter": last.adapter or None,
            "at": last.at.isoformat(timespec="milliseconds"),
        },
        "troubles": [
            {"cause": cause.value, "adapter": adapter or None, "for_s": _rounded(for_s)}
            for cause, adapter, for_s in recovery.troubles
        ],
    }


def oldest_age_s(oldest: Oldest | None, now: Stamp) -> float | None:
    """Say for how long a reading has waited: by the wall where both times are sure, else by the boot's clock."""
    if oldest is None:
        return None
    if oldest.synchronised and now.synchronised:
        return max(0.0, (now.wall_ms - oldest.wall_ms) / 1000)
    return max(0.0, (now.mono_ms - oldest.mono_ms) / 1000) if oldest.boot_id == now.boot_id else None


def _outbox(facts: Facts, now: Stamp) -> dict[str, object]:
    account = facts.account
    return {
        **account_entry(account),
        "oldest_age_s": _rounded(oldest_age_s(account.oldest, now)),
        "in_flight": facts.in_flight,
        "durable": account.is_durable,
        "trouble": account.trouble,
        "disk_full": facts.disk_full,
        "set_aside": facts.set_aside,
    }


def _device(device: DeviceState, now: datetime) -> dict[str, object]:
    age: timedelta | None = now - device.last_reading_at if device.last_reading_at else None
    return {
        "address": device.address,
        "name": device.name,
        "driver": device.driver,
        "kind": device.kind,
        "state": device.state,
        "connected": device.connected,
        "last_reading_age_s": None if age is None else _rounded(age.total_seconds()),
        "rssi": device.rssi,
        "links_lost": device.links_lost,
        "battery_percent": device.battery_percent,
        "clock_offset_s": _rounded(device.clock_offset_s),
        "adapter": device.adapter,
        "claimed_by": device.claimed_by,
        "manufacturer": device.manufacturer,
        "model": device.model,
        "firmware": device.firmware,
    }


def _neighbour(neighbour: Neighbour, now_s: float) -> dict[str, object]:
    return {
        "address": neighbour.address,
        "name": neighbour.name,
        "driver": neighbour.driver,
        "product": neighbour.product,
        "kind": neighbour.kind.value,
        "streams": neighbour.streams,
        "wellness": neighbour.wellness,
        "rssi": neighbour.rssi,
        "age_s": _rounded(now_s - neighbour.heard_s),
    }


def _config(config: ClaimReport | None) -> dict[str, object]:
    if config is None:
        return {"devices": 0, "received_at": None, "refused": None}
    return {
        "devices": config.devices,
        "left_out": config.left_out,
        "issued_at": config.issued_at and config.issued_at.isoformat(),
        "received_at": config.received_at and config.received_at.isoformat(),
        "refused": config.refused,
        "set_aside": config.set_aside,
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)

"""What a person at the box is shown: devices that are read, devices nearby, and how old that knowledge is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.claims.claims import Claim

FRESH_S = 30.0
"""The running gateway writes its status every 10 s: what is older is no news of now."""
NEARBY_S = 120.0
"""A device that has advertised longer ago is hardly near any more: its signal strength is not shown."""
NEVER_RUN = "no gateway has run here yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One device; None for what nobody knows. `age_s`: since its newest reading, or since it was heard nearby."""

    address: str
    name: str = ""
    product: str | None = None
    driver: str | None = None
    kind: str | None = None
    state: str | None = None
    claimed_by: str | None = None
    age_s: float | None = None
    rssi: int | None = None
    battery_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceList:
    """All of it; `age_s` is how old the gateway's word is, None where there is none; `running`: it still holds."""

    age_s: float | None
    running: bool
    devices: Sequence[Line]
    nearby: Sequence[Line]


def is_live(status: bytes | None, age_s: float | None) -> bool:
    """Say whether this is the word of a gateway that has spoken just now and has not said goodbye."""
    document = document_in(status)
    return bool(document) and document.get("state") != "offline" and age_s is not None and age_s <= FRESH_S


def listed(claims: Iterable[Claim], status: bytes | None, age_s: float | None) -> DeviceList:
    """Put together what is claimed and what the running gateway said last; a status of another form says nothing."""
    document = document_in(status)
    said = {str(entry.get("address")): entry for entry in _objects(document, "devices")}
    age_s = age_s if document else None
    claimed = {claim.address: claim for claim in claims}
    fresh = is_live(status, age_s)
    devices = [_device(claim, said.get(claim.address, {}), age_s, fresh=fresh) for claim in claimed.values()]
    # Read without being named: every device in reach is.
    devices += [_device(None, entry, age_s, fresh=fresh) for address, entry in said.items() if address not in claimed
                and entry.get("claimed_by") == "all"]  # fmt: skip
    nearby = [_neighbour(entry, age_s or 0.0, fresh=fresh) for entry in _objects(document, "nearby")]
    nearby = [line for line in nearby if line.address not in claimed]
    return DeviceList(age_s=age_s, running=fresh, devices=devices, nearby=nearby)


def document_of(found: DeviceList) -> dict[str, object]:
    """Give the JSON document."""
    return {
        "running": found.running,
        "status_age_s": None if found.age_s is None else round(found.age_s, 1),
        "devices": [_entry(line, "last_reading_age_s") for line in found.devices],
        "nearby": [_entry(line, "age_s") for line in found.nearby],
    }


def text_of(found: DeviceList) -> list[str]:
    """Write the list for a person."""
    lines = ["read by this gateway:"]
    lines += _table([_words(line, "last reading") for line in found.devices]) or ["  nothing is claimed"]
    lines += ["", "nearby, not claimed:"]
    lines += _table([_words(line, "heard") for line in found.nearby]) or ["  no health device"]
    return [*lines, "", _how_old(found)]


def document_in(status: bytes | None) -> Mapping[str, Any]:
    """Read a status; one of another form says nothing."""
    try:
        document = json.loads(status) if status else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _how_old(found: DeviceList) -> str:
    if found.age_s is None:
        return f"{NEVER_RUN}: what is near is not known"
    if found.running:
        return f"as of {_age(found.age_s)}"
    return f"as of {_age(found.age_s)}: the gateway is not running, what is near now is not known"


def _device(claim: Claim | None, entry: Mapping[str, Any], age_s: float | None, *, fresh: bool) -> Line:
    reading_s = _number(entry, "last_reading_age_s")
    return Line(
        address=claim.address if claim else str(entry.get("address")),
        name=_text(entry, "name") or "",
        driver=_text(entry, "driver") or (claim.driver if claim else None),
        kind=_text(entry, "kind"),
        state=_text(entry, "state") if fresh else None,
        claimed_by=claim.claimed_by.value if claim else "all",
        age_s=None if reading_s is None else reading_s + (age_s or 0.0),
        rssi=_whole(entry, "rssi") if fresh else None,
        battery_percent=_number(entry, "battery_percent"),
    )


def _neighbour(entry: Mapping[str, Any], age_s: float, *, fresh: bool) -> Line:
    heard_s = _number(entry, "age_s")
    heard_s = None if heard_s is None else heard_s + age_s
    near = fresh and heard_s is not None and heard_s <= NEARBY_S
    return Line(
        address=str(entry.get("address")),
        name=_text(entry, "name") or "",
        product=_text(entry, "product"),
        driver=_text(entry, "driver"),
        kind=_text(entry, "kind"),
        age_s=heard_s,
        rssi=_whole(entry, "rssi") if near else None,
    )


def _entry(line: Line, age_name: str) -> dict[str, object]:
    return {
        "address": line.address,
        "name": line.name,
        "product": line.product,
        "driver": line.driver,
        "kind": line.kind,
        "state": line.state,
        "claimed_by": line.claimed_by,
        age_name: None if line.age_s is None else round(line.age_s, 1),
        "rssi": line.rssi,
        "battery_percent": line.battery_percent,
    }


def _words(line: Line, age_name: str) -> list[str]:
    return [
        line.address,
        line.name or line.product or "(no name)",
        line.driver or "driver not chosen yet",
        line.kind or "",
        line.state or "",
        "" if line.age_s is None else f"{age_name} {_age(line.age_s)}",
        "" if line.rssi is None else f"{line.rssi} dBm",
        "" if line.claimed_by is None else f"claimed by {line.claimed_by}",
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip()
        for row in rows
    ]


def _age(age_s: float) -> str:
    for unit, length_s in (("d", 86_400), ("h", 3600), ("min", 60)):
        if age_s >= 1.5 * length_s:
            return f"{age_s / length_s:.0f} {unit} ago"
    return f"{age_s:.0f} s ago"


def _objects(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = document.get(name)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _text(entry: Mapping[str, Any], name: str) -> str | None:
    value = entry.get(name)
    return value if isinstance(value, str) else None


def _number(entry: Mapping[str, Any], name: str) -> float | None:
    value = entry.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(entry: Mapping[str, Any], name: str) -> int | None:
    value = _number(entry, name)
    return None if value is None else round(value)

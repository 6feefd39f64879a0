"""A gateway's newest word as the alarms read it: what is missing, or of another form, is None and no error.

The form of a heartbeat is docs/wire-format.md's; a gateway may be older or newer than the centre.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ENTRIES_MOST = 64
AGE_S_MOST = 10 * 365 * 86_400.0
SCANNING = "scanning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One trouble with Bluetooth, and since when; `adapter` None: the whole machine's."""

    cause: str
    adapter: str | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One Bluetooth adapter: whether it scans, and when somebody was last heard on it (None: never)."""

    name: str
    scans: bool
    heard_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayWord:
    """What is known of one gateway.

    `heartbeat_at` is None for a word that the broker had kept; `said_at` is when its last word came, which may be its
    last will (`online` false), and `readings_at` when its last readings came. Ages are as of the heartbeat.
    """

    gateway_id: str
    organisation_id: int
    online: bool
    said_at: datetime
    heartbeat_at: datetime | None
    readings_at: datetime | None
    sent_at: datetime | None
    heartbeat_s: float | None
    synchronised: bool | None
    adapters: tuple[Adapter, ...]
    troubles: tuple[Trouble, ...]
    oldest_at: datetime | None
    reads: frozenset[str]

    @property
    def spoke_at(self) -> datetime:
        """When its heartbeat was last heard; where that is not known, when its word was found."""
        return self.heartbeat_at or self.said_at

    @property
    def alive_at(self) -> datetime:
        """When it last did anything: spoke, or sent readings."""
        return max(self.spoke_at, self.readings_at) if self.readings_at else self.spoke_at


def read_word(row: Any) -> GatewayWord:
    """Read a row of `gateway_words`."""
    at = row.heartbeat_at
    return GatewayWord(
        gateway_id=row.gateway_id,
        organisation_id=row.organisation_id,
        online=row.online,
        said_at=row.received_at,
        heartbeat_at=at,
        readings_at=row.readings_at,
        sent_at=_instant(row.sent_at),
        heartbeat_s=_number(row.heartbeat_s),
        synchronised=row.synchronised if isinstance(row.synchronised, bool) else None,
        adapters=tuple(_adapter(entry, at) for entry in _objects(row.adapters)) if at else (),
        troubles=tuple(_trouble(entry, at) for entry in _objects(row.troubles)) if at else (),
        oldest_at=_before(at, row.oldest_age_s) if at else None,
        reads=frozenset(each for each in row.reads or () if isinstance(each, str)),
    )


def _adapter(entry: dict[str, Any], at: datetime) -> Adapter:
    return Adapter(
        name=str(entry.get("name")),
        scans=entry.get("state") == SCANNING,
        heard_at=_before(at, entry.get("last_advertisement_age_s")),
    )


def _trouble(entry: dict[str, Any], at: datetime) -> Trouble:
    named = entry.get("adapter")
    return Trouble(
        cause=str(entry.get("cause")),
        adapter=named if isinstance(named, str) else None,
        since=_before(at, entry.get("for_s")) or at,
    )


def _objects(value: object) -> list[dict[str, Any]]:
    entries = value[:ENTRIES_MOST] if isinstance(value, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _before(at: datetime, age_s: object) -> datetime | None:
    age = _number(age_s)
    return None if age is None else at - timedelta(seconds=min(max(age, 0.0), AGE_S_MOST))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text if isinstance(text, str) else "")
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None

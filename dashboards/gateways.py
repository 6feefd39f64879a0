"""What may be shown of a gateway and its devices at an instant (core): old knowledge is never shown as live.

A gateway says how often it speaks. One that has missed two of its heartbeats is silent; what it said last is then
history. One that sends over HTTP and never spoke has none to miss; one that spoke once is judged by its heartbeats.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dashboards.heartbeat import DeviceWord, Heartbeat, NeighbourWord, read_heartbeat

_SAYS_NOTHING = "bluetooth_sig"
"""The driver of standard devices: its product names the standard and no device."""
_DRIVER = re.compile(r"[a-z0-9_]{1,64}")
_BARS_FROM_DBM = (-90, -80, -70, -60)
"""So strong a signal, so many bars."""


class Standing(StrEnum):
    """Whether a gateway is there."""

    ONLINE = "online"
    SILENT = "silent"
    OFFLINE = "offline"
    HTTP = "http"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRow:
    """A gateway of the registry and its newest word, as the database has them."""

    gateway_id: str
    place: str
    organisation_id: int
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    online: bool | None
    received_at: datetime | None
    heartbeat_at: datetime | None
    heartbeat: dict[str, object] | None
    sends_http: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A standing claim."""

    gateway_id: str
    device_key: str
    kind: str
    driver: str | None
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A registered device: who wears it now, and its newest reading."""

    device_key: str
    kind: str
    patient_key: str | None
    patient_name: str | None
    bed: str | None
    organisation_id: int | None
    measured_at: datetime | None
    read_by: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wearer:
    """Who wears a device; of a patient out of sight nothing is told but that there is one."""

    key: str | None
    name: str
    bed: str

    @property
    def hidden(self) -> bool:
        """Whether the patient is out of sight."""
        return self.key is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How strong a device was heard, and until when that may be shown."""

    dbm: int
    until: datetime

    @property
    def bars(self) -> int:
        """Give it as bars, 0 to 4."""
        return sum(self.dbm >= limit for limit in _BARS_FROM_DBM)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCard:
    """A device that a gateway reads, or shall read; `taken` if the gateway has said that it does."""

    address: str
    name: str
    kind: str | None
    driver: str | None
    state: str | None
    connected: bool
    battery_percent: float | None
    reading_at: datetime | None
    model: str
    signal: Signal | None
    wearer: Wearer | None
    registered: bool
    claimed_by: str | None
    claimed: bool
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourCard:
    """A health device near a gateway that it does not read; `signal` None: not heard lately."""

    address: str
    name: str
    product: str | None
    kind: str | None
    driver: str | None
    streams: bool | None
    wellness: bool
    heard_at: datetime
    signal: Signal | None
    wearer: Wearer | None
    registered: bool
    read_by: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayCard:
    """One gateway as shown; `said` None: it has never said anything."""

    row: GatewayRow
    standing: Standing
    heard_at: datetime | None
    fresh_until: datetime | None
    said: Heartbeat | None
    devices: list[DeviceCard]
    nearby: list[NeighbourCard]

    @property
    def live(self) -> bool:
        """Whether what it said is news of now."""
        return self.standing is Standing.ONLINE

    def neighbour(self, address: str) -> NeighbourCard | None:
        """Find a device nearby."""
        return next((each for each in self.nearby if each.address == address), None)

    def device(self, address: str) -> DeviceCard | None:
        """Find a device that it reads."""
        return next((each for each in self.devices if each.address == address), None)


def card_of(
    row: GatewayRow,
    claims: Iterable[ClaimRow],
    known: Mapping[str, DeviceRow],
    *,
    scope: Sequence[int],
    now: datetime,
) -> GatewayCard:
    """Judge a gateway at `now`; `claims` are its own, `known` the registered devices, `scope` whom one may see."""
    said = None if row.heartbeat is None else read_heartbeat(row.heartbeat)
    good_until = row.heartbeat_at + said.fresh_for if said and row.heartbeat_at else None
    standing = _standing(row, good_until, now)
    fresh_until = good_until if standing is Standing.ONLINE else None
    told = {word.address: word for word in said.devices} if said else {}
    claimed = {claim.device_key: claim for claim in claims}
    sight = _Sight(row.heartbeat_at, fresh_until, known, frozenset(scope))
    heard = {word.address: word for word in said.nearby} if said else {}
    addresses = [*claimed, *(address for address in told if address not in claimed)]
    near = [word for word in said.nearby if word.address not in claimed] if said and row.heartbeat_at else []
    return GatewayCard(
        row=row,
        standing=standing,
        heard_at=row.heartbeat_at,
        fresh_until=fresh_until,
        said=said,
        devices=[
            sight.device(address, claimed.get(address), told.get(address), heard.get(address)) for address in addresses
        ],
        nearby=[sight.neighbour(word, now) for word in near],
    )


def addresses_of(rows: Iterable[GatewayRow], claims: Iterable[ClaimRow]) -> list[str]:
    """List every device that gateways read or hear."""
    heartbeats = [read_heartbeat(row.heartbeat) for row in rows if row.heartbeat is not None]
    heard = {word.address for said in heartbeats for word in said.devices}
    heard |= {word.address for said in heartbeats for word in said.nearby}
    return sorted(heard | {claim.device_key for claim in claims})


def _standing(row: GatewayRow, good_until: datetime | None, now: datetime) -> Standing:
    if row.online is None:
        return Standing.HTTP if row.sends_http else Standing.NEVER
    if not row.online:
        return Standing.OFFLINE
    return Standing.ONLINE if good_until is not None and now <= good_until else Standing.SILENT


def driver_to_claim(said: str | None) -> str | None:
    """Give the driver that a claim is to name, by what the gateway takes the device for; None: it chooses each time.

    A make is known by its name or mark, which a poor advertisement may lack another day. Standard devices show what
    they are on every link, and one of them may turn out to speak its maker's protocol as well.
    """
    return said if said is not None and said != _SAYS_NOTHING and _DRIVER.fullmatch(said) else None


class _Sight:
    """What one may see of devices at one gateway."""

    def __init__(
        self,
        heard_at: datetime | None,
        fresh_until: datetime | None,
        known: Mapping[str, DeviceRow],
        scope: frozenset[int],
    ) -> None:
        self._heard_at = heard_at
        self._fresh_until = fresh_until
        self._known = known
        self._scope = scope

    def device(
        self, address: str, claim: ClaimRow | None, word: DeviceWord | None, near: NeighbourWord | None
    ) -> DeviceCard:
        """Put together what is known of a device; `near` is what it was heard as before it was claimed."""
        known = self._known.get(address)
        fresh = word is not None and self._fresh_until is not None
        reading_at = self._reading_at(known, word)
        # A reading that came after the gateway's word knows better than a word of "not connected".
        outrun = reading_at is not None and self._heard_at is not None and reading_at > self._heard_at
        return DeviceCard(
            address=address,
            name=word.name if word else near.name if near else "",
            kind=(word.kind if word else None) or (known.kind if known else None),
            driver=(word.driver if word else None) or (claim.driver if claim else None),
            state=word.state if word and fresh and (word.connected or not outrun) else None,
            connected=word is not None and fresh and word.connected,
            battery_percent=word.battery_percent if word else None,
            reading_at=reading_at,
            model=word.model if word else "",
            signal=self._signal(word.rssi if word else None, self._fresh_until),
            wearer=self._wearer(known),
            registered=known is not None,
            claimed_by="centre" if claim else word.claimed_by if word else None,
            claimed=claim is not None,
            taken=word is not None,
        )

    def neighbour(self, word: NeighbourWord, now: datetime) -> NeighbourCard:
        assert self._heard_at is not None, "who has said nothing has no neighbours"
        known = self._known.get(word.address)
        heard_at = self._heard_at - timedelta(seconds=word.age_s)
        until = self._fresh_until and self._fresh_until - timedelta(seconds=word.age_s)
        return NeighbourCard(
            address=word.address,
            name=word.name,
            product=None if word.driver == _SAYS_NOTHING else word.product,
            kind=word.kind or (known.kind if known else None),
            driver=word.driver,
            streams=word.streams,
            wellness=word.wellness,
            heard_at=heard_at,
            signal=self._signal(word.rssi, until if until is not None and now <= until else None),
            wearer=self._wearer(known),
            registered=known is not None,
            read_by=known.read_by if known else [],
        )

    def _reading_at(self, known: DeviceRow | None, word: DeviceWord | None) -> datetime | None:
        """Take the newer of what is stored and what the gateway says that it has."""
        at = [known.measured_at] if known and known.measured_at else []
        if word and word.last_reading_age_s is not None and self._heard_at:
            at.append(self._heard_at - timedelta(seconds=word.last_reading_age_s))
        return max(at, default=None)

    def _signal(self, rssi: int | None, until: datetime | None) -> Signal | None:
        return None if rssi is None or until is None else Signal(dbm=rssi, until=until)

    def _wearer(self, known: DeviceRow | None) -> Wearer | None:
        if known is None or known.patient_key is None:
            return None
        if known.organisation_id not in self._scope:
            return Wearer(key=None, name="", bed="")
        return Wearer(key=known.patient_key, name=known.patient_name or "", bed=known.bed or "")

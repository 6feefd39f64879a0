"""Gateways and devices over the API: the same list and the same acts under the same rights as the page."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path
from pydantic import BaseModel, ConfigDict, Field

from care.claims import ClaimRefused, is_bluetooth_address
from dashboards import fleet
from dashboards.console.api import Trouble
from dashboards.console.fleet import (
    KEEP,
    NOBODY,
    PATIENT,
    claim_offer,
    claimers_only,
    gateway_of,
    offer_of,
    release_device,
)
from dashboards.gateways import DeviceCard, GatewayCard, NeighbourCard
from dashboards.senders import Sender
from dashboards.web import Called, SignedIn, Visit

router = APIRouter(prefix="/api/v1/fleet", tags=["fleet"])

DRIVER = r"^[a-z0-9_]{1,64}$"
_REFUSALS: dict[int | str, dict[str, Any]] = {status: {"model": Trouble} for status in (401, 403, 404, 409)}


class DeviceOut(BaseModel):
    """A device that a gateway reads or shall read; `rssi` and `state` only while they are news of now."""

    address: str
    name: str
    kind: str | None
    driver: str | None
    state: str | None
    rssi: int | None
    battery_percent: float | None
    reading_at: datetime | None
    patient_key: str | None
    claimed: bool
    claimed_by: str | None
    taken: bool


class NeighbourOut(BaseModel):
    """A health device near a gateway that it does not read; `rssi` only while it is news of now."""

    address: str
    name: str
    kind: str | None
    driver: str | None
    product: str | None
    rssi: int | None
    heard_at: datetime
    patient_key: str | None
    read_by: list[str]


class SenderOut(BaseModel):
    """What came over HTTP: readings stored, lying refused, and lately refused by reason; messages nobody could read."""

    tokens: list[str]
    asked_at: datetime
    came_at: datetime | None
    stored: int
    refused: int
    refused_lately: dict[str, int]
    unread_lately: dict[str, int]


class GatewayOut(BaseModel):
    """A gateway as it stands; `sender` where it ever sent over HTTP."""

    gateway_id: str
    place: str
    standing: str
    heard_at: datetime | None
    outbox_depth: int | None
    hours_left: float | None
    synchronised: bool | None
    version: str | None
    devices: list[DeviceOut]
    nearby: list[NeighbourOut]
    sender: SenderOut | None


class Claim(BaseModel):
    """Who wears a device from now on: a patient's key; without one nobody, or with `keep_wearer` who wears it now.

    `driver`: left out, what the gateway takes the device for; null, the gateway chooses at each link.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    patient_key: str | None = Field(default=None, max_length=64)
    keep_wearer: bool = False
    continuous: bool | None = None
    driver: str | None = Field(default=None, pattern=DRIVER)


class Release(BaseModel):
    """Whether nobody wears the device any more either."""

    model_config = ConfigDict(extra="forbid", strict=True)

    unbind: bool = False


Address = Annotated[str, Path(max_length=64)]


@router.get("", responses={401: {"model": Trouble}})
def gateways(visit: SignedIn) -> list[GatewayOut]:
    """List the gateways in scope, those that are not there first."""
    cards = fleet.fleet(visit.connection, visit.scope(), visit.now)
    senders = fleet.senders(visit.connection, cards, visit.now)
    return [_gateway(card, senders.get(card.row.gateway_id)) for card in cards]


@router.post("/{gateway_id}/devices/{address}/claim", responses=_REFUSALS)
def claim(visit: Called, gateway_id: str, address: Address, wish: Claim) -> GatewayOut:
    """Let a gateway read a device that it hears."""
    claimers_only(visit)
    offer = offer_of(visit, gateway_id, address)
    wearer = KEEP if wish.keep_wearer else NOBODY if wish.patient_key is None else f"{PATIENT}{wish.patient_key}"
    continuous = offer.continuous if wish.continuous is None else wish.continuous
    try:
        driver = wish.driver if "driver" in wish.model_fields_set else offer.driver
        claim_offer(visit, offer, wearer, continuous=continuous, driver=driver)
    except ClaimRefused as refused:
        raise HTTPException(status_code=409, detail=str(refused)) from refused
    return _one(visit, gateway_id)


@router.post("/{gateway_id}/devices/{address}/release", responses=_REFUSALS)
def release(visit: Called, gateway_id: str, address: Address, wish: Release) -> GatewayOut:
    """Let a gateway read a device no more."""
    claimers_only(visit)
    if not is_bluetooth_address(address):
        raise HTTPException(status_code=404, detail=f"no device {address!r} here")
    release_device(visit, gateway_of(visit, gateway_id), address, unbind=wish.unbind)
    return _one(visit, gateway_id)


def _one(visit: Visit, gateway_id: str) -> GatewayOut:
    card = gateway_of(visit, gateway_id)
    return _gateway(card, fleet.senders(visit.connection, [card], visit.now).get(gateway_id))


def _gateway(card: GatewayCard, sender: Sender | None) -> GatewayOut:
    said = card.said
    return GatewayOut(
        gateway_id=card.row.gateway_id,
        place=card.row.place,
        standing=card.standing.value,
        heard_at=card.heard_at,
        outbox_depth=said.outbox.depth if said else None,
        hours_left=said.outbox.hours_left if said else None,
        synchronised=said.synchronised if said else None,
        version=said.version if said else None,
        devices=[_device(device) for device in card.devices],
        nearby=[_neighbour(each) for each in card.nearby],
        sender=_sender(sender) if sender else None,
    )


def _sender(sender: Sender) -> SenderOut:
    row = sender.row
    return SenderOut(
        tokens=[token.name for token in sender.tokens],
        asked_at=row.asked_at,
        came_at=row.came_at,
        stored=row.stored,
        refused=row.refused,
        refused_lately=row.refused_lately,
        unread_lately=row.unread_lately,
    )


def _device(device: DeviceCard) -> DeviceOut:
    return DeviceOut(
        address=device.address,
        name=device.name,
        kind=device.kind,
        driver=device.driver,
        state=device.state,
        rssi=device.signal.dbm if device.signal else None,
        battery_percent=device.battery_percent,
        reading_at=device.reading_at,
        patient_key=device.wearer.key if device.wearer else None,
        claimed=device.claimed,
        claimed_by=device.claimed_by,
        taken=device.taken,
    )


def _neighbour(each: NeighbourCard) -> NeighbourOut:
    return NeighbourOut(
        address=each.address,
        name=each.name,
        kind=each.kind,
        driver=each.driver,
        product=each.product,
        rssi=each.signal.dbm if each.signal else None,
        heard_at=each.heard_at,
        patient_key=each.wearer.key if each.wearer else None,
        read_by=each.read_by,
    )

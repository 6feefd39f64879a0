"""Gateways and devices: who is there, what is near, and claiming it with a click."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from care.claiming import claim, release
from care.claims import ClaimRefused, ClaimWish, usually_continuous
from care.claims import Wearer as NewWearer
from care.registry import DeviceKind
from dashboards import board, fleet
from dashboards.console.accounts import why
from dashboards.gateways import DeviceCard, GatewayCard, NeighbourCard, Standing, Wearer, driver_to_claim
from dashboards.web import Posted, SignedIn, Visit

KEEP, NOBODY, PATIENT = "keep", "nobody", "patient:"
WANTED_CHARACTERS_MAX = 64

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A device that may be claimed for a gateway: as it is heard nearby, or as it is read without a claim."""

    card: GatewayCard
    address: str
    name: str
    product: str | None
    kind: DeviceKind
    registered: bool
    wearer: Wearer | None
    seen: NeighbourCard | DeviceCard

    @property
    def continuous(self) -> bool:
        """Whether the device is worn all the time, as far as the gateway knows its make; else as most of its kind."""
        streams = self.seen.streams if isinstance(self.seen, NeighbourCard) else None
        return usually_continuous(self.kind) if streams is None else streams

    @property
    def driver(self) -> str | None:
        """The driver that the claim will name, as its gateway knows the make; None: that chooses at each link."""
        return driver_to_claim(self.seen.driver)

    @property
    def wellness(self) -> bool:
        """Whether it is a consumer's device, that may prompt and never raise high by itself."""
        known = isinstance(self.seen, NeighbourCard) and self.seen.wellness
        return known or self.kind is DeviceKind.WEARABLE


@router.get("/fleet")
def page(visit: SignedIn, q: str = "") -> HTMLResponse:
    """Show the whole page."""
    return visit.render("fleet.html", **_values(visit, q))


@router.get("/fleet/list")
def fragment(visit: SignedIn, q: str = "") -> HTMLResponse:
    """Give the gateways alone, for a live page."""
    return visit.render("fleet_list.html", **_values(visit, q))


@router.get("/fleet/{gateway_id}/{address}/claim")
def form(visit: SignedIn, gateway_id: str, address: str, q: str = "") -> Response:
    """Ask who wears a device."""
    claimers_only(visit)
    return _form(visit, offer_of(visit, gateway_id, address), q)


@router.get("/fleet/{gateway_id}/{address}/candidates")
def candidates(visit: SignedIn, gateway_id: str, address: str, q: str = "") -> HTMLResponse:
    """Give the patients that fit what is being typed."""
    claimers_only(visit)
    return visit.render("candidates.html", **_asked(visit, offer_of(visit, gateway_id, address), q))


@router.post("/fleet/{gateway_id}/{address}/claim")
def make(
    visit: Posted,
    gateway_id: str,
    address: str,
    wearer: Annotated[str, Form()] = "",
    worn: Annotated[str, Form()] = "",
) -> Response:
    """Claim a device."""
    claimers_only(visit)
    offer = offer_of(visit, gateway_id, address)
    if wearer not in (KEEP, NOBODY) and not wearer.startswith(PATIENT):
        return _form(visit, offer, "", trouble=visit.words.gettext("Choose who wears it."))
    try:
        continuous = offer.continuous if not worn else worn == "continuous"
        claim_offer(visit, offer, wearer, continuous=continuous, driver=offer.driver)
    except ClaimRefused as refused:
        return _form(visit, offer, "", trouble=visit.words.pgettext("claim_refused", refused.obstacle))
    return _done(visit, gateway_id, "claimed", offer)


@router.post("/fleet/{gateway_id}/{address}/release")
def end(visit: Posted, gateway_id: str, address: str, unbind: Annotated[str, Form()] = "") -> Response:
    """Let a gateway read a device no more."""
    claimers_only(visit)
    release_device(visit, gateway_of(visit, gateway_id), address, unbind=bool(unbind))
    if "hx-request" not in visit.request.headers:
        return _back(gateway_id)
    return visit.render("released.html", headers={"HX-Trigger-After-Swap": "fleet"})


def gateway_of(visit: Visit, gateway_id: str) -> GatewayCard:
    """Give a gateway in the visitor's scope; out of it none exists."""
    card = fleet.gateway_in_scope(visit.connection, visit.scope(), visit.now, gateway_id)
    if card is None:
        raise HTTPException(status_code=404, detail=f"no gateway {gateway_id!r} here")
    return card


def offer_of(visit: Visit, gateway_id: str, address: str) -> Offer:
    """Give a device that a gateway hears and that may be claimed for it."""
    card = gateway_of(visit, gateway_id)
    seen = card.neighbour(address) or card.device(address)
    if seen is None or seen.kind not in set(DeviceKind):
        raise HTTPException(status_code=404, detail=f"{gateway_id} hears no device {address!r} that it could read")
    return Offer(
        card=card,
        address=address,
        name=seen.name,
        product=seen.product if isinstance(seen, NeighbourCard) else None,
        kind=DeviceKind(seen.kind),
        registered=seen.registered,
        wearer=seen.wearer,
        seen=seen,
    )


def claim_offer(visit: Visit, offer: Offer, wearer: str, *, continuous: bool, driver: str | None) -> None:
    """Claim a device for who wears it: "keep", "nobody", "patient:<key>". Raises ClaimRefused, HTTPException."""
    if offer.wearer is not None and offer.wearer.hidden and wearer != KEEP:
        raise HTTPException(status_code=403, detail="the device is worn by a patient of another centre")
    if wearer.startswith(PATIENT):
        _patient_in_scope(visit, wearer.removeprefix(PATIENT))
    wish = ClaimWish(
        gateway_id=offer.card.row.gateway_id,
        device_key=offer.address,
        driver=driver,
        kind=offer.kind,
        continuous=continuous,
        wellness=offer.wellness,
        wearer=_new_wearer(wearer),
    )
    claim(visit.connection, wish, person_id=visit.person.person_id, now=visit.now)


def release_device(visit: Visit, card: GatewayCard, address: str, *, unbind: bool) -> None:
    """End a claim; nobody takes a device from a patient of another centre. Raises HTTPException."""
    device = card.device(address)
    if unbind and device and device.wearer and device.wearer.hidden:
        raise HTTPException(status_code=403, detail="the device is worn by a patient of another centre")
    try:
        release(
            visit.connection,
            card.row.gateway_id,
            address,
            unbind=unbind,
            person_id=visit.person.person_id,
            now=visit.now,
        )
    except ClaimRefused as refused:
        raise HTTPException(status_code=409, detail=str(refused)) from refused


def claimers_only(visit: Visit) -> None:
    """Let only those go on who may claim and release. Raises HTTPException."""
    if not visit.person.onlooker.may_claim:
        raise HTTPException(status_code=403, detail=f"a {visit.person.role} claims no devices")


def _new_wearer(wearer: str) -> NewWearer | None:
    if wearer == KEEP:
        return None
    return NewWearer(patient_key=None if wearer == NOBODY else wearer.removeprefix(PATIENT))


def _patient_in_scope(visit: Visit, key: str) -> board.Patient:
    patient = board.patient_in_scope(visit.connection, visit.scope(), key)
    if patient is None:
        raise HTTPException(status_code=404, detail=f"no patient {key!r} here")
    return patient


def _values(visit: Visit, wanted: str) -> dict[str, Any]:
    scope, wanted = visit.scope(), wanted[:WANTED_CHARACTERS_MAX]
    cards = fleet.fleet(visit.connection, scope, visit.now, wanted=wanted)
    return {
        "cards": cards,
        "senders": fleet.senders(visit.connection, cards, visit.now),
        "why": lambda reason: why(reason, visit.words.language),
        "counts": fleet.counts(visit.connection, scope, visit.now),
        "standings": list(Standing),
        "wanted": wanted,
        "may_claim": visit.person.onlooker.may_claim,
        "most": fleet.GATEWAYS_MOST,
    }


def _asked(visit: Visit, offer: Offer, wanted: str) -> dict[str, Any]:
    found = fleet.candidates(
        visit.connection,
        visit.scope(),
        visit.now,
        wanted=wanted[:WANTED_CHARACTERS_MAX],
        organisation_id=offer.card.row.organisation_id,
    )
    return {"offer": offer, "candidates": found, "wanted": wanted, "most": fleet.CANDIDATES_MOST}


def _form(visit: Visit, offer: Offer, wanted: str, *, trouble: str = "") -> Response:
    template = "claim.html" if "hx-request" in visit.request.headers else "claim_page.html"
    return visit.render(template, 409 if trouble else 200, trouble=trouble, done="", **_asked(visit, offer, wanted))


def _done(visit: Visit, gateway_id: str, done: str, offer: Offer) -> Response:
    if "hx-request" not in visit.request.headers:
        return _back(gateway_id)
    asked = _asked(visit, offer, "")
    return visit.render("claim.html", headers={"HX-Trigger-After-Swap": "fleet"}, trouble="", done=done, **asked)


def _back(gateway_id: str) -> Response:
    return RedirectResponse(f"/fleet#gateway-{gateway_id}", status_code=303)

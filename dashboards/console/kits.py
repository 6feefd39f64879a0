"""Kits in the console, and the question who is measuring with a shared device: big names, one tap, ten minutes."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from care import kits
from care.keeping import Unknown
from care.kit import KitRefused, KitState
from dashboards import registry
from dashboards.web import Posted, SignedIn, Visit

router = APIRouter()


@router.get("/kits")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the kits in scope."""
    return _kits(visit)


@router.post("/kits/{kit}/lend")
def lend(visit: Posted, kit: str, patient: Annotated[str, Form()] = "") -> Response:
    """Lend a kit to a patient by his key."""
    try:
        lend_kit(visit, kit, patient.strip())
    except (KitRefused, Unknown) as refused:
        return _kits(visit, trouble=str(refused))
    return RedirectResponse("/kits", status_code=303)


@router.post("/kits/{kit}/return")
def give_back(
    visit: Posted, kit: str, state: Annotated[KitState, Form()], missing: Annotated[str, Form()] = ""
) -> Response:
    """Take a kit back."""
    try:
        return_kit(visit, kit, state, missing if state is KitState.MISSING else "")
    except (KitRefused, Unknown) as refused:
        return _kits(visit, trouble=str(refused))
    return RedirectResponse("/kits", status_code=303)


@router.get("/shared")
def shared(visit: SignedIn) -> HTMLResponse:
    """Ask who is measuring, for each shared device in scope."""
    return _shared(visit)


@router.post("/shared/{device}/choose")
def choose(visit: Posted, device: str, patient: Annotated[str, Form()] = "") -> Response:
    """Say who measures now; empty: nobody any more."""
    try:
        choose_resident(visit, device, patient or None)
    except (KitRefused, Unknown) as refused:
        return _shared(visit, trouble=str(refused))
    return RedirectResponse("/shared", status_code=303)


def lend_kit(visit: Visit, kit: str, patient: str) -> None:
    """Lend a kit in scope to a patient in scope. Raises KitRefused, Unknown, HTTPException."""
    _kit_in_scope(visit, kit)
    if registry.card_of(visit.connection, visit.scope(), visit.now, patient) is None:
        raise Unknown(f"no patient {patient!r} here")
    kits.lend(visit.connection, kit, patient, person_id=visit.person.person_id, now=visit.now)


def return_kit(visit: Visit, kit: str, state: KitState, missing: str) -> None:
    """Take a kit in scope back. Raises KitRefused, Unknown, HTTPException."""
    _kit_in_scope(visit, kit)
    kits.give_back(visit.connection, kit, state, missing=missing, person_id=visit.person.person_id, now=visit.now)


def choose_resident(visit: Visit, device: str, patient: str | None) -> None:
    """Say who measures with a shared device in scope. Raises KitRefused, Unknown, HTTPException."""
    if not visit.person.onlooker.may_claim:
        raise HTTPException(status_code=403, detail=f"a {visit.person.role} says of no device who uses it")
    found = {each.device_key: each for each in registry.shared_devices(visit.connection, visit.scope(), visit.now)}
    if device not in found:
        raise HTTPException(status_code=404, detail=f"no shared device {device!r} here")
    here = {each.key for each in registry.residents(visit.connection, visit.scope(), found[device])}
    if patient is not None and patient not in here:
        raise Unknown(f"{patient!r} does not live where {device} stands")
    kits.choose(visit.connection, device, patient, person_id=visit.person.person_id, now=visit.now)


def _kit_in_scope(visit: Visit, kit: str) -> None:
    if not visit.person.onlooker.may_lend:
        raise HTTPException(status_code=403, detail=f"a {visit.person.role} lends no kits")
    if kit not in {each.kit_key for each in registry.kits(visit.connection, visit.scope())}:
        raise HTTPException(status_code=404, detail=f"no kit {kit!r} here")


def _kits(visit: Visit, *, trouble: str = "") -> HTMLResponse:
    return visit.render(
        "kits.html",
        409 if trouble else 200,
        kits=registry.kits(visit.connection, visit.scope()),
        states=list(KitState),
        may_lend=visit.person.onlooker.may_lend,
        trouble=trouble,
    )


def _shared(visit: Visit, *, trouble: str = "") -> HTMLResponse:
    scope = visit.scope()
    devices = registry.shared_devices(visit.connection, scope, visit.now)
    return visit.render(
        "shared.html",
        409 if trouble else 200,
        devices=devices,
        residents={each.device_key: registry.residents(visit.connection, scope, each) for each in devices},
        may_choose=visit.person.onlooker.may_claim,
        trouble=trouble,
    )

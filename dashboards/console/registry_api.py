"""The registry in the API, version 1: the same acts under the same rights as in the console."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerting import patient_acts
from alerting.acting import ActError
from care import keeping
from care.consent import Consent, ConsentRefused, GivenBy, Purpose
from care.contacts import CONTACTS_MAX, Contact, Relation
from care.kit import KitRefused, KitState
from care.status import REASON_CHARACTERS_MAX, Change, Status, StatusRefused
from dashboards import registry
from dashboards.console.api import refusals
from dashboards.console.kits import choose_resident, lend_kit, return_kit
from dashboards.console.registry import TEXT_CHARACTERS_MAX, WANTED_CHARACTERS_MAX, card_in_scope
from dashboards.web import Called, SignedIn, Visit

router = APIRouter(prefix="/api/v1", tags=["registry"])
_REFUSALS = refusals(401, 403, 404, 409)


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StatusIn(_In):
    """How a patient stands; `at` defaults to now, `until` belongs to away, `place` to admitted."""

    status: Status
    reason: str = Field(max_length=REASON_CHARACTERS_MAX)
    at: AwareDatetime | None = None
    until: AwareDatetime | None = None
    place: str = Field(default="", max_length=TEXT_CHARACTERS_MAX)


class ContactIn(_In):
    """Somebody to ask."""

    name: str = Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)
    relation: Relation
    phone: str = Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)
    channels: list[str] = Field(default=[], max_length=10)
    may_be_told: bool = False
    lives_with: bool = False


class ContactsIn(_In):
    """All of a patient's contacts, in order."""

    contacts: list[ContactIn] = Field(max_length=CONTACTS_MAX)


class ConsentIn(_In):
    """What somebody agreed to, or took back (`given` false); `at` defaults to now."""

    purpose: Purpose
    version: str = Field(max_length=TEXT_CHARACTERS_MAX)
    given: bool
    given_by: GivenBy
    guardian: str = Field(default="", max_length=TEXT_CHARACTERS_MAX)
    at: AwareDatetime | None = None


class ReviewIn(_In):
    """The assessment that one has seen."""

    assessment_id: int


class UnbindIn(_In):
    """The device that is worn no more."""

    device: str


class LendIn(_In):
    """To whom a kit is lent."""

    patient: str


class ReturnIn(_In):
    """How a kit came back."""

    state: KitState
    missing: str = Field(default="", max_length=TEXT_CHARACTERS_MAX)


class ChooseIn(_In):
    """Who measures in the next ten minutes; null: nobody any more."""

    patient: str | None


@router.get("/registry", responses=refusals(401))
def list_patients(visit: SignedIn, q: str = "", review: bool = False) -> list[registry.Entry]:
    """List patients in scope by name, initials, bed or key; `review`: only those whose colour is to be looked at."""
    wanted = q[:WANTED_CHARACTERS_MAX]
    return registry.found(visit.connection, visit.scope(), visit.now, wanted=wanted, to_review=review)


@router.get("/registry-to-unbind", responses=refusals(401))
def list_to_unbind(visit: SignedIn) -> list[registry.ToUnbind]:
    """List devices worn by who has withdrawn, or is discharged: a person has to unbind them."""
    return registry.to_unbind(visit.connection, visit.scope(), visit.now)


@router.get("/registry/{key}", responses=refusals(401, 404))
def one(visit: SignedIn, key: str) -> registry.Card:
    """Give all of a patient."""
    return card_in_scope(visit, key)


@router.post("/registry/{key}/status", responses=_REFUSALS)
def say_status(visit: Called, key: str, said: StatusIn) -> registry.Card:
    """Say how a patient stands."""
    card_in_scope(visit, key, keep=True)
    at: datetime = said.at or visit.now
    change = Change(to=said.status, at=at, reason=said.reason, until=said.until, place=said.place)
    _do(lambda: patient_acts.change_status(visit.connection, key=key, change=change, **_who(visit)))
    return card_in_scope(visit, key)


@router.put("/registry/{key}/contacts", responses=_REFUSALS)
def say_contacts(visit: Called, key: str, said: ContactsIn) -> registry.Card:
    """Write all of a patient's contacts, in order."""
    card_in_scope(visit, key, keep=True)
    contacts = [
        Contact(patient=key, channels=tuple(each.channels), **each.model_dump(exclude={"channels"}))
        for each in said.contacts
    ]
    _do(lambda: keeping.set_contacts(visit.connection, key, contacts, **_who(visit)))
    return card_in_scope(visit, key)


@router.post("/registry/{key}/consents", responses=_REFUSALS)
def say_consent(visit: Called, key: str, said: ConsentIn) -> registry.Card:
    """Record what somebody agreed to, or took back."""
    card_in_scope(visit, key, keep=True)
    consent = Consent(patient=key, at=said.at or visit.now, **said.model_dump(exclude={"at"}))
    _do(lambda: keeping.record_consent(visit.connection, consent, **_who(visit)))
    return card_in_scope(visit, key)


@router.post("/registry/{key}/reviewed", responses=_REFUSALS)
def reviewed(visit: Called, key: str, said: ReviewIn) -> registry.Card:
    """Note that one has looked at a colour."""
    card_in_scope(visit, key, keep=True)
    _do(lambda: keeping.review_colour(visit.connection, key, said.assessment_id, **_who(visit)))
    return card_in_scope(visit, key)


@router.post("/registry/{key}/unbind", responses=_REFUSALS)
def unbind(visit: Called, key: str, said: UnbindIn) -> registry.Card:
    """Let a patient wear a device no more."""
    card_in_scope(visit, key, keep=True)
    _do(lambda: keeping.unbind(visit.connection, key, said.device, **_who(visit)))
    return card_in_scope(visit, key)


@router.get("/kits", responses=refusals(401))
def list_kits(visit: SignedIn) -> list[registry.KitShown]:
    """List the kits in scope, those to be fetched first."""
    return registry.kits(visit.connection, visit.scope())


@router.post("/kits/{kit}/lend", responses=_REFUSALS)
def lend(visit: Called, kit: str, said: LendIn) -> list[registry.KitShown]:
    """Lend a kit: from now on the patient wears its devices."""
    _do(lambda: lend_kit(visit, kit, said.patient))
    return list_kits(visit)


@router.post("/kits/{kit}/return", responses=_REFUSALS)
def give_back(visit: Called, kit: str, said: ReturnIn) -> list[registry.KitShown]:
    """Take a kit back: nobody wears its devices any more."""
    _do(lambda: return_kit(visit, kit, said.state, said.missing))
    return list_kits(visit)


@router.get("/shared-devices", responses=refusals(401))
def list_shared(visit: SignedIn) -> list[registry.SharedDevice]:
    """List the shared devices in scope, and who measures with each now."""
    return registry.shared_devices(visit.connection, visit.scope(), visit.now)


@router.post("/shared-devices/{device}/choose", responses=_REFUSALS)
def choose(visit: Called, device: str, said: ChooseIn) -> list[registry.SharedDevice]:
    """Say who measures with a shared device in the next ten minutes."""
    _do(lambda: choose_resident(visit, device, said.patient))
    return list_shared(visit)


def _who(visit: Visit) -> dict[str, Any]:
    return {"person_id": visit.person.person_id, "now": visit.now}


def _do(act: Callable[[], object]) -> None:
    try:
        act()
    except (StatusRefused, ConsentRefused, KitRefused, keeping.Unknown, ActError) as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc

"""The registry in the console: a patient, how he stands, whom to ask, what he agreed to; colours to look at."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting import patient_acts
from alerting.zones import zone_of
from care import keeping
from care.consent import Consent, ConsentRefused, GivenBy, Purpose
from care.contacts import Contact, Relation
from care.status import Change, Status, StatusRefused, possible
from dashboards import registry
from dashboards.web import Posted, SignedIn, Visit

WANTED_CHARACTERS_MAX = 64
TEXT_CHARACTERS_MAX = 200
_SPARE_CONTACTS = 2

router = APIRouter()
Texts = Annotated[list[str] | None, Form()]


@router.get("/registry")
def page(visit: SignedIn, q: str = "", review: bool = False) -> HTMLResponse:
    """Show the patients in scope, and what somebody has to do about them."""
    scope, wanted = visit.scope(), q[:WANTED_CHARACTERS_MAX]
    return visit.render(
        "registry.html",
        entries=registry.found(visit.connection, scope, visit.now, wanted=wanted, to_review=review),
        to_unbind=registry.to_unbind(visit.connection, scope, visit.now),
        wanted=wanted,
        review=review,
        most=registry.MOST,
        may_keep=visit.person.onlooker.may_keep,
    )


@router.get("/registry/{key}")
def patient(visit: SignedIn, key: str) -> HTMLResponse:
    """Show all of a patient; one out of scope does not exist."""
    return _page(visit, key)


@router.post("/registry/{key}/status")
def say_status(
    visit: Posted,
    key: str,
    to: Annotated[Status, Form()],
    reason: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
    place: Annotated[str, Form()] = "",
    at: Annotated[str, Form()] = "",
) -> Response:
    """Say how a patient stands from now on, or from an earlier instant of his local time."""
    card = card_in_scope(visit, key, keep=True)

    def act() -> None:
        zone = card.entry.time_zone
        change = Change(
            to=to,
            at=local_instant(at, zone) or visit.now,
            reason=reason[:TEXT_CHARACTERS_MAX],
            until=local_instant(until, zone) if to is Status.AWAY else None,
            place=place[:TEXT_CHARACTERS_MAX] if to is Status.ADMITTED else "",
        )
        patient_acts.change_status(
            visit.connection, key=key, change=change, person_id=visit.person.person_id, now=visit.now
        )

    return _done(visit, key, act)


@router.post("/registry/{key}/contacts")
def say_contacts(
    visit: Posted,
    key: str,
    name: Texts = None,
    relation: Texts = None,
    phone: Texts = None,
    channels: Texts = None,
    told: Texts = None,
    lives: Texts = None,
) -> Response:
    """Write a patient's contacts, in order; those without a name are left out."""
    card_in_scope(visit, key, keep=True)
    columns = [each or [] for each in (name, relation, phone, channels, told, lives)]

    def act() -> None:
        lines = zip(*columns, strict=True)
        contacts = [_contact(key, *line) for line in lines if line[0].strip()]
        keeping.set_contacts(visit.connection, key, contacts, person_id=visit.person.person_id, now=visit.now)

    return _done(visit, key, act)


@router.post("/registry/{key}/consent")
def say_consent(
    visit: Posted,
    key: str,
    purpose: Annotated[Purpose, Form()],
    given: Annotated[bool, Form()],
    given_by: Annotated[GivenBy, Form()],
    version: Annotated[str, Form()] = "",
    guardian: Annotated[str, Form()] = "",
) -> Response:
    """Record what somebody agreed to or took back just now."""
    card_in_scope(visit, key, keep=True)

    def act() -> None:
        said = Consent(
            patient=key,
            purpose=purpose,
            version=version[:TEXT_CHARACTERS_MAX],
            given=given,
            given_by=given_by,
            guardian=guardian[:TEXT_CHARACTERS_MAX],
            at=visit.now,
        )
        keeping.record_consent(visit.connection, said, person_id=visit.person.person_id, now=visit.now)

    return _done(visit, key, act)


@router.post("/registry/{key}/reviewed")
def reviewed(visit: Posted, key: str, assessment_id: Annotated[int, Form()]) -> Response:
    """Note that one has looked at a colour."""
    card_in_scope(visit, key, keep=True)

    def act() -> None:
        keeping.review_colour(visit.connection, key, assessment_id, person_id=visit.person.person_id, now=visit.now)

    return _done(visit, key, act)


@router.post("/registry/{key}/unbind")
def unbind(visit: Posted, key: str, device: Annotated[str, Form()]) -> Response:
    """Let a patient wear a device no more."""
    card_in_scope(visit, key, keep=True)

    def act() -> None:
        keeping.unbind(visit.connection, key, device, person_id=visit.person.person_id, now=visit.now)

    return _done(visit, key, act)


def card_in_scope(visit: Visit, key: str, *, keep: bool = False) -> registry.Card:
    """Give a patient in scope; `keep`: only to who may keep patients. Raises HTTPException."""
    card = registry.card_of(visit.connection, visit.scope(), visit.now, key)
    if card is None:
        raise HTTPException(status_code=404, detail=f"no patient {key!r} here")
    if keep and not visit.person.onlooker.may_keep:
        raise HTTPException(status_code=403, detail=f"a {visit.person.role} keeps no patients")
    return card


def _done(visit: Visit, key: str, act: Callable[[], None]) -> Response:
    try:
        act()
    except (StatusRefused, ConsentRefused, keeping.Unknown, ValueError) as refused:
        general = visit.words.gettext("This was not written down.")
        return _page(visit, key, trouble=f"{general} ({refused})")
    return RedirectResponse(f"/registry/{key}", status_code=303)


def _page(visit: Visit, key: str, *, trouble: str = "") -> HTMLResponse:
    card = card_in_scope(visit, key)
    values: dict[str, Any] = {
        "card": card,
        "entry": card.entry,
        "may": possible(Status(card.entry.status), visit.person.role) if visit.person.onlooker.may_keep else [],
        "may_keep": visit.person.onlooker.may_keep,
        "relations": list(Relation),
        "purposes": list(Purpose),
        "spare": _SPARE_CONTACTS,
        "trouble": trouble,
    }
    return visit.render("registry_patient.html", 409 if trouble else 200, **values)


def _contact(patient: str, name: str, relation: str, phone: str, channels: str, told: str, lives: str) -> Contact:
    if not phone.strip():
        raise ValueError(f"{name}: a contact needs a phone")
    return Contact(
        patient=patient,
        name=name.strip()[:TEXT_CHARACTERS_MAX],
        relation=Relation(relation),
        phone=phone.strip()[:TEXT_CHARACTERS_MAX],
        channels=tuple(channels.split()),
        may_be_told=told == "yes",
        lives_with=lives == "yes",
    )


def local_instant(text: str, zone: str) -> datetime | None:
    """Read an instant of a patient's local time, as the browser's field gives it. Raises ValueError."""
    if not text:
        return None
    return datetime.fromisoformat(text).replace(tzinfo=zone_of(zone))

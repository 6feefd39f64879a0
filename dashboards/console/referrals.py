"""Referrals: where the table would send a patient, who is asked, how far he is, and what is said of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting import acts
from alerting.acting import ActError
from alerting.cases.referring import Seen
from alerting.cases.transfer import Event, Refusal
from care.referral import FLAGS, Driver, Picture, Severity
from dashboards import referrals
from dashboards.console.acts import CHANNEL, NOTE_CHARACTERS_MAX, answer_act, episode_of
from dashboards.database import Connection
from dashboards.scope import SEES_REFUSALS
from dashboards.web import Posted, SignedIn, Visit

REASONS = tuple(each for each in Refusal if each is not Refusal.NO_ANSWER)
QUIET = frozenset({"reject", "withdraw", "died"})
"""What is shown behind the others, as it turns a patient away or ends."""

router = APIRouter()


@router.get("/referrals")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the whole page."""
    return visit.render("referrals.html", **_values(visit))


@router.get("/referrals/list")
def fragment(visit: SignedIn) -> HTMLResponse:
    """Give the list alone, for a live page."""
    return visit.render("referrals_list.html", **_values(visit))


@router.post("/episodes/{episode_id}/route")
def where_to(
    visit: Posted,
    episode_id: int,
    severity: Annotated[str, Form()] = "",
    driver: Annotated[str, Form()] = "",
    flags: Annotated[list[str] | None, Form()] = None,
) -> HTMLResponse:
    """Show where the decision table would send the patient, while the form is being filled; nothing is written."""
    episode_of(visit, episode_id)
    if severity not in set(Severity) or driver not in set(Driver):
        return visit.render("route.html", plan=None, hospitals={})
    said = {flag: flag in (flags or ()) for flag in FLAGS}
    picture = Picture(severity=Severity(severity), driver=Driver(driver), **said)
    try:
        plan = acts.where_to(visit.connection, episode_id=episode_id, picture=picture, now=visit.now)
    except ActError as error:
        raise HTTPException(status_code=404, detail=str(error)) from error
    known = {hospital.facility_id: hospital for hospital in referrals.hospitals(visit.connection)}
    return visit.render("route.html", plan=plan, hospitals=known)


@router.post("/episodes/{episode_id}/refer")
def refer(
    visit: Posted,
    episode_id: int,
    severity: Annotated[Severity, Form()],
    driver: Annotated[Driver, Form()],
    flags: Annotated[list[str] | None, Form()] = None,
    note: Annotated[str, Form()] = "",
) -> Response:
    """Refer the patient as the county's team."""
    picture = Picture(severity=severity, driver=driver, **{flag: flag in (flags or ()) for flag in FLAGS})

    def act(connection: Connection) -> None:
        acts.refer(
            connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            picture=picture,
            note=note.strip()[:NOTE_CHARACTERS_MAX],
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )

    return answer_act(visit, episode_id, act, done="refer")


@router.post("/referrals/{referral_id}/say")
def say(
    visit: Posted,
    referral_id: int,
    event: Annotated[Event, Form()],
    refusal: Annotated[Refusal | None, Form()] = None,
    facility_id: Annotated[int | None, Form()] = None,
    seen: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Say what happened; the answer is the referral's card as it stands now."""
    referral_of(visit, referral_id)
    trouble = ""
    try:
        acts.say_of_referral(
            visit.connection,
            referral_id=referral_id,
            person_id=visit.person.person_id,
            event=event,
            refusal=refusal,
            facility_id=facility_id,
            seen=_seen(seen),
            note=note.strip()[:NOTE_CHARACTERS_MAX],
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )
    except ActError as error:
        general = visit.words.gettext("This is not possible now: the referral has moved on.")
        trouble = f"{general} ({error})"
    if "hx-request" not in visit.request.headers:
        return RedirectResponse(f"/referrals#referral-{referral_id}", status_code=303)
    values = _values(visit) | {"trouble": {referral_id: trouble}}
    return visit.render("referrals_list.html", 409 if trouble else 200, **values)


def _seen(said: str) -> Seen | None:
    """Read "stage:facility" as a form gives it back."""
    stage, _, facility = said.partition(":")
    return Seen(stage=stage, facility_id=int(facility) if facility.isdecimal() else None) if stage else None


def referral_of(visit: Visit, referral_id: int) -> referrals.Referral:
    """Give a referral that concerns the visitor; out of it none exists."""
    found = referrals.one(visit.connection, visit.referral_scope(), referral_id)
    if found is None:
        raise HTTPException(status_code=404, detail=f"no referral {referral_id} here")
    return found


def _values(visit: Visit) -> dict[str, Any]:
    shown = referrals.under_way(visit.connection, visit.referral_scope(), visit.now)
    return {
        "referrals": shown,
        "history": referrals.history(visit.connection, [each.referral_id for each in shown]),
        "possible": acts.possible_of_referrals(
            visit.connection,
            referrals=[each.referral_id for each in shown],
            person_id=visit.person.person_id,
            now=visit.now,
        ),
        "refused": referrals.refusals(visit.connection, visit.referral_scope(), visit.now)
        if visit.person.role in SEES_REFUSALS
        else [],
        "hospitals": referrals.hospitals(visit.connection),
        "reasons": REASONS,
        "quiet": QUIET,
        "trouble": {},
        "most": referrals.MOST,
    }

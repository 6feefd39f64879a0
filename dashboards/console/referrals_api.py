"""Referrals in the API, version 1: the same acts under the same rights as in the console."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from alerting import acts
from alerting.acting import ActError
from alerting.cases.referring import Seen
from alerting.cases.transfer import Event, Refusal
from care.referral import Driver, Picture, Severity
from dashboards import referrals
from dashboards.console.acts import NOTE_CHARACTERS_MAX, episode_of
from dashboards.console.api import CHANNEL, refusals
from dashboards.console.referrals import referral_of
from dashboards.web import Called, SignedIn

router = APIRouter(prefix="/api/v1", tags=["referrals"])


class PictureIn(BaseModel):
    """How ill a patient is, as a person says it (care/referral.py Picture)."""

    model_config = ConfigDict(extra="forbid")

    severity: Severity
    driver: Driver
    immediate_danger: bool = False
    beyond_capacity: bool = False
    needs_haemodialysis: bool = False
    serious_disease: bool = False
    immobile: bool = False
    home_permits: bool = True
    note: str = Field(default="", max_length=NOTE_CHARACTERS_MAX)

    def picture(self) -> Picture:
        """Give it without the note."""
        return Picture(**self.model_dump(exclude={"note"}))


class SeenIn(BaseModel):
    """What the speaker had before his eyes: a referral's `stage` and `facility_id`, as they were read."""

    model_config = ConfigDict(extra="forbid")

    stage: str
    facility_id: int | None = None


class SayingIn(BaseModel):
    """What is said of a referral: accept, reject (with `refusal`), offer (to `facility_id`), depart, arrive, ...

    With `seen`, the stage and hospital that it is said of: where they are no longer so, it is refused (409).
    """

    model_config = ConfigDict(extra="forbid")

    event: Event
    refusal: Refusal | None = None
    facility_id: int | None = None
    seen: SeenIn | None = None
    note: str = Field(default="", max_length=NOTE_CHARACTERS_MAX)


@router.post("/episodes/{episode_id}/refer", responses=refusals(401, 403, 404, 409))
def refer(visit: Called, episode_id: int, picture: PictureIn) -> referrals.Referral:
    """Refer the patient as the county's team: the decision table says where to."""
    episode_of(visit, episode_id)
    try:
        referral_id = acts.refer(
            visit.connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            picture=picture.picture(),
            note=picture.note.strip(),
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )
    except ActError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return referral_of(visit, referral_id)


@router.get("/referrals", responses=refusals(401))
def list_referrals(visit: SignedIn) -> list[referrals.Referral]:
    """List the referrals under way that concern one: of patients in scope, and those offered to one's hospital."""
    return referrals.under_way(visit.connection, visit.referral_scope(), visit.now)


@router.post("/referrals/{referral_id}/say", responses=refusals(401, 403, 404, 409))
def say(visit: Called, referral_id: int, saying: SayingIn) -> referrals.Referral | None:
    """Say what happened: accepted, refused and why, left, arrived, admitted, discharged, back home.

    Gives the referral, or null where it concerns one no more: refused, it is another hospital's.
    """
    referral_of(visit, referral_id)
    try:
        acts.say_of_referral(
            visit.connection,
            referral_id=referral_id,
            person_id=visit.person.person_id,
            event=saying.event,
            refusal=saying.refusal,
            facility_id=saying.facility_id,
            seen=Seen(**saying.seen.model_dump()) if saying.seen else None,
            note=saying.note,
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )
    except ActError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return referrals.one(visit.connection, visit.referral_scope(), referral_id)

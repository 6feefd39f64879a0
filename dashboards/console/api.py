"""The console's API, version 1: the same acts under the same rights, for the demo and for other programs."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from alerting import acts
from alerting.acting import ActError
from dashboards import board
from dashboards.console.acts import DISPOSITIONS, NOTE_CHARACTERS_MAX, episode_of
from dashboards.console.sign_in import address_of, set_session
from dashboards.sessions import Attempt, SignInError, TooManyFailures, sign_in, viewer_of
from dashboards.silences import HeldBack, held_back
from dashboards.storms import Member, members_of
from dashboards.web import Anyone, Called, SignedIn

CHANNEL = "api"

router = APIRouter(prefix="/api/v1", tags=["console"])


class Credentials(BaseModel):
    """Who signs in."""

    model_config = ConfigDict(extra="forbid", strict=True)

    key: str = Field(max_length=64)
    password: str = Field(max_length=256)


class SessionOpened(BaseModel):
    """The session is in the cookie; `csrf` goes into the header X-CSRF-Token of every act."""

    csrf: str
    person_key: str
    role: str
    service_tier: int


class EpisodeOut(BaseModel):
    """An open episode; of no patient, but of what `subject` names, where `patient_key` is null."""

    episode_id: int
    patient_key: str | None
    subject: str | None
    gateway_id: str | None
    initials: str
    bed: str
    family: str
    rule: str
    priority: str
    emergency: bool
    tier3: bool
    technical: bool
    condition: str
    state: str
    step: int
    service_tier: int
    since: datetime
    raised_at: datetime
    alarmed_at: datetime
    due_at: datetime | None
    acknowledged_by: int | None
    disposition: str | None
    possible_acts: list[str]
    silence: HeldBack | None


class Decision(BaseModel):
    """What becomes of the patient: stay_home, refer, attend, false_alarm (needs a note), close."""

    model_config = ConfigDict(extra="forbid", strict=True)

    disposition: str = Field(pattern=f"^({'|'.join(DISPOSITIONS)})$")
    note: str = Field(default="", max_length=NOTE_CHARACTERS_MAX)


class Trouble(BaseModel):
    """Why something was refused."""

    detail: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Trouble} for status in statuses}


@router.post("/session", responses=refusals(400, 401, 429))
def open_session(visit: Anyone, credentials: Credentials, response: Response) -> SessionOpened:
    """Sign in: the cookie is set, the CSRF token is answered."""
    machine_now = datetime.now(UTC)
    attempt = Attempt(key=credentials.key, password=credentials.password, address=address_of(visit.request))
    try:
        token = sign_in(visit.connection, attempt, machine_now)
    except TooManyFailures as exc:
        raise HTTPException(status_code=429, detail="too many failed sign-ins: wait a quarter of an hour") from exc
    except SignInError as exc:
        raise HTTPException(status_code=401, detail="wrong key or password") from exc
    viewer = viewer_of(visit.connection, token, machine_now)
    assert viewer is not None, "a session just opened has its person"
    set_session(response, visit.request, token)
    return SessionOpened(csrf=viewer.csrf, person_key=viewer.key, role=viewer.role, service_tier=viewer.service_tier)


@router.get("/episodes", responses=refusals(401))
def episodes(visit: SignedIn) -> list[EpisodeOut]:
    """List the open episodes in scope, most urgent first."""
    cards = board.inbox(visit.connection, visit.scope(), visit.now)
    held = held_back(visit.connection, [card.episode.episode_id for card in cards], visit.now)
    return [_out(visit, card.episode, card.patient, held) for card in cards if card.in_reach]


@router.get("/episodes/{episode_id}", responses=refusals(401, 403, 404, 409))
def episode(visit: SignedIn, episode_id: int) -> EpisodeOut:
    """Give one episode, open or closed."""
    found = episode_of(visit, episode_id)
    held = held_back(visit.connection, [episode_id], visit.now)
    return _out(visit, found, board.whose_is(visit.connection, found), held)


@router.get("/episodes/{episode_id}/members", responses=refusals(401, 404))
def members(visit: SignedIn, episode_id: int) -> list[Member]:
    """List what an alarm of one cause holds, then what left it as it was well; nothing of any other alarm."""
    return members_of(visit.connection, [episode_of(visit, episode_id)]).get(episode_id, [])


@router.post("/episodes/{episode_id}/acknowledge", responses=refusals(401, 403, 404, 409))
def acknowledge(visit: Called, episode_id: int) -> EpisodeOut:
    """Take responsibility for an episode."""
    episode_of(visit, episode_id)
    try:
        acts.acknowledge(
            visit.connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )
    except ActError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return episode(visit, episode_id)


@router.post("/episodes/{episode_id}/decide", responses=refusals(401, 403, 404, 409))
def decide(visit: Called, episode_id: int, decision: Decision) -> EpisodeOut:
    """Decide what becomes of the patient."""
    episode_of(visit, episode_id)
    try:
        acts.decide(
            visit.connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            disposition=decision.disposition,
            note=decision.note.strip(),
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )
    except ActError as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc
    return episode(visit, episode_id)


def _out(
    visit: SignedIn, found: board.Episode, whose: board.Patient | board.Subject, held: dict[int, HeldBack]
) -> EpisodeOut:
    possible = acts.possible_acts(
        visit.connection, episode_id=found.episode_id, person_id=visit.person.person_id, now=visit.now
    )
    shown = {name: getattr(found, name) for name in EpisodeOut.model_fields if hasattr(found, name)}
    key, initials = (
        (None, visit.subject_name(whose)) if isinstance(whose, board.Subject) else (whose.key, whose.initials)
    )
    return EpisodeOut(
        **shown,
        patient_key=key,
        initials=initials,
        bed=whose.bed,
        possible_acts=possible,
        silence=held.get(found.episode_id),
    )

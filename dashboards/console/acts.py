"""Acts on an episode: take responsibility, decide, note. What is allowed is alerting's word alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import RedirectResponse, Response

from alerting import acts
from alerting.acting import ActError
from alerting.profile.urgency import Consequence, Priority
from alerting.silences import offered_hours, target_of
from dashboards import board
from dashboards.database import Connection
from dashboards.newest import Newest
from dashboards.silences import HeldBack, held_back
from dashboards.web import Posted, SignedIn, Visit

CHANNEL = "console"
DISPOSITIONS = ("go_on", "stay_home", "refer", "step_down", "attend", "false_alarm", "wrong_patient", "close")
NEEDS_NOTE = acts.NEEDS_NOTE
NOTE_CHARACTERS_MAX = 2000

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one may do about an episode now; `service_tier` is the acting person's."""

    episode: board.Episode
    patient: board.Patient | board.Subject
    possible: list[str]
    service_tier: int
    vitals: list[Newest]
    taken_by: board.Person | None
    silence: HeldBack | None = None
    silence_hours: tuple[int, ...] = ()

    @property
    def barred(self) -> bool:
        """Say whether "stay home" is missing because a tier-3 case is open."""
        return (
            self.episode.tier3
            and self.patient.is_person
            and self.service_tier == 2
            and self.episode.state != "closed"
            and "stay_home" not in self.possible
        )

    @property
    def decisions(self) -> list[str]:
        """Give the possible decisions in the order shown."""
        return [each for each in DISPOSITIONS if each in self.possible]

    @property
    def refers(self) -> bool:
        """Say whether this person's "refer" is the county's, which needs to know how ill the patient is."""
        return self.service_tier == 3 and self.patient.is_person


@router.get("/episodes/{episode_id}")
def follow(visit: SignedIn, episode_id: int) -> Response:
    """Lead the link of a notice to the episode on its patient's page, or on that of its gateway, device or centre."""
    return _on_the_page(board.whose_is(visit.connection, episode_of(visit, episode_id)), episode_id)


@router.get("/episodes/{episode_id}/sheet")
def show(visit: SignedIn, episode_id: int) -> Response:
    """Show what can be done about an episode, naming whose it is."""
    return _answer(visit, episode_id, whole=True)


@router.post("/episodes/{episode_id}/acknowledge")
def acknowledge(visit: Posted, episode_id: int) -> Response:
    """Take responsibility."""

    def act(connection: Connection) -> None:
        acts.acknowledge(
            connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )

    return answer_act(visit, episode_id, act, done="acknowledged")


@router.post("/episodes/{episode_id}/decide")
def decide(
    visit: Posted, episode_id: int, disposition: Annotated[str, Form()], note: Annotated[str, Form()] = ""
) -> Response:
    """Decide what becomes of the patient; a false alarm needs its reason."""
    if disposition not in DISPOSITIONS:
        raise HTTPException(status_code=422, detail=f"no decision {disposition!r}")
    if disposition in NEEDS_NOTE and not note.strip():
        return _answer(visit, episode_id, trouble=visit.words.gettext("This needs a note: what was it?"))

    def act(connection: Connection) -> None:
        acts.decide(
            connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            disposition=disposition,
            note=note.strip()[:NOTE_CHARACTERS_MAX],
            channel=CHANNEL,
            now=visit.now,
            link=visit.address,
        )

    return answer_act(visit, episode_id, act, done=disposition)


@router.post("/episodes/{episode_id}/note")
def note(visit: Posted, episode_id: int, text: Annotated[str, Form()] = "") -> Response:
    """Write something down."""
    if not text.strip():
        return _answer(visit, episode_id, trouble=visit.words.gettext("The note is empty."))

    def act(connection: Connection) -> None:
        acts.add_note(
            connection,
            episode_id=episode_id,
            person_id=visit.person.person_id,
            text=text.strip()[:NOTE_CHARACTERS_MAX],
            now=visit.now,
        )

    return answer_act(visit, episode_id, act, done="note")


def sheet_of(visit: Visit, episode: board.Episode, patient: board.Patient | board.Subject) -> Sheet:
    """Ask alerting what is possible now."""
    possible = acts.possible_acts(
        visit.connection, episode_id=episode.episode_id, person_id=visit.person.person_id, now=visit.now
    )
    return Sheet(
        episode=episode,
        patient=patient,
        possible=possible,
        service_tier=visit.person.service_tier,
        vitals=_vitals(visit, patient),
        taken_by=board.people(visit.connection, [episode.acknowledged_by]).get(episode.acknowledged_by or 0),
        silence=held_back(visit.connection, [episode.episode_id], visit.now).get(episode.episode_id),
        silence_hours=_silence_hours(visit, episode),
    )


def _silence_hours(visit: Visit, episode: board.Episode) -> tuple[int, ...]:
    """Give for how long the visitor may silence an episode's rule; nothing of what is closed."""
    consequence = Consequence(
        rule=episode.rule,
        family=episode.family,
        priority=Priority(episode.priority),
        emergency=episode.emergency,
        tier3=episode.tier3,
        technical=episode.technical,
    )
    role = visit.person.role if episode.state != "closed" else ""
    return offered_hours(target_of(episode.subject), consequence, role)


def episode_of(visit: Visit, episode_id: int) -> board.Episode:
    """Give an episode in the visitor's scope; out of it none exists."""
    episode = board.episode_in_scope(visit.connection, visit.scope(), episode_id)
    if episode is None:
        raise HTTPException(status_code=404, detail=f"no episode {episode_id} here")
    return episode


def answer_act(visit: Visit, episode_id: int, act: Callable[[Connection], None], *, done: str) -> Response:
    """Do something about an episode and answer with what can be done now, or why it could not be."""
    episode_of(visit, episode_id)
    try:
        act(visit.connection)
    except ActError as error:
        return _answer(visit, episode_id, trouble=_why_not(visit, str(error)))
    return _answer(visit, episode_id, done=done)


def _why_not(visit: Visit, reason: str) -> str:
    general = visit.words.gettext("This is not possible now: the episode has moved on.")
    return f"{general} ({visit.words.gettext(reason)})"


def _answer(visit: Visit, episode_id: int, *, whole: bool = False, done: str = "", trouble: str = "") -> Response:
    episode = episode_of(visit, episode_id)
    patient = board.whose_is(visit.connection, episode)
    if "hx-request" not in visit.request.headers:
        return _on_the_page(patient, episode_id)
    sheet = sheet_of(visit, episode, patient)
    return visit.render(
        "sheet.html" if whole else "acts.html",
        409 if trouble else 200,
        sheet=sheet,
        done="handed_on" if done == "acknowledged" and not sheet.decisions else done,
        trouble=trouble,
    )


def _vitals(visit: Visit, patient: board.Patient | board.Subject) -> list[Newest]:
    if isinstance(patient, board.Subject):
        return []
    return board.newest_of(visit.connection, [patient.patient_id], visit.now)[patient.patient_id]


def _on_the_page(patient: board.Patient | board.Subject, episode_id: int) -> Response:
    if isinstance(patient, board.Subject):
        return RedirectResponse(f"/alarms/{episode_id}#episode-{episode_id}", status_code=303)
    return RedirectResponse(f"/patients/{patient.key}#episode-{episode_id}", status_code=303)

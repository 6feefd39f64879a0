"""The page of an alarm that is no patient's: what it is about, what was done, who was told, what one may do."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from dashboards import board
from dashboards.console.acts import episode_of
from dashboards.console.patient import told_of
from dashboards.web import SignedIn, Visit

router = APIRouter()


@router.get("/alarms/{episode_id}")
def page(visit: SignedIn, episode_id: int) -> Response:
    """Show the whole page; a patient's episode is on the patient's."""
    if episode_of(visit, episode_id).patient_id is not None:
        return RedirectResponse(f"/episodes/{episode_id}", status_code=303)
    return visit.render("subject.html", **_values(visit, episode_id))


@router.get("/alarms/{episode_id}/episodes")
def episodes(visit: SignedIn, episode_id: int) -> Response:
    """Give the episodes alone, for a live page."""
    if episode_of(visit, episode_id).patient_id is not None:
        return HTMLResponse(status_code=404)
    return visit.render("patient_episodes.html", **_values(visit, episode_id))


def _values(visit: Visit, episode_id: int) -> dict[str, Any]:
    episode = episode_of(visit, episode_id)
    about = board.subjects_of(visit.connection, [episode])[episode_id]
    found = board.history_of_subject(visit.connection, visit.scope(), about)
    return {"patient": about, "episode_id": episode_id, **told_of(visit, about, found)}

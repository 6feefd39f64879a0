"""The patient page: who, the newest values, the chart, the episodes and what was done about them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse

from dashboards import board, notices, storms
from dashboards.console.acts import Sheet, sheet_of
from dashboards.database import rows
from dashboards.limits import Limit, awaiting, held_by, limits_of, void
from dashboards.series import CHARTED, Bucket, Span, lines, span_for
from dashboards.units import unit_of
from dashboards.web import SignedIn, Visit

ASKED_FOR = timedelta(days=7)
"""How far back is shown what a household was asked."""

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The log's line about what a patient is held to."""

    said: str


@router.get("/patients/{key}")
def page(visit: SignedIn, key: str) -> HTMLResponse:
    """Show the whole page; a patient out of scope does not exist."""
    patient = _patient(visit, key)
    shown = _episodes(visit, patient)
    begun = [visit.now - episode.since for episode in shown["episodes"] if episode.state != "closed"]
    span = span_for(max(begun, default=timedelta(0)))
    said = _said_of(visit, patient)
    values = {**_vitals(visit, patient), **shown, "awaiting": awaiting(said), "void": void(said)}
    return visit.render("patient.html", **values, spans=list(Span), span=span)


@router.get("/patients/{key}/vitals")
def vitals(visit: SignedIn, key: str) -> HTMLResponse:
    """Give the newest values alone, for a live page."""
    return visit.render("patient_vitals.html", **_vitals(visit, _patient(visit, key)))


@router.get("/patients/{key}/episodes")
def episodes(visit: SignedIn, key: str) -> HTMLResponse:
    """Give the episodes, acts and notices alone, for a live page."""
    patient = _patient(visit, key)
    return visit.render("patient_episodes.html", patient=patient, **_episodes(visit, patient))


@router.get("/patients/{key}/series")
def series(visit: SignedIn, key: str, span: Span = Span.HOUR) -> dict[str, Any]:
    """Give the chart's data: signals, limits, episodes as bands; times are Unix seconds."""
    patient = _patient(visit, key)
    since = visit.now - span.length
    buckets = rows(
        visit.connection,
        Bucket,
        "series",
        patient_id=patient.patient_id,
        since=since,
        until=visit.now + timedelta(minutes=1),
        signals=list(CHARTED),
        step_s=span.step_s,
    )
    limits = held_by(limits_of(board.profile_body(visit.connection, None)), _said_of(visit, patient))
    return {
        "from": since.timestamp(),
        "to": visit.now.timestamp(),
        "zone": patient.time_zone,
        "signals": [
            {
                "signal": line.signal,
                "label": visit.words.pgettext("signal", line.signal),
                "unit": unit_of(line.signal),
                "spot": line.spot,
                "columns": [line.x, line.low, line.high, line.mean, line.doubtful],
                "limits": _drawn(visit, [limit for limit in limits if limit.drawn and limit.signal == line.signal]),
            }
            for line in lines(buckets, span.step_s)
        ],
        "bands": [
            {
                "from": episode.since.timestamp(),
                "to": (episode.closed_at or visit.now).timestamp(),
                "urgency": episode.urgency,
                "family": episode.family,
            }
            for episode in board.history(visit.connection, patient)
        ],
    }


def _drawn(visit: Visit, limits: list[Limit]) -> list[dict[str, Any]]:
    texts = {
        limit.value: f"{visit.words.pgettext('limit', limit.rule)} {limit.sign} {limit.value:g}" for limit in limits
    }
    return [{"value": value, "text": text} for value, text in sorted(texts.items())]


def _patient(visit: Visit, key: str) -> board.Patient:
    patient = board.patient_in_scope(visit.connection, visit.scope(), key)
    if patient is None:
        raise HTTPException(status_code=404, detail=f"no patient {key!r} here")
    return patient


def _said_of(visit: Visit, patient: board.Patient) -> str | None:
    found = rows(visit.connection, Held, "held_to", patient_id=patient.patient_id)
    return found[0].said if found else None


def _vitals(visit: Visit, patient: board.Patient) -> dict[str, Any]:
    newest = board.newest_of(visit.connection, [patient.patient_id], visit.now)
    return {"patient": patient, "vitals": newest[patient.patient_id]}


def _episodes(visit: Visit, patient: board.Patient) -> dict[str, Any]:
    asked = notices.asked_of(visit.connection, patient.patient_id, since=visit.now - ASKED_FOR)
    return told_of(visit, patient, board.history(visit.connection, patient)) | {"asked": asked}


def told_of(visit: Visit, patient: board.Patient | board.Subject, found: list[board.Episode]) -> dict[str, Any]:
    """Give what a page shows of these episodes: what was seen, done and told, and what one may do now."""
    events = board.events_of(visit.connection, found)
    sheets: list[Sheet] = [sheet_of(visit, episode, patient) for episode in found if episode.state != "closed"]
    return {
        "episodes": found,
        "sheets": {sheet.episode.episode_id: sheet for sheet in sheets},
        "events": events,
        "asked": [],
        "told": notices.told(notices.notices_of(visit.connection, found)),
        "people": board.people(visit.connection, [event.actor_id for event in events]),
        "reasons": {episode.episode_id: visit.reason(episode, patient) for episode in found},
        "members": storms.members_of(visit.connection, found),
    }

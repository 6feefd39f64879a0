"""The inbox: open episodes, most urgent first, live."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from dashboards import board, silences
from dashboards.web import SignedIn, Visit, event_stream

router = APIRouter()


@router.get("/")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the whole page."""
    return visit.render("inbox.html", **_values(visit))


@router.get("/inbox")
def fragment(visit: SignedIn) -> HTMLResponse:
    """Give the list alone, for a live page."""
    return visit.render("inbox_list.html", **_values(visit))


@router.get("/stream")
def stream(visit: SignedIn, request: Request) -> Response:
    """Tell a page of a signed-in person when to look again."""
    visit.connection.close()
    return event_stream(request)


def _values(visit: Visit) -> dict[str, Any]:
    cards = board.inbox(visit.connection, visit.scope(), visit.now)
    counts = dict.fromkeys(("emergency", "high", "medium", "low"), 0)
    for card in cards:
        counts[card.episode.urgency] += 1
    return {
        "cards": cards,
        "counts": counts,
        "reasons": {card.episode.episode_id: visit.reason(card.episode, card.patient) for card in cards},
        "waiting": sum(card.episode.acknowledged_by is None for card in cards),
        "most": board.EPISODES_MOST,
        "silenced": silences.held_back(visit.connection, [card.episode.episode_id for card in cards], visit.now),
        "silences_in_force": silences.in_force(visit.connection, visit.scope(), visit.now),
    }

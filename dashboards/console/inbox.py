"""The inbox: open episodes, most urgent first, live."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from dashboards import board
from dashboards.limits import Limit, limits_of
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


def limits_by_rule(visit: Visit, hashes: set[str]) -> dict[tuple[str, str], list[Limit]]:
    """Give the limits under which episodes were decided, by profile and rule."""
    found: dict[tuple[str, str], list[Limit]] = {}
    for profile_hash in hashes:
        for limit in limits_of(board.profile_body(visit.connection, profile_hash)):
            found.setdefault((profile_hash, limit.rule), []).append(limit)
    return found


def _values(visit: Visit) -> dict[str, Any]:
    cards = board.inbox(visit.connection, visit.scope(), visit.now)
    limits = limits_by_rule(visit, {card.episode.profile_hash for card in cards})
    counts = dict.fromkeys(("emergency", "high", "medium", "low"), 0)
    for card in cards:
        counts[card.episode.urgency] += 1
    return {
        "cards": cards,
        "counts": counts,
        "evidence": {
            card.episode.episode_id: visit.evidence(
                card.episode, card.patient, limits.get((card.episode.profile_hash, card.episode.rule), [])
            )
            for card in cards
        },
        "waiting": sum(card.episode.acknowledged_by is None for card in cards),
        "most": board.EPISODES_MOST,
    }

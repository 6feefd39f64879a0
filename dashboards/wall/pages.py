"""The wall display of a health centre: big tiles, worst first, initials and bed only."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from dashboards import board
from dashboards.database import records
from dashboards.scope import Onlooker, scope_of
from dashboards.wall.link import is_wall_token
from dashboards.web import Anyone, Visit, event_stream

TILES_MOST = 30
SITES_MOST = 4
"""Alarms that are no patient's shown in the strip above the tiles; of the others the number."""

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """The organisation a display stands for."""

    organisation_id: int
    key: str
    name: str
    name_en: str
    time_zone: str


def centre_of(visit: Anyone, organisation_key: str, token: str = "") -> Centre:
    """Take a display with a valid link only."""
    found = records(visit.connection, "organisation_by_key", key=organisation_key)
    if not is_wall_token(visit.site.secret, organisation_key, token) or not found:
        raise HTTPException(
            status_code=403, detail="this link is not valid: make one with `hearthwatch console wall-link`"
        )
    return Centre(**found[0])


At = Annotated[Centre, Depends(centre_of)]


@router.get("/wall/{organisation_key}")
def page(visit: Anyone, centre: At, token: str) -> HTMLResponse:
    """Show the display."""
    return visit.render("wall.html", centre=centre, token=token, **_values(visit, centre))


@router.get("/wall/{organisation_key}/tiles")
def tiles(visit: Anyone, centre: At) -> HTMLResponse:
    """Give the tiles alone, for a live display."""
    return visit.render("wall_tiles.html", centre=centre, **_values(visit, centre))


@router.get("/wall/{organisation_key}/stream")
def stream(request: Request, visit: Anyone, centre: At) -> Response:  # noqa: ARG001 (checks the link)
    """Tell a display when to look again."""
    visit.connection.close()
    return event_stream(request)


def _values(visit: Visit, centre: Centre) -> dict[str, Any]:
    scope = scope_of(visit.connection, Onlooker(organisation_id=centre.organisation_id))
    found = board.tiles(visit.connection, scope, visit.now)
    shown = found[:TILES_MOST]
    return {
        "tiles": shown,
        "left_out": len(found) - len(shown),
        "left_out_alarms": sum(bool(tile.episodes) for tile in found[TILES_MOST:]),
        "exhausted": any(e.state == "exhausted" and e.endangers for tile in found for e in tile.episodes),
        "sites": board.site_alarms(visit.connection, scope),
        "sites_most": SITES_MOST,
        "columns": columns_for(len(shown)),
    }


def columns_for(tiles_count: int) -> int:
    """Choose how many tiles stand side by side: as big as the number allows."""
    return next((columns for columns, most in ((2, 4), (3, 9), (4, 16), (5, 25)) if tiles_count <= most), 6)

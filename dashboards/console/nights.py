"""The nights on the patient page: read when the page is there, as a night is tens of thousands of samples."""

from datetime import timedelta

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse

from alerting.derived.local_nights import last_nights
from alerting.derived.night import VALID_HOURS_MIN
from alerting.derived.nights import PICTURE_STEPS, read_night
from dashboards import board
from dashboards.night_picture import HEIGHT, LINE, height_of, path_of
from dashboards.web import SignedIn

NIGHTS = 5
"""How many nights are looked at: a working week's."""

router = APIRouter()


@router.get("/patients/{key}/nights")
def nights(visit: SignedIn, key: str) -> HTMLResponse:
    """Show the last nights that have any recording, the newest first."""
    patient = board.patient_in_scope(visit.connection, visit.scope(), key)
    if patient is None:
        raise HTTPException(status_code=404, detail=f"no patient {key!r} here")
    looked_at = last_nights(visit.now, patient.time_zone, NIGHTS)
    read = [read_night(visit.connection, patient.patient_id, night) for night in looked_at]
    return visit.render(
        "patient_nights.html",
        patient=patient,
        nights=[night for night in read if night.device],
        path_of=path_of,
        lasting=lambda ms: visit.words.span(timedelta(milliseconds=ms)) if ms else "0",
        width=PICTURE_STEPS,
        height=HEIGHT,
        line=height_of(LINE),
        step_minutes=12 * 60 / PICTURE_STEPS,
        hours_min=VALID_HOURS_MIN,
    )

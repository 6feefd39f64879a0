"""Who wore a device, in the console; and correcting it: what it closes is shown first, and done when confirmed."""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting.acting import ActError
from alerting.wrong_patient import Closing, correct_binding, to_close
from care.correction import REASON_CHARACTERS_MAX, Correction, CorrectionRefused
from care.keeping import Unknown
from dashboards import bindings, registry
from dashboards.console.registry import local_instant
from dashboards.web import Posted, SignedIn, Visit

CHANNEL = "console"
NOBODY = "-"
"""In the form: no patient of ours."""

router = APIRouter()
Field = Annotated[str, Form()]


@router.get("/bindings/{device}")
def page(visit: SignedIn, device: str) -> HTMLResponse:
    """Show who wore a device; one out of scope does not exist."""
    return _page(visit, device)


@router.post("/bindings/{device}/look")
def look(
    visit: Posted, device: str, of: Field = "", to: Field = "", since: Field = "", until: Field = "", reason: Field = ""
) -> HTMLResponse:
    """Show what a correction would close, to be confirmed."""
    said = {"of": of, "to": to, "since": since, "until": until, "reason": reason[:REASON_CHARACTERS_MAX]}
    try:
        closing = what_closes(visit, _correction(visit, device, **said))
    except (CorrectionRefused, Unknown, ValueError) as refused:
        return _page(visit, device, said=said, trouble=str(refused))
    return _page(visit, device, said=said, closing=closing)


@router.post("/bindings/{device}/correct")
def correct(
    visit: Posted,
    device: str,
    of: Field = "",
    to: Field = "",
    since: Field = "",
    until: Field = "",
    reason: Field = "",
    closes: Annotated[list[int] | None, Form()] = None,
) -> Response:
    """Correct it, and close what was confirmed."""
    said = {"of": of, "to": to, "since": since, "until": until, "reason": reason[:REASON_CHARACTERS_MAX]}
    try:
        do_correct(visit, _correction(visit, device, **said), closes or (), channel=CHANNEL)
    except (CorrectionRefused, ActError, Unknown, ValueError) as refused:
        return _page(visit, device, said=said, trouble=str(refused))
    return RedirectResponse(f"/bindings/{device}", status_code=303)


def device_in_scope(visit: Visit, device: str) -> bindings.Device:
    """Give a device in scope. Raises HTTPException."""
    found = bindings.device_of(visit.connection, visit.scope(), device)
    if found is None:
        raise HTTPException(status_code=404, detail=f"no device {device!r} here")
    return found


def what_closes(visit: Visit, said: Correction) -> list[Closing]:
    """Say what a correction in scope would close. Raises CorrectionRefused, Unknown, HTTPException."""
    _check_scope(visit, said)
    return to_close(visit.connection, said, person_id=visit.person.person_id, now=visit.now)


def do_correct(visit: Visit, said: Correction, closes: Collection[int], *, channel: str) -> int:
    """Correct who wore a device in scope. Raises CorrectionRefused, ActError, Unknown, HTTPException."""
    _check_scope(visit, said)
    return correct_binding(
        visit.connection,
        said,
        closes=closes,
        person_id=visit.person.person_id,
        channel=channel,
        now=visit.now,
        link=visit.address,
    )


def _check_scope(visit: Visit, said: Correction) -> None:
    if not visit.person.onlooker.may_correct:
        raise HTTPException(status_code=403, detail=f"a {visit.person.role} corrects no bindings")
    device_in_scope(visit, said.device)
    for key in (said.of, said.to):
        if key is not None and registry.card_of(visit.connection, visit.scope(), visit.now, key) is None:
            raise Unknown(f"no patient {key!r} here")


def _correction(visit: Visit, device: str, *, of: str, to: str, since: str, until: str, reason: str) -> Correction:
    """Read the form; its times are those of the patients' place. Raises ValueError."""
    zone = _zone(device_in_scope(visit, device))
    if not of.strip() or not to.strip() or not since.strip():
        raise ValueError("say who was bound to it, who wore it, and since when")
    began = local_instant(since, zone)
    assert began is not None, "it is not empty"
    return Correction(
        device=device,
        of=None if of == NOBODY else of.strip(),
        to=None if to.strip() == NOBODY else to.strip(),
        since=began,
        until=local_instant(until, zone),
        reason=reason,
    )


def _zone(device: bindings.Device) -> str:
    return next((each.time_zone for each in device.wearers if each.time_zone), "UTC")


def _page(
    visit: Visit,
    device: str,
    *,
    said: dict[str, str] | None = None,
    closing: list[Closing] | None = None,
    trouble: str = "",
) -> HTMLResponse:
    found = device_in_scope(visit, device)
    values: dict[str, Any] = {
        "device": found,
        "corrections": found.corrections,
        "zone": _zone(found),
        "known": list({each.key: each for each in found.wearers if each.key}.values()),
        "said": said or {},
        "closing": closing,
        "nobody": NOBODY,
        "may_correct": visit.person.onlooker.may_correct,
        "trouble": trouble,
    }
    return visit.render("binding.html", 409 if trouble else 200, **values)

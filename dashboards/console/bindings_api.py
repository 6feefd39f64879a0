"""Who wore a device, and correcting it, in the API, version 1: the same acts and rights as in the console."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerting.acting import ActError
from alerting.wrong_patient import Closing
from care.correction import REASON_CHARACTERS_MAX, Correction, CorrectionRefused
from care.keeping import Unknown
from dashboards import bindings
from dashboards.console.api import CHANNEL, refusals
from dashboards.console.bindings import device_in_scope, do_correct, what_closes
from dashboards.web import Called, SignedIn

router = APIRouter(prefix="/api/v1/bindings", tags=["registry"])
CLOSES_MAX = 100
T = TypeVar("T")


class CorrectionIn(BaseModel):
    """A device was on `to` and not on `of`, patients by their keys; null: on nobody of ours. `until` null: still is."""

    model_config = ConfigDict(extra="forbid")

    of: str | None
    to: str | None
    since: AwareDatetime
    until: AwareDatetime | None = None
    reason: str = Field(max_length=REASON_CHARACTERS_MAX)

    def correction(self, device: str) -> Correction:
        """Give it as the registry takes it."""
        return Correction(device=device, of=self.of, to=self.to, since=self.since, until=self.until, reason=self.reason)


class ConfirmedIn(CorrectionIn):
    """The same, and which of the alarms that came of it are closed as the wrong patient's."""

    closes: list[int] = Field(default=[], max_length=CLOSES_MAX)


@router.get("/{device}", responses=refusals(401, 404))
def one(visit: SignedIn, device: str) -> bindings.Device:
    """Give who wore a device over time, and what was corrected."""
    return device_in_scope(visit, device)


@router.post("/{device}/corrections/look", responses=refusals(401, 403, 404, 409))
def look(visit: Called, device: str, said: CorrectionIn) -> list[Closing]:
    """Say which open alarms came of the device in that time; nothing is written."""
    return _do(lambda: what_closes(visit, said.correction(device)))


@router.post("/{device}/corrections", responses=refusals(401, 403, 404, 409))
def correct(visit: Called, device: str, said: ConfirmedIn) -> bindings.Device:
    """Correct who wore a device, and close the alarms that are named; the others stay open."""
    _do(lambda: do_correct(visit, said.correction(device), said.closes, channel=CHANNEL))
    return device_in_scope(visit, device)


def _do(act: Callable[[], T]) -> T:
    try:
        return act()
    except (CorrectionRefused, ActError, Unknown) as exc:
        raise HTTPException(status_code=409, detail=str(exc)) from exc

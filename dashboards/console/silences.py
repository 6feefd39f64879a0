"""Silences on the screen: what pages nobody, until when and why; setting one, also from an episode; lifting one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerting import silencing
from alerting.acting import ActError
from alerting.silences import REASON_CHARACTERS_MAX, Obstacle, SilenceRefused, Target, Wish, may, target_of
from care.duty_changes import DutyRefused, instant_of
from dashboards import board, silences
from dashboards.console.acts import answer_act, episode_of
from dashboards.database import Connection, records
from dashboards.web import Posted, SignedIn, Visit

NO_NUL = r"^[^\x00]*$"
Text = Annotated[str, Form(max_length=REASON_CHARACTERS_MAX, pattern=NO_NUL)]

router = APIRouter()


@router.get("/silences")
def page(visit: SignedIn) -> HTMLResponse:
    """Show the whole page."""
    return visit.render("silences.html", **_values(visit))


@router.get("/silences/list")
def fragment(visit: SignedIn) -> HTMLResponse:
    """Give the list and the form alone, for a live page."""
    return visit.render("silences_list.html", **_values(visit))


@router.post("/silences")
def say_silent(
    visit: Posted,
    target: Annotated[Target, Form()],
    name: Text,
    until: Text,
    reason: Text,
    rule: Text = "",
    since: Text = "",
) -> Response:
    """Silence a rule of a patient, a gateway, a device or an organisation; times are local there."""

    def act() -> None:
        zone = _whose(visit, target, name)["time_zone"]
        wish = Wish(
            target=target,
            name=name,
            rule=rule,
            since=_local(since, zone) if since.strip() else None,
            until=_local(until, zone, ends=True),
            reason=reason,
        )
        set_by_visitor(visit, wish)

    return _answer(visit, act)


@router.post("/silences/{silence_id}/lift")
def lift(visit: Posted, silence_id: int) -> Response:
    """Lift a silence: what is unanswered rings at once."""
    return _answer(visit, lambda: lift_by_visitor(visit, silence_id))


@router.post("/episodes/{episode_id}/silence")
def silence_episode(visit: Posted, episode_id: int, hours: Annotated[int, Form(ge=1)], reason: Text = "") -> Response:
    """Silence an episode's rule, of whom or what it is, for some hours from now."""

    def act(_: Connection) -> None:
        wish = wish_about(visit, episode_of(visit, episode_id), hours=hours, reason=reason)
        try:
            set_by_visitor(visit, wish)
        except SilenceRefused as refused:
            raise ActError(f"{visit.words.pgettext('silence_refused', refused.obstacle)} ({refused})") from refused

    return answer_act(visit, episode_id, act, done="silenced")


def wish_about(visit: Visit, episode: board.Episode, *, hours: int, reason: str) -> Wish:
    """Say what would be silent: the episode's rule, of its patient, gateway, device or organisation."""
    whose = board.whose_is(visit.connection, episode)
    target = target_of(episode.subject)
    if isinstance(whose, board.Patient):
        name = whose.key
    elif target is Target.ORGANISATION:
        name = records(visit.connection, "organisation", organisation_id=whose.organisation_id)[0]["key"]
    else:
        name = whose.subject.partition(":")[2]
    until = visit.now + timedelta(hours=hours)
    return Wish(target=target, name=name, rule=episode.rule, until=until, reason=reason)


def set_by_visitor(visit: Visit, wish: Wish) -> int:
    """Set a silence of what is in the visitor's sight. Raises SilenceRefused, HTTPException."""
    _whose(visit, wish.target, wish.name)
    who = visit.person.person_id
    return silencing.set_silence(visit.connection, wish, person_id=who, now=visit.now, link=visit.address)


def lift_by_visitor(visit: Visit, silence_id: int) -> None:
    """Lift a silence in the visitor's sight. Raises SilenceRefused, HTTPException."""
    if silences.one(visit.connection, visit.scope(), silence_id, visit.now) is None:
        raise HTTPException(status_code=404, detail=f"no silence {silence_id} here")
    who = visit.person.person_id
    silencing.lift_silence(visit.connection, silence_id, person_id=who, now=visit.now, link=visit.address)


def _whose(visit: Visit, target: Target, name: str) -> dict[str, Any]:
    organisation_id = silencing.organisation_of(visit.connection, target, name, now=visit.now)
    if organisation_id is None or organisation_id not in visit.scope():
        raise SilenceRefused(Obstacle.NO_TARGET, f"there is no {target} {name[:64]!r} here")
    return records(visit.connection, "organisation", organisation_id=organisation_id)[0]


def _local(said: str, zone: str, *, ends: bool = False) -> datetime:
    try:
        return instant_of(datetime.fromisoformat(said), zone, ends=ends)
    except (ValueError, DutyRefused) as exc:
        raise SilenceRefused(Obstacle.BACKWARDS, f"{said[:64]!r} is no time: 2026-11-22T20:00") from exc


def _answer(visit: Visit, act: Callable[[], None]) -> Response:
    trouble = ""
    try:
        act()
    except SilenceRefused as refused:
        trouble = f"{visit.words.pgettext('silence_refused', refused.obstacle)} ({refused})"
    if "hx-request" not in visit.request.headers and not trouble:
        return RedirectResponse("/silences", status_code=303)
    template = "silences_list.html" if "hx-request" in visit.request.headers else "silences.html"
    return visit.render(template, 409 if trouble else 200, **_values(visit) | {"trouble": trouble})


def _values(visit: Visit) -> dict[str, Any]:
    shown = silences.listed(visit.connection, visit.scope(), visit.now)
    role = visit.person.role
    return {
        "silences": shown,
        "targets": [each for each in Target if may(role, each, technical=True)],
        "rules": silencing.silenceable(visit.connection, now=visit.now, role=role),
        "may_lift": [each.silence_id for each in shown if may(role, Target(each.target), technical=each.technical)],
        "reason_most": REASON_CHARACTERS_MAX,
        "trouble": "",
    }

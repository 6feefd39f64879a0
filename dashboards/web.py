"""What every page has in common: the site, the visit behind a request, and rendering."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Form, Header, HTTPException, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from dashboards.board import Episode, Patient, Person, Subject
from dashboards.database import Connection, connect
from dashboards.evidence import Reason, reason_of
from dashboards.notices import Asked, Notice
from dashboards.rehearsals import Rehearsals
from dashboards.scope import ReferralScope, Scope, TaskScope, referral_scope_of, scope_of
from dashboards.sessions import COOKIE, Viewer, viewer_of
from dashboards.settings import Settings
from dashboards.stream import Broadcast
from dashboards.units import unit_of
from dashboards.words import Language, Words, age_years, load, negotiate
from vitals.clock import ClinicalClock

LANGUAGE_COOKIE = "hearthwatch_language"
_EVENT_STREAM = {"X-Accel-Buffering": "no"}


class NotSignedIn(Exception):
    """The request carries no live session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that lives as long as the server, built once by `create_app`."""

    settings: Settings
    secret: bytes
    clock: ClinicalClock
    languages: dict[Language, Words]
    templates: Environment
    broadcast: Broadcast
    rehearsals: Rehearsals
    build: str

    def now(self) -> datetime:
        """Give clinical time."""
        return self.clock.at(datetime.now(UTC))


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request: the site, the reader's words, clinical time; `viewer` is None before signing in."""

    site: Site
    request: Request
    connection: Connection
    words: Words
    now: datetime
    viewer: Viewer | None = None

    @property
    def person(self) -> Viewer:
        """Give who is signed in. Raises NotSignedIn."""
        if self.viewer is None:
            raise NotSignedIn
        return self.viewer

    @property
    def address(self) -> str:
        """Give the console's address for notices: as it is set, or else as the visitor knows it."""
        return (self.site.settings.alerting_console_url or str(self.request.base_url)).rstrip("/")

    def scope(self) -> Scope:
        """Give whose patients the signed-in person may see."""
        return scope_of(self.connection, self.person.onlooker)

    def referral_scope(self) -> ReferralScope:
        """Give whose referrals the signed-in person may see."""
        return referral_scope_of(self.connection, self.person.onlooker)

    def task_scope(self) -> TaskScope:
        """Give whose tasks the signed-in person may see."""
        who = self.person
        return TaskScope(patients=self.scope(), person_id=who.person_id, organisation_id=who.organisation_id)

    def render(
        self, template: str, status: int = 200, *, headers: dict[str, str] | None = None, **values: Any
    ) -> HTMLResponse:
        """Render a template in the reader's language."""
        page = self.site.templates.get_template(template).render(
            _=self.words.gettext,
            pgettext=self.words.pgettext,
            visit=self,
            words=self.words,
            language=self.words.language,
            now=self.now,
            **values,
        )
        return HTMLResponse(page, status_code=status, headers=headers)

    def name_of(self, person: Person | Viewer) -> str:
        """Write a person's name in the reader's script."""
        return person.name if self.words.language is Language.ZH else person.name_en

    def asked(self, asked: Asked) -> str:
        """Write what a household was asked in the reader's language."""
        return asked.text(chinese=self.words.language is Language.ZH)

    def recipient_of(self, notice: Notice) -> str:
        """Write whom a notice went to in the reader's script."""
        return notice.recipient if self.words.language is Language.ZH else notice.recipient_en

    def doctor_of(self, patient: Patient) -> str:
        """Write the name of a patient's family doctor."""
        zh = self.words.language is Language.ZH
        return patient.family_doctor_name if zh else patient.family_doctor_name_en

    def word(self, whose: Patient | Subject, context: str, code: str) -> str:
        """Say a code of an episode in words; what is no patient's has words of its own."""
        return self.words.pgettext(context if whose.is_person else f"{context}_site", code)

    def subject_name(self, about: Subject) -> str:
        """Write what an alarm is about in the reader's script."""
        return about.name if self.words.language is Language.ZH else about.name_en

    def bed_of(self, whose: Patient | Subject) -> str:
        """Write what stands beside a name: a bed, a gateway's or a device's key; of a roster, which duty it is."""
        on_roster = isinstance(whose, Subject) and whose.subject.startswith("roster:")
        if isinstance(whose, Subject) and whose.subject.startswith("storm:"):
            return self.words.pgettext("storm", whose.bed)
        return self.words.pgettext("duty_role", whose.bed) if on_roster and whose.bed else whose.bed

    def place_of(self, patient: Patient | Subject) -> str:
        """Write the name of the organisation of a patient, or of what else an alarm is about."""
        return patient.organisation_name if self.words.language is Language.ZH else patient.organisation_name_en

    def reason(self, episode: Episode, patient: Patient | Subject) -> Reason:
        """Say why an episode was raised, in the reader's words and the local time there."""
        return reason_of(episode, self.words, lambda at: self.words.local(at, self.now, patient.time_zone))

    def minutes(self, seconds: float | None) -> str:
        """Write a length of time as m:ss, a dash where there is none."""
        return "–" if seconds is None else self.words.countdown(self.now + timedelta(seconds=seconds), self.now)

    def age_of(self, patient: Patient) -> int:
        """Give a patient's age in years."""
        return age_years(patient.born_on, self.now, patient.time_zone)


def open_site(settings: Settings, secret: bytes) -> Site:
    """Build what lives as long as the server."""
    build = build_of(Path(str(files("dashboards") / "static")))
    clock = settings.clock()
    return Site(
        settings=settings,
        secret=secret,
        clock=clock,
        languages=load(),
        templates=_templates(build),
        broadcast=Broadcast(settings.database_dsn, clock, build),
        rehearsals=Rehearsals(settings),
        build=build,
    )


def build_of(static: Path) -> str:
    """Name this version of the static files, so that a wall that runs for months takes a new one by itself."""
    digest = hashlib.sha256()
    for file in sorted(static.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def site_of(request: Request) -> Site:
    """Give the site a request came to."""
    site: Site = request.app.state.site
    return site


def opened(request: Request) -> Iterator[Connection]:
    """Open a database connection for one request."""
    with connect(site_of(request).settings.database_dsn) as connection:
        yield connection


def anyone(request: Request, connection: Annotated[Connection, Depends(opened)]) -> Visit:
    """Take a request from anyone, signed in or not."""
    site = site_of(request)
    language = negotiate(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""))
    token = request.cookies.get(COOKIE)
    return Visit(
        site=site,
        request=request,
        connection=connection,
        words=site.languages[language],
        now=site.now(),
        viewer=viewer_of(connection, token, datetime.now(UTC)) if token else None,
    )


def signed_in(visit: Annotated[Visit, Depends(anyone)]) -> Visit:
    """Take a request of a signed-in person only."""
    if visit.viewer is None:
        raise NotSignedIn
    return visit


def posted(
    visit: Annotated[Visit, Depends(signed_in)],
    csrf: Annotated[str, Form()] = "",
    x_csrf_token: Annotated[str, Header()] = "",
) -> Visit:
    """Take a form of a signed-in person that carries the session's CSRF token."""
    return _checked(visit, x_csrf_token or csrf)


def called(visit: Annotated[Visit, Depends(signed_in)], x_csrf_token: Annotated[str, Header()] = "") -> Visit:
    """Take an API call of a signed-in person that carries the session's CSRF token in its header."""
    return _checked(visit, x_csrf_token)


def event_stream(request: Request) -> Response:
    """Answer with server-sent events, or say that there are too many."""
    broadcast = site_of(request).broadcast
    if broadcast.full:
        return Response(status_code=503)
    return StreamingResponse(broadcast.stream(), media_type="text/event-stream", headers=_EVENT_STREAM)


def _checked(visit: Visit, csrf: str) -> Visit:
    if not visit.person.holds(csrf):
        raise HTTPException(status_code=403, detail="CSRF token missing or wrong")
    return visit


def _templates(build: str) -> Environment:
    places = ("dashboards", "dashboards.console", "dashboards.wall")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(place) for place in places]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ms"] = lambda at: round(at.timestamp() * 1000)
    environment.filters["unit"] = unit_of
    environment.globals["static"] = lambda path: f"/static/{path}?v={build}"
    return environment


Anyone = Annotated[Visit, Depends(anyone)]
SignedIn = Annotated[Visit, Depends(signed_in)]
Posted = Annotated[Visit, Depends(posted)]
Called = Annotated[Visit, Depends(called)]

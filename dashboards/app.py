"""Builds the web application: the console, the wall, their API, and whether they are well."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.resources import files
from urllib.parse import quote

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from dashboards.console import (
    accounts,
    acts,
    api,
    bindings,
    bindings_api,
    duty,
    duty_api,
    fleet,
    fleet_api,
    follow_up,
    follow_up_api,
    inbox,
    kits,
    links,
    nights,
    page_tests,
    page_tests_api,
    patient,
    referrals,
    referrals_api,
    registry,
    registry_api,
    rehearsal,
    sign_in,
    silences,
    silences_api,
    subject,
)
from dashboards.database import connect
from dashboards.headers import SecurityHeaders
from dashboards.settings import Settings
from dashboards.wall import pages as wall
from dashboards.web import NotSignedIn, Site, open_site, site_of

log = structlog.get_logger()


def create_app(settings: Settings) -> FastAPI:
    """Build the application; its lifespan listens to the database."""
    site = open_site(settings, _secret(settings))
    app = FastAPI(
        title="hearthwatch console",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=_lifespan(site),
    )
    app.state.site = site
    app.add_middleware(SecurityHeaders)
    app.add_exception_handler(NotSignedIn, _to_sign_in)
    app.add_exception_handler(psycopg.OperationalError, _no_database)
    app.mount("/static", StaticFiles(directory=str(files("dashboards") / "static")), name="static")
    for router in (
        sign_in.router,
        links.router,
        inbox.router,
        nights.router,
        patient.router,
        subject.router,
        acts.router,
        fleet.router,
        accounts.router,
        referrals.router,
        registry.router,
        kits.router,
        bindings.router,
        follow_up.router,
        duty.router,
        rehearsal.router,
        page_tests.router,
        silences.router,
        wall.router,
    ):
        app.include_router(router, include_in_schema=False)
    app.include_router(api.router)
    app.include_router(fleet_api.router)
    app.include_router(referrals_api.router)
    app.include_router(page_tests_api.router)
    app.include_router(registry_api.router)
    app.include_router(follow_up_api.router)
    app.include_router(duty_api.router)
    app.include_router(silences_api.router)
    app.include_router(bindings_api.router)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/ready", ready, include_in_schema=False)
    return app


def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "alive"}


def ready(request: Request) -> JSONResponse:
    """Say whether the database can be read and is heard."""
    site = site_of(request)
    try:
        with connect(site.settings.database_dsn) as connection:
            connection.execute("SELECT FROM console_session LIMIT 0")
    except psycopg.Error as error:
        log.warning("console.not_ready", error=str(error))
        return JSONResponse({"status": "no database"}, status_code=503)
    if not site.broadcast.listening:
        return JSONResponse({"status": "not listening"}, status_code=503)
    return JSONResponse({"status": "ready"})


def _lifespan(site: Site) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        listening = asyncio.create_task(site.broadcast.listen())
        yield
        site.broadcast.close()
        site.rehearsals.close()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

    return lifespan


def _secret(settings: Settings) -> bytes:
    given = settings.console_secret.get_secret_value()
    if given:
        return given.encode()
    log.warning("console.secret_drawn", why="HEARTHWATCH_CONSOLE_SECRET is not set: wall links end with this process")
    return secrets.token_bytes(32)


async def _to_sign_in(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": "not signed in"}, status_code=401)
    if "hx-request" in request.headers or request.url.path == "/stream":
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", status_code=303)


async def _no_database(request: Request, error: Exception) -> Response:
    log.error("console.no_database", path=request.url.path, error=str(error))
    return JSONResponse({"detail": "the database does not answer"}, status_code=503)

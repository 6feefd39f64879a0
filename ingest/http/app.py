"""The HTTP intake as an application: builds the parts, answers, and says how it is."""

import asyncio
import math
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from ingest.http import document
from ingest.http.answers import Answer, status_of
from ingest.http.desk import DATABASE_RETRY_S, TOLD, Desk
from ingest.http.metrics import HttpMetrics
from ingest.http.pace import Pace
from ingest.http.problems import MEDIA_TYPE, NotTaken, Problem, ProblemDocument, RequestRefused
from ingest.http.reception import Bounds, Reception
from ingest.settings import IngestSettings
from ingest.store.readiness import Readiness
from vitals.clock import ClinicalClock
from vitals.topics import GATEWAY_ID

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

log = structlog.get_logger(__name__)
_token = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token of an organisation, made with `hearthwatch ingest token add`. It speaks for the gateways that "
    "are registered in that organisation and in all below it.",
)


class Standing(BaseModel):
    """How the service is."""

    status: str


def create_app(settings: IngestSettings, metrics: HttpMetrics) -> FastAPI:
    """Build the application; its lifespan ends its threads and connections."""
    stopping = threading.Event()
    reception = _reception(settings, metrics, stopping)
    readiness = Readiness(settings.database_dsn)
    app = FastAPI(
        title=document.TITLE,
        version=document.API_VERSION,
        description=document.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(reception, readiness, stopping),
    )
    _add_problems(app, metrics)
    _add_readings(app, reception, metrics)
    _add_health(app, readiness, metrics)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _add_readings(app: FastAPI, reception: Reception, metrics: HttpMetrics) -> None:
    @app.post(
        "/v1/readings",
        operation_id="sendReadings",
        summary=document.SUMMARY,
        description=document.TAKE_DESCRIPTION,
        response_description="Every row is new and safe. Forget them.",
        response_model=Answer,
        responses=document.TAKE_RESPONSES,
        openapi_extra=document.TAKE_EXTRA,
        dependencies=[Depends(_token)],
    )
    async def take(request: Request) -> Response:
        answer = await reception.take(request)
        status = status_of(answer)
        metrics.answered(status, "")
        log.info(
            "readings taken",
            gateway=answer.gateway,
            status=int(status),
            stored=answer.stored,
            duplicates=answer.duplicates,
            rejected=answer.rejected,
        )
        return _json(answer, status)


def _add_health(app: FastAPI, readiness: Readiness, metrics: HttpMetrics) -> None:
    @app.get("/healthz", operation_id="isAlive", summary="Whether the process lives")
    async def healthz() -> Standing:
        """Say that the process answers; it says nothing of the database."""
        return Standing(status="alive")

    @app.get(
        "/ready",
        operation_id="isReady",
        summary="Whether readings can be stored now",
        response_model=Standing,
        responses={503: {"description": "No: `trouble` says why by name.", "content": document.PROBLEM_CONTENT}},
    )
    async def ready() -> Response:
        """Say whether the database is there, may be written and has the tables."""
        trouble = await asyncio.to_thread(readiness.trouble)
        metrics.stand(None if trouble is None else trouble.value)
        if trouble is not None:
            raise RequestRefused(Problem.DATABASE, TOLD[trouble], trouble=trouble.value, retry_after_s=DATABASE_RETRY_S)
        return _json(Standing(status="ready"), HTTPStatus.OK)


def _reception(settings: IngestSettings, metrics: HttpMetrics, stopping: threading.Event) -> Reception:
    clock = ClinicalClock.parse(settings.clock_origin, settings.clock_speed)
    desks = [
        Desk(
            settings.database_dsn,
            metrics,
            statement_s_max=math.ceil(settings.ingest_http_patience_s),
            retention_days=settings.ingest_retention_days,
            stopping=stopping,
        )
        for _ in range(settings.ingest_http_writers)
    ]
    pace = Pace(per_s=settings.ingest_http_requests_per_s, burst=settings.ingest_http_requests_burst)
    bounds = Bounds(
        requests_max=settings.ingest_http_requests_max,
        body_s=settings.ingest_http_body_s,
        patience_s=settings.ingest_http_patience_s,
    )
    return Reception(desks, pace, bounds, now=lambda: clock.at(datetime.now(UTC)))


def _lifespan(
    reception: Reception, readiness: Readiness, stopping: threading.Event
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        stopping.set()
        reception.close()
        readiness.close()

    return lifespan


def _add_problems(app: FastAPI, metrics: HttpMetrics) -> None:
    """Let everything that is not taken be told as problem details, and counted where readings were to be taken."""

    def told(request: Request, problem: ProblemDocument, headers: Mapping[str, str]) -> Response:
        if request.url.path == "/v1/readings":
            metrics.answered(problem.status, problem.name)
            log.warning(
                "readings not taken", status=problem.status, problem=problem.name, field=problem.field,
                trouble=problem.trouble, gateway=_gateway(request),
            )  # fmt: skip
        return _json(problem, HTTPStatus(problem.status), media_type=MEDIA_TYPE, headers=headers)

    async def not_taken(request: Request, error: Exception) -> Response:
        assert isinstance(error, NotTaken)
        return told(request, error.document, error.headers)

    async def no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        problem = Problem.METHOD_NOT_ALLOWED if error.status_code == 405 else Problem.NOT_FOUND
        refused = RequestRefused(problem, f"{request.method} {request.url.path[:200]!a}", headers=error.headers or {})
        return told(request, refused.document, refused.headers)

    async def fault(request: Request, _: Exception) -> Response:
        refused = RequestRefused(Problem.INTERNAL, "the fault is in the log")
        return told(request, refused.document, refused.headers)

    app.add_exception_handler(NotTaken, not_taken)
    app.add_exception_handler(HTTPException, no_route)
    app.add_exception_handler(Exception, fault)


def _gateway(request: Request) -> str:
    """Give the gateway for the log, if it is of a gateway's form: else it might be anything, a name too."""
    given = request.query_params.get("gateway", "")
    return given if GATEWAY_ID.fullmatch(given) else ""


def _json(
    body: BaseModel,
    status: HTTPStatus,
    *,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    return Response(
        body.model_dump_json(), status_code=status, media_type=media_type, headers={**HEADERS, **(headers or {})}
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        app.openapi_schema = document.completed(schema)
    return app.openapi_schema

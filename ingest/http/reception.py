"""The way of a request: what it says of itself, who sends, whether there is room, its body, and a desk for it."""

import asyncio
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from ingest.http.answers import Answer
from ingest.http.desk import Body, Desk
from ingest.http.pace import Pace
from ingest.http.problems import Problem, RequestRefused
from ingest.http.token_form import bearer
from vitals.topics import GATEWAY_ID
from vitals.wire_json import PAYLOAD_BYTES_MAX

BUSY_RETRY_S = 5

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one process takes upon itself: so many requests at once, so long for a body, so long for the database."""

    requests_max: int
    body_s: float
    patience_s: float


class Reception:
    """Takes requests, at most `requests_max` at once, to as many desks as were given; `now` is clinical time."""

    def __init__(self, desks: list[Desk], pace: Pace, bounds: Bounds, *, now: Callable[[], datetime]) -> None:
        self._desks: queue.SimpleQueue[Desk] = queue.SimpleQueue()
        for desk in desks:
            self._desks.put(desk)
        self._threads = ThreadPoolExecutor(len(desks), thread_name_prefix="desk")
        self._pace = pace
        self._bounds = bounds
        self._now = now
        self._inside = 0

    async def take(self, request: Request) -> Answer:
        """Take the readings of a request and say what became of each. Raises NotTaken."""
        token = _token(request)
        gateway_id = _gateway_id(request)
        is_gzip = _is_gzip(request)
        with self._room():
            deadline = time.monotonic() + self._bounds.patience_s
            now = self._now()
            token_id = await self._at_desk(
                lambda desk: desk.admit(token, gateway_id, now=now, deadline=deadline), deadline
            )
            if wait_s := self._pace.wait_s(token_id, time.monotonic()):
                raise RequestRefused(
                    Problem.TOO_MANY_REQUESTS,
                    f"token {token_id} may make {self._pace.per_s:g} requests a second, {self._pace.burst} at once",
                    retry_after_s=wait_s,
                )
            content = await _content(request, within_s=self._bounds.body_s)
            received_ms = int(self._now().timestamp() * 1000)
            body = Body(content=content, is_gzip=is_gzip, received_ms=received_ms)
            deadline = time.monotonic() + self._bounds.patience_s
            return await self._at_desk(lambda desk: desk.take(body, gateway_id, deadline=deadline), deadline)

    def close(self) -> None:
        """Finish what is at the desks and close them."""
        self._threads.shutdown(wait=True)
        while not self._desks.empty():
            self._desks.get_nowait().close()

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Count a request in and out: at the bound the next is sent away, before its body is read."""
        if self._inside >= self._bounds.requests_max:
            raise RequestRefused(
                Problem.BUSY, f"{self._inside} requests are being served or wait", retry_after_s=BUSY_RETRY_S
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def _at_desk(self, work: Callable[[Desk], _Result], deadline: float) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._served, work, deadline)

    def _served(self, work: Callable[[Desk], _Result], deadline: float) -> _Result:
        """Do the work at a free desk: there are as many desks as threads."""
        if time.monotonic() > deadline:
            raise RequestRefused(
                Problem.BUSY, "the request has waited too long for its turn", retry_after_s=BUSY_RETRY_S
            )
        desk = self._desks.get_nowait()
        try:
            return work(desk)
        finally:
            self._desks.put(desk)


def _token(request: Request) -> str:
    given = request.headers.get("authorization", "")
    if not given:
        raise RequestRefused(Problem.TOKEN_MISSING, "there is no Authorization header")
    token = bearer(given)
    if token is None:
        raise RequestRefused(Problem.TOKEN_UNKNOWN, "the Authorization header holds no bearer token of our form")
    return token


def _gateway_id(request: Request) -> str:
    given = request.query_params.getlist("gateway")
    if len(given) != 1:
        raise RequestRefused(Problem.BAD_GATEWAY_ID, f"`gateway` is given {len(given)} times, not once")
    if not GATEWAY_ID.fullmatch(given[0]):
        raise RequestRefused(Problem.BAD_GATEWAY_ID, f"gateway: {given[0][:80]!a} does not match {GATEWAY_ID.pattern}")
    return given[0]


def _is_gzip(request: Request) -> bool:
    """Read what the headers say of the body: JSON, plain or in gzip, and not too large."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise RequestRefused(Problem.CONTENT_TYPE, f"Content-Type is {media_type[:80]!a}")
    encoding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise RequestRefused(Problem.CONTENT_ENCODING, f"Content-Encoding is {encoding[:80]!a}")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length[:19]) > PAYLOAD_BYTES_MAX:
        raise RequestRefused(Problem.BODY_TOO_LARGE, f"{length[:19]} bytes, at most {PAYLOAD_BYTES_MAX}")
    return "gzip" in encoding


async def _content(request: Request, *, within_s: float) -> bytes:
    content = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for part in request.stream():
                content += part
                if len(content) > PAYLOAD_BYTES_MAX:
                    raise RequestRefused(Problem.BODY_TOO_LARGE, f"more than {PAYLOAD_BYTES_MAX} bytes")
    except TimeoutError as exc:
        raise RequestRefused(
            Problem.BODY_TOO_SLOW,
            f"{len(content)} bytes came within {within_s:g} s",
            retry_after_s=BUSY_RETRY_S,
            headers={"Connection": "close"},
        ) from exc
    except ClientDisconnect as exc:
        raise RequestRefused(Problem.BODY_CUT_SHORT, f"after {len(content)} bytes") from exc
    return bytes(content)

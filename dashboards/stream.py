"""Live updates: listens to the database and tells every open page, with a heartbeat a second.

A page learns *that* something changed and fetches it under its own rights; no patient's data goes through here.
The heartbeat carries clinical time and whether the database is heard, so that a page can say when it is not live.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import structlog

from vitals.clock import ClinicalClock

STREAMS_MAX = 500
HEARTBEAT_S = 1.0
INTAKE_EVERY = timedelta(seconds=10)
"""Clinical time between two words of new readings to one page: well inside the 30 s after which a value is stale."""
INTAKE_EVERY_S_MOST = 2.0
LISTEN_AGAIN_AFTER_S = 1.0
DATABASE_CHECKED_EVERY_S = 3.0

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Listener:
    """One open page: what it has not been told yet. Two changes before it is told are one: nothing queues up.

    It begins untold: what happened between the page's rendering and its stream must not wait for the next change.
    """

    episode: bool = True
    intake: bool = False
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Broadcast:
    """Fans the database's notifications out to open pages."""

    def __init__(self, dsn: str, clock: ClinicalClock, build: str) -> None:
        self._dsn = dsn
        self._clock = clock
        self._build = build
        self._listeners: set[Listener] = set()
        self._listening = False
        self._lost = False
        self._closed = False

    @property
    def listening(self) -> bool:
        """Say whether the database is heard at present."""
        return self._listening

    @property
    def full(self) -> bool:
        """Say whether no further page can be served."""
        return len(self._listeners) >= STREAMS_MAX

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        self._tell("episode")

    async def listen(self) -> None:
        """Hear the database for ever; a lost connection is opened again, and then every page is told to look."""
        while not self._closed:
            try:
                await self._listen_once()
            except psycopg.Error as error:
                self._listening = False
                if not self._lost:
                    log.error("console.database_lost", error=str(error), again_every_s=LISTEN_AGAIN_AFTER_S)
                self._lost = True
            await asyncio.sleep(LISTEN_AGAIN_AFTER_S)

    async def stream(self) -> AsyncIterator[str]:
        """Give one page's server-sent events until it goes away."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            async for event in self._events(listener):
                yield event
        finally:
            self._listeners.discard(listener)

    async def _listen_once(self) -> None:
        connection = await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
        async with connection:
            await connection.execute("LISTEN episode")
            await connection.execute("LISTEN intake")
            self._listening = True
            if self._lost:
                log.info("console.database_back")
            self._lost = False
            self._tell("episode")
            while not self._closed:
                async for notification in connection.notifies(timeout=DATABASE_CHECKED_EVERY_S):
                    self._tell(notification.channel)
                await connection.execute("SELECT 1")

    def _tell(self, channel: str) -> None:
        for listener in self._listeners:
            if channel == "episode":
                listener.episode = True
                listener.woken.set()
            else:
                listener.intake = True

    async def _events(self, listener: Listener) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        beat_at = intake_at = loop.time()
        yield "retry: 1000\n\n"
        while not self._closed:
            listener.woken.clear()
            if listener.episode:
                listener.episode = listener.intake = False
                yield "event: episode\ndata:\n\n"
            if listener.intake and loop.time() >= intake_at:
                listener.intake = False
                intake_at = loop.time() + min(self._clock.machine_s(INTAKE_EVERY), INTAKE_EVERY_S_MOST)
                yield "event: intake\ndata:\n\n"
            if loop.time() >= beat_at:
                beat_at = loop.time() + HEARTBEAT_S
                yield f"event: heartbeat\ndata: {self._heartbeat()}\n\n"
            try:
                await asyncio.wait_for(listener.woken.wait(), timeout=max(beat_at - loop.time(), 0.01))
            except TimeoutError:
                continue

    def _heartbeat(self) -> str:
        now = self._clock.at(datetime.now(UTC))
        return json.dumps(
            {
                "now_ms": round(now.timestamp() * 1000),
                "speed": self._clock.speed,
                "listening": self._listening,
                "build": self._build,
            }
        )

"""Hearing the database: its loss is said once, at the start too, and so is its return."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from dashboards import stream
from dashboards.stream import Broadcast
from hearthwatch.services.postgres import Postgres
from vitals.clock import ClinicalClock


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110  (a state of another task, without an event)
            await asyncio.sleep(0.02)


def test_a_database_that_is_away_is_said_once_and_its_return_too(
    own_plain: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LISTEN_AGAIN_AFTER_S", 0.05)
    tries: list[int] = []
    connect_once = Broadcast._listen_once

    async def counted(self: Broadcast) -> None:
        tries.append(1)
        await connect_once(self)

    monkeypatch.setattr(Broadcast, "_listen_once", counted)
    own_plain.kill()
    broadcast = Broadcast(own_plain.dsn(), ClinicalClock.parse("", 1.0), "build")

    async def scenario() -> None:
        listening = asyncio.create_task(broadcast.listen())
        await _until(lambda: len(tries) >= 3)
        own_plain.start()
        await _until(lambda: broadcast.listening)
        own_plain.kill()
        await _until(lambda: not broadcast.listening)
        listening.cancel()

    with capture_logs() as said, ThreadPoolExecutor() as beside:  # this thread may hold the browser's event loop
        beside.submit(lambda: asyncio.run(scenario())).result()
    assert [each["event"] for each in said] == [
        "console.database_lost",
        "console.database_back",
        "console.database_lost",
    ]
    assert said[0]["log_level"] == "error"

"""Other people's work is waited for, and let go of when it does not end."""

import asyncio

import pytest

from gateway.bluetooth import patience
from gateway.bluetooth.patience import within


async def test_a_result_and_an_error_come_through() -> None:
    async def result() -> int:
        return 7

    async def error() -> int:
        raise OSError("gone")

    assert await within(10, result()) == 7
    with pytest.raises(OSError, match="gone"):
        await within(10, error())


async def test_work_that_takes_too_long_is_cancelled() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        await within(0.01, slow())
    assert ended.is_set()


async def test_work_that_can_not_be_cancelled_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LETTING_GO_S_MAX", 0.01)
    answer, entered = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        while not answer.is_set():
            entered.set()
            try:
                await answer.wait()
            except asyncio.CancelledError:
                continue
        raise OSError("too late for anybody to care")

    with pytest.raises(TimeoutError):
        await within(0.01, stubborn())
    outer = asyncio.create_task(within(100, stubborn()))
    entered.clear()
    await entered.wait()
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    answer.set()

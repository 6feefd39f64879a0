"""Waits for other people's work for a bounded time, and lets go of it even where it can not be cancelled.

A call over D-Bus waits for its answer without end, and a cancelled connect asks bluetoothd to cancel it too and waits
for that answer. A bluetoothd that hangs must not hang the gateway with it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

LETTING_GO_S_MAX = 5.0

T = TypeVar("T")


async def within(bound_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Give the work's result. Raises TimeoutError when the bound has passed, and what the work raises."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(_read_outcome)
    try:
        await asyncio.wait({task}, timeout=bound_s)
        if task.done():
            return task.result()
        raise TimeoutError(f"no answer within {bound_s:g} s")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=LETTING_GO_S_MAX)


def _read_outcome(task: asyncio.Future[Any]) -> None:
    """Look at how work ended that nobody waits for any more, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()

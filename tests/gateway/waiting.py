"""Waiting for a state that nobody announces."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable


async def eventually(state: Callable[[], bool | Awaitable[bool]], *, bound_s: float = 60.0) -> None:
    """Return when the state holds; the bound only keeps a broken test from hanging."""
    async with asyncio.timeout(bound_s):
        while True:
            holds = state()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.005)

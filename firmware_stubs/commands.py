"""Commands to a controller that run to their end, even if whoever waits for them is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Commands:
    """A cancellation that meets a command under way is lost in bumble: whoever was told to stop would go on."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def run(self, commands: Coroutine[Any, Any, T]) -> T:
        """Run them; a cancellation ends the waiting only."""
        sending = asyncio.create_task(commands)
        self.keep(sending)
        return await asyncio.shield(sending)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Let a task run that nobody waits for."""
        self._under_way.add(task)
        task.add_done_callback(self._drop)

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    def _drop(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has gone: nobody else would look at it

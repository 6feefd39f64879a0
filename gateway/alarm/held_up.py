"""Work that a disk may hold up for ever: one piece at a time, waited for within a bound, and never begun twice.

A thread in a hung fsync can not be ended. So what is late is left to finish, whoever asks meanwhile is told at once
that it is late, and no second thread follows it there.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class HeldUp(Generic[T]):
    """One kind of work; construct and call on the event loop. `is_late`: some is under way that nobody waits for."""

    def __init__(self, seconds_max: float) -> None:
        self._seconds_max = seconds_max
        self._task: asyncio.Task[T] | None = None
        self.is_late = False

    async def done(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it, or take what was late and is done now. Raises TimeoutError while it is late."""
        if self._task is None:
            self._task = asyncio.create_task(work())
            await asyncio.wait({self._task}, timeout=self._seconds_max)
        self.is_late = not self._task.done()
        if self.is_late:
            raise TimeoutError(f"not done within {self._seconds_max:g} s")
        task, self._task = self._task, None
        return task.result()

"""Keeps a part going: what nobody thought of is logged and counted, the part begins anew, the others go on.

A part that crashes again at once waits longer each time: a bug that stays must neither fill the card with logs nor heat
the box. Each kind of crash shows its way through the code once; after that a line says what it was, and how often.
"""

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

RESTART_S = 1.0
RESTART_S_MAX = 60.0
QUIET_S = 600.0
"""A part that ran for so long begins anew as quickly as at first."""

log = structlog.get_logger()


async def going_on(
    name: str,
    part: Callable[[], Coroutine[Any, Any, None]],
    crashes: Counter[str],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    **about: str,
) -> None:
    """Run a part again and again. For parts that may begin anew at any time, and hold nothing that was accepted.

    `about` tells the log which of several parts of a name it is; they are counted as one.
    """
    now_s, wait_s, told = asyncio.get_running_loop().time, 0.0, Counter[str]()
    while True:
        began_s = now_s()
        try:
            await part()
            return
        except Exception as exc:  # the outermost loop of a part
            crashes[name] += 1
            wait_s = restart_s(wait_s, ran_s=now_s() - began_s)
            kind = kind_of(exc)
            told[kind] += 1
            if told[kind] == 1:
                log.exception("a part crashed and begins anew", part=name, retry_s=wait_s, **about)
            else:
                log.error("a part crashed again", part=name, error=kind, times=told[kind], retry_s=wait_s, **about)
        await pause(wait_s)


def restart_s(before_s: float, *, ran_s: float) -> float:
    """Say how long to wait before a part begins anew, by the wait before and how long it ran since; machine seconds."""
    if before_s == 0.0 or ran_s >= QUIET_S:
        return RESTART_S
    return min(2 * before_s, RESTART_S_MAX)


def kind_of(error: BaseException) -> str:
    """Name an error by its type and where it was raised: what it says may differ each time."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"

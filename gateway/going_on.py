"""Keeps a part going: what nobody thought of is logged and counted, the part begins anew, the others go on."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

RESTART_S = 1.0

log = structlog.get_logger()


async def going_on(
    name: str, part: Callable[[], Coroutine[Any, Any, None]], crashes: Counter[str], **about: str
) -> None:
    """Run a part again and again. For parts that may begin anew at any time, and hold nothing that was accepted.

    `about` tells the log which of several parts of a name it is; they are counted as one.
    """
    while True:
        try:
            await part()
            return
        except Exception:  # the outermost loop of a part
            crashes[name] += 1
            log.exception("a part crashed and begins anew", part=name, **about)
        await asyncio.sleep(RESTART_S)

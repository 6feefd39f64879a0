"""One trouble to be played: how it begins, how it ends, and what is expected of the gateway."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from hearthwatch.bench.gateway.fault_findings import Answer
from hearthwatch.bench.gateway.fault_ground import GATEWAY, FaultGround

FIRST, SECOND = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
WAIT_S_MAX = 600.0
OUTSIDE_S = 5.0
POLL_S = 0.05

Act = Callable[[FaultGround], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One trouble: how it begins and, where somebody else ends it, how it ends so many seconds later.

    `prepare` comes before it begins; `hit` are the devices whose data must flow again; `shows` is waited for: whether
    the gateway did what this trouble asks of it. The gateway's clock is set by `clock_set_s` when it begins; clinical
    time passes `clock_speed` times as fast for gateway and devices. `note` goes into the document.
    """

    name: str
    begin: Act
    prepare: Act | None = None
    end: Act | None = None
    lasts_s: float = OUTSIDE_S
    hit: tuple[str, ...] = (FIRST, SECOND)
    settings: dict[str, str] = field(default_factory=dict)
    answer: Answer = Answer.ACTION
    expected_restarts: int = 0
    shows: Callable[[FaultGround], bool] | None = None
    command: Sequence[str] = GATEWAY
    disk_bytes: int | None = None
    clock_set_s: int = 0
    clock_speed: float = 1.0
    note: str = ""


async def until(state: Callable[[], bool], *, wait_s: float = WAIT_S_MAX) -> bool:
    """Wait for a state; say whether it came."""
    try:
        async with asyncio.timeout(wait_s):
            while not state():  # noqa: ASYNC110 - what is waited for comes on another thread, or in a file
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True

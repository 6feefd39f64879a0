"""A part that crashes again and again: it waits longer each time, and says its way through the code once."""

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from gateway.going_on import QUIET_S, going_on, restart_s


class Part:
    """Crashes so often, of two bugs in turn if it has two, and ends."""

    def __init__(self, crashes: int, *, bugs: int = 1) -> None:
        self.runs = 0
        self._crashes = crashes
        self._bugs = bugs

    async def run(self) -> None:
        self.runs += 1
        if self.runs > self._crashes:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._other() if self.runs % self._bugs else self._fail())

    async def _fail(self) -> None:
        raise ZeroDivisionError(f"the {self.runs}th")

    async def _other(self) -> None:
        raise KeyError(self.runs)


async def lived(part: Part) -> tuple[list[float], list[dict[str, object]], Counter[str]]:
    """Let it live; give the pauses, the log and the counts."""
    pauses: list[float] = []
    crashes: Counter[str] = Counter()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    with capture_logs() as logs:
        await going_on("part", part.run, crashes, pause=pause, device="AA")
    return pauses, [dict(entry) for entry in logs], crashes


async def test_a_bug_that_stays_is_tried_ever_more_rarely_and_told_in_full_once() -> None:
    pauses, logs, crashes = await lived(Part(9))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert crashes == {"part": 9}
    assert [bool(entry.get("exc_info")) for entry in logs] == [True] + [False] * 8
    assert [entry["times"] for entry in logs[1:]] == list(range(2, 10))
    assert str(logs[1]["error"]).startswith("ZeroDivisionError at ")
    assert {entry["device"] for entry in logs} == {"AA"}


async def test_each_bug_is_told_in_full_once() -> None:
    _, logs, _ = await lived(Part(6, bugs=2))
    assert [bool(entry.get("exc_info")) for entry in logs] == [True, True] + [False] * 4


@pytest.mark.parametrize(
    ("before_s", "ran_s", "wait_s"),
    [(0.0, 0.0, 1.0), (1.0, 0.0, 2.0), (40.0, 1.0, 60.0), (60.0, QUIET_S - 1, 60.0), (60.0, QUIET_S, 1.0)],
)
def test_a_part_that_ran_well_for_ten_minutes_begins_anew_as_quickly_as_at_first(
    before_s: float, ran_s: float, wait_s: float
) -> None:
    assert restart_s(before_s, ran_s=ran_s) == wait_s

"""A disk that does not answer: what comes is read all the same, and accepted once when the disk is back."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.intake.intake import BATCH_MAX
from gateway.outbox.door import OutboxDoor
from tests.gateway.intake.test_intake import SPO2_80, SPO2_97, Rig, notification
from tests.gateway.waiting import eventually


class HungDisk:
    """The outbox's thread stands in a call that does not return until it is let go."""

    def __init__(self, door: OutboxDoor) -> None:
        self._free = threading.Event()
        door._thread.submit(self._free.wait)

    def answers(self) -> None:
        self._free.set()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
    rig = Rig(door, disk_s_max=0.02)
    task = asyncio.create_task(rig.intake.run())
    yield rig
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await door.close()


async def test_while_the_disk_hangs_every_reading_is_heard_and_none_is_accepted_twice(rig: Rig) -> None:
    disk = HungDisk(rig.door)
    try:
        for number in range(1, 21):
            rig.intake.take(notification(SPO2_80))
            await eventually(lambda number=number: len(rig.read) == 2 * number)  # type: ignore[misc]
        assert (rig.intake.counts.accepted, rig.urgent) == (0, [])  # nothing is said to be there that is not
        assert rig.intake.progress().waiting == 19
    finally:
        disk.answers()
    await rig.intake.drained()
    account = await rig.door.account()
    assert account.accepted == rig.intake.counts.accepted == 40
    assert rig.urgent == [True, True]  # the one that hung, and the rest in one


async def test_while_the_disk_hangs_no_more_than_the_bound_is_kept(rig: Rig) -> None:
    disk = HungDisk(rig.door)
    try:
        for _ in range(12):
            for _ in range(BATCH_MAX):
                rig.intake.take(notification(SPO2_97))
            await eventually(lambda: not rig.intake._waiting)
        assert rig.intake.counts.overrun == BATCH_MAX
    finally:
        disk.answers()
    await rig.intake.drained()
    assert (await rig.door.account()).accepted == rig.intake.counts.accepted == 2 * 11 * BATCH_MAX


async def test_a_gateway_that_ends_while_the_disk_hangs_leaves_the_commit_to_finish(tmp_path: Path) -> None:
    door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 30, undecoded_max=10)
    rig, disk = Rig(door, disk_s_max=0.02), HungDisk(door)
    task = asyncio.create_task(rig.intake.run())
    for number in (1, 2):
        rig.intake.take(notification(SPO2_97))
        await eventually(lambda number=number: len(rig.read) == 2 * number)  # type: ignore[misc]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    disk.answers()
    assert (await door.account()).accepted == 2
    assert rig.intake.counts.accepted == 0
    await door.close()

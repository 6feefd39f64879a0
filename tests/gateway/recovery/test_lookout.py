"""What the ladder of recovery gets to see, of devices on a virtual radio."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.bluetooth.stack import AdapterFound, NoStack
from gateway.box.machine import ClockTrust, LinuxMachine, Timekeeper
from gateway.recovery.ladder import STALE_S, AdapterFacts, Cause, Facts, troubles
from gateway.recovery.lookout import BEGIN_S_MAX, Lookout, Watched
from gateway.session.states import State
from tests.gateway.fleet_rig import FIRST, SECOND, FleetRig, claim, session_of
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock


class Stack(NoStack):
    """A stack whose health and adapters a test decides."""

    def __init__(self) -> None:
        self.has_bus = True
        self.is_up = True
        self.found: tuple[AdapterFound, ...] = (AdapterFound(name="hci0", powered=True),)

    async def adapters(self) -> tuple[AdapterFound, ...]:
        return self.found


class View:
    """A lookout over a rig, whose clock a test can put forward."""

    def __init__(self, rig: FleetRig, fleet: object, stack: Stack) -> None:
        self.ahead_s = 0.0
        self.safe = True
        loop = asyncio.get_running_loop()
        self.lookout = Lookout(
            Watched(
                stack=stack,
                radio=rig.radio,
                slots=rig.slots,
                fleet=fleet,  # type: ignore[arg-type]
                timekeeper=Timekeeper(ClinicalClock(), LinuxMachine(ClockTrust.SYNCHRONISED)),
                has_broker=lambda: True,
                is_safe=self.is_safe,
                may_reboot=True,
            )
        )
        parts: list[Any] = [self.lookout, rig.radio, *rig.radio.adapters]
        for part in parts:
            part._now_s = lambda: loop.time() + self.ahead_s

    async def look(self) -> Facts:
        return await self.lookout.look()

    async def is_safe(self) -> bool:
        return self.safe

    async def adapter(self) -> AdapterFacts:
        (adapter,) = (await self.look()).adapters
        return adapter


@pytest.fixture
async def rig() -> AsyncIterator[FleetRig]:
    rig = FleetRig()
    yield rig
    await rig.close()


async def test_a_device_that_is_read_is_not_expected_on_the_air(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim()], stack=Stack()) as fleet:
        await eventually(lambda: bool(rig.of("2a5f")) and session_of(fleet).is_speaking)
        adapter = await View(rig, fleet, Stack()).adapter()
        assert (adapter.expected, adapter.starving, adapter.scan_refused) == (False, False, False)
        assert adapter.data_s is not None
        assert adapter.advertisement_s is not None
        assert adapter.stranger_s is None


async def test_a_device_that_is_away_is_expected_and_does_not_starve(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim()], stack=Stack()) as fleet:
        view = View(rig, fleet, Stack())
        await eventually(lambda: bool(rig.of("2a5f")))
        rig.air.take_away(FIRST)
        await eventually(lambda: session_of(fleet).progress.state is State.SCAN)
        await view.look()
        view.ahead_s = STALE_S + 100
        adapter = await view.adapter()
        assert (adapter.expected, adapter.starving) == (True, False)


async def test_a_device_that_is_heard_and_gets_no_link_starves_after_a_minute(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim()], stack=Stack()) as fleet:
        view = View(rig, fleet, Stack())
        (radio,) = rig.radio.adapters
        async with radio.connecting:  # as if another connect hung for ever
            await eventually(lambda: session_of(fleet).progress.state is State.CONNECT)
            assert not (await view.adapter()).starving
            view.ahead_s = STALE_S + 1
            heard_s = rig.radio._now_s()

            def is_heard() -> bool:
                sighting = rig.radio.sighting(FIRST)
                return sighting is not None and sighting.heard_s > heard_s

            await eventually(is_heard)
            facts = await view.look()
            assert facts.adapters[0].starving
            assert [t.cause for t in troubles(facts, now_s=rig.radio._now_s())] == [Cause.STALE_THOUGH_HEARD]
        await eventually(lambda: bool(rig.of("2a5f")) and session_of(fleet).is_speaking)
        assert not (await view.adapter()).starving


async def test_a_stranger_is_noticed_as_one(rig: FleetRig) -> None:
    await rig.oximeter(SECOND)
    async with rig.fleet([claim()], stack=Stack()) as fleet:
        view = View(rig, fleet, Stack())
        await eventually(lambda: rig.radio.adapters[0].advertisement_s is not None)
        adapter = await view.adapter()
        assert adapter.stranger_s is not None


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        ((AdapterFound(name="hci0", powered=True),), (True, True)),
        ((AdapterFound(name="hci0", powered=False),), (True, False)),
        ((AdapterFound(name="hci1", powered=True),), (False, False)),
        ((), (False, False)),
    ],
)
async def test_an_adapter_that_is_off_or_gone_is_seen(
    rig: FleetRig, found: tuple[AdapterFound, ...], seen: tuple[bool, bool]
) -> None:
    stack = Stack()
    stack.found = found
    async with rig.fleet([], stack=stack) as fleet:
        await eventually(lambda: rig.radio.adapters[0].state == "scanning")
        adapter = await View(rig, fleet, stack).adapter()
        assert (adapter.found, adapter.powered) == seen


async def test_at_the_beginning_nothing_is_gone_yet(rig: FleetRig) -> None:
    stack = Stack()
    async with rig.fleet([], stack=stack) as fleet:
        view = View(rig, fleet, stack)
        stack.has_bus = stack.is_up = False
        assert troubles(await view.look(), now_s=0.0) == []
        view.ahead_s = BEGIN_S_MAX + 1
        assert [t.cause for t in troubles(await view.look(), now_s=0.0)] == [Cause.BUS_GONE]


async def test_what_was_there_once_is_missed_at_once(rig: FleetRig) -> None:
    stack = Stack()
    async with rig.fleet([], stack=stack) as fleet:
        view = View(rig, fleet, stack)
        await view.look()
        stack.is_up = False
        assert [t.cause for t in troubles(await view.look(), now_s=0.0)] == [Cause.BLUETOOTHD_GONE]


async def test_a_reboot_is_safe_only_while_the_outbox_is(rig: FleetRig) -> None:
    async with rig.fleet([], stack=Stack()) as fleet:
        view = View(rig, fleet, Stack())
        assert (await view.look()).is_safe
        view.safe = False
        assert not (await view.look()).is_safe

"""One device's session: carries out what the table of session_states says."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.bluetooth.adapter import Adapter
from gateway.bluetooth.slots import Wish
from gateway.bluetooth.stack import StackError
from gateway.gatt.battery import LEVEL_UUID
from gateway.intake.intake import Notification
from gateway.session.conversation import Conversation
from gateway.session.encounter import Encounter
from gateway.session.hearing import Overheard
from gateway.session.known_device import KnownDevice
from gateway.session.states import (
    LINKED_STATES,
    LISTENING_STATES,
    Action,
    Event,
    Progress,
    State,
    action_in,
    doubts_bond,
    forgets_bond,
    forgets_device,
    moved,
    rest_s,
)
from gateway.session.surroundings import Surroundings

WOKE_AFTER_S = 4.0
LOOK_EVERY_S = 1.0
_WE_END_IT = frozenset({Event.DONE, Event.PREEMPTED, Event.SILENT})
_STEPS: dict[Action, Callable[[Encounter], Coroutine[None, None, Event]]] = {
    Action.CONNECT: Encounter.connect,
    Action.BOND: Encounter.bond,
    Action.DISCOVER: Encounter.discover,
    Action.SET_CLOCK: Encounter.set_clock,
    Action.SUBSCRIBE: Encounter.subscribe,
}

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class SessionCounts:
    """What happened to this device since its session began."""

    links: int = 0
    links_lost: int = 0
    silences: int = 0
    failures: int = 0


class Session:
    """Keeps one device read, for ever; construct on the event loop."""

    def __init__(self, device: KnownDevice, around: Surroundings) -> None:
        self.device = device
        self.progress = Progress()
        self.counts = SessionCounts()
        self.last_reading_at: datetime | None = None
        self.heard_s: float | None = None
        self.encounter: Encounter | None = None
        self._around = around
        self._plan = around.plan
        self._now_s = asyncio.get_running_loop().time
        self._overheard = Overheard(again_s=around.plan.broadcast_again_s)
        self._pauses_until_s = float("-inf")
        self._doubts = 0
        self._is_released = False
        self._woken = asyncio.Event()

    @property
    def is_linked(self) -> bool:
        """Whether there is a link now."""
        return self.progress.state in LINKED_STATES

    @property
    def is_without_link(self) -> bool:
        """Whether there is no link, and none in the making."""
        return self.progress.state in (State.SCAN, State.WAIT)

    @property
    def adapter(self) -> Adapter | None:
        """The adapter that carries the link, or is to."""
        return None if self.encounter is None or self.is_without_link else self.encounter.adapter

    @property
    def is_speaking(self) -> bool:
        """Whether the device is listened to now."""
        return self.progress.state in LISTENING_STATES

    @property
    def clock_offset_s(self) -> float | None:
        """How far the device's clock was ahead of ours when it was last read."""
        return self.device.clock_offset_s

    async def run(self) -> None:
        """Live the table from its beginning, for ever; whatever ends this leaves no link behind."""
        self.progress = Progress()
        try:
            while True:
                before, event = self.progress, await self._act()
                self.progress = moved(before, event)
                self._count(before.state, event)
                if self._is_done(event):
                    self._pauses_until_s = self._now_s() + self._plan.spot_pause_s
                if self.is_without_link:
                    await self._part(goodbye=event in _WE_END_IT)
                    await self._forget_if_due(before, event)
        finally:
            await self._part(goodbye=self.is_speaking)
            if self._is_released:
                for adapter in self._around.radio.adapters:
                    await self._forget(adapter, bond=True)

    def release(self) -> None:
        """Hear that people watch the device no more: when this session ends, its bond ends too."""
        self._is_released = True

    def drop(self) -> None:
        """Let go of the link that is, or is being made: what carried it was taken down."""
        if self.encounter is not None:
            self.encounter.end(Event.DROPPED)

    def wake(self) -> None:
        """Cut a pause after failures short: what failed may work now."""
        self._woken.set()

    def overhear(self, service_data: Mapping[str, bytes]) -> None:
        """Take what the device broadcasts, where that is how it speaks."""
        driver = self.device.driver
        if driver is None or not driver.advertised:
            return
        for frame in self._overheard.take(driver, service_data, now_s=self._now_s()):
            self._take(
                Notification(
                    device=self.device.address,
                    driver=driver.name,
                    characteristic=frame.uuid,
                    payload=frame.payload,
                    stamp=self._around.timekeeper.stamp(),
                )
            )

    async def _act(self) -> Event:
        """Do what the state asks for."""
        action = action_in(self.progress.state)
        if action is Action.AWAIT_TURN:
            return await self._await_turn()
        if action is Action.REST:
            return await self._rest()
        assert self.encounter is not None
        if action in _STEPS:
            return await self._step(self.encounter, action)
        return await self._listen(self.encounter)

    async def _await_turn(self) -> Event:
        """Wait until the device is heard and may have a link; one that turns out to need none waits for ever."""
        began_s = self._now_s()
        await self._pause()
        wish = Wish(
            address=self.device.address,
            streams=lambda: self.device.streams,
            heard_after_s=began_s,
            on_asked_back=self._asked_back,
        )
        adapter = await self._around.slots.acquire(wish)
        if self.device.only_advertises:
            self._around.slots.release(self.device.address)
            await asyncio.Event().wait()
        self.encounter = Encounter(self.device, adapter, self._around, take=self._take)
        return Event.ADVERTISED

    async def _pause(self) -> None:
        """Let a spot device that is done fall asleep: still awake it would be called back for nothing."""
        radio, heard_s = self._around.radio, self._now_s()
        while (left_s := self._pauses_until_s - self._now_s()) > 0:
            await asyncio.sleep(min(LOOK_EVERY_S, left_s))
            sighting = radio.sighting(self.device.address)
            if sighting is not None and sighting.heard_s > heard_s:
                if sighting.heard_s - heard_s >= WOKE_AFTER_S:
                    return
                heard_s = sighting.heard_s

    async def _step(self, encounter: Encounter, action: Action) -> Event:
        """Take one step of an encounter, unless it ends first."""
        ended = encounter.ended
        step = asyncio.ensure_future(_STEPS[action](encounter))
        try:
            await asyncio.wait({step, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done() and action is Action.CONNECT and ended.result() is Event.LINK_LOST:
                await asyncio.wait({step})  # connecting fails by itself, and says why
                return step.result()
            return ended.result() if ended.done() else step.result()
        finally:
            if not step.done():
                step.cancel()
                await asyncio.wait({step})

    async def _listen(self, encounter: Encounter) -> Event:
        """Listen, and ask where the device speaks only when asked, until the link ends or a silence means its end."""
        assert encounter.conversation is not None
        talk, poll = encounter.conversation, encounter.conversation.driver.poll
        asks_s = self._now_s() if poll else float("inf")
        self._around.slots.speaks(self.device.address, idle=False)
        while not encounter.ended.done():
            if poll is not None and self._now_s() >= asks_s:
                asks_s = self._now_s() + poll.every_s
                if (trouble := await encounter.ask()) is not None:
                    return trouble
            if (meaning := self._silence(talk)) is not None:
                return meaning
            wait_s = min(LOOK_EVERY_S, max(0.0, asks_s - self._now_s()))
            await asyncio.wait({encounter.ended}, timeout=wait_s)
        return encounter.ended.result()

    def _silence(self, talk: Conversation) -> Event | None:
        """Say what a silence means by now: nothing yet, that a spot device is done, or that the link is dead."""
        silent_s = self._now_s() - talk.heard_s
        if talk.streams:
            return Event.SILENT if silent_s >= self._plan.stream_silence_s_max else None
        lingers = silent_s < self._plan.spot_linger_s
        self._around.slots.speaks(self.device.address, idle=not lingers)
        if talk.has_spoken and not lingers:
            return Event.DONE
        return Event.SILENT if silent_s >= self._plan.spot_silence_s_max else None

    def _is_done(self, event: Event) -> bool:
        """Say whether a spot device has said what it had to say, whoever hung up."""
        talk = self.encounter.conversation if self.encounter else None
        return event in (Event.DONE, Event.LINK_LOST) and talk is not None and talk.has_spoken and not talk.streams

    async def _rest(self) -> Event:
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(rest_s(self.progress.failures)):
                await self._woken.wait()
        return Event.RESTED

    async def _part(self, *, goodbye: bool) -> None:
        """Leave no link behind, and give its slot back."""
        if self.encounter is not None:
            await self.encounter.part(goodbye=goodbye)
        self._around.slots.release(self.device.address)

    async def _forget_if_due(self, before: Progress, event: Event) -> None:
        if self.encounter is None or before.state in (State.SCAN, State.WAIT):
            return
        is_refused = self.encounter.is_bond_refused
        self._doubts = doubts_bond(self._doubts, before.state, event, is_refused=is_refused)
        if forgets_bond(self._doubts):
            self._doubts = 0
            log.warning("links break before a word: a bond, if there is one, is made anew", device=self.device.address)
            await self._forget(self.encounter.adapter, bond=True)
        elif forgets_device(before.state, event, before.failures):
            await self._forget(self.encounter.adapter, bond=False)

    async def _forget(self, adapter: Adapter, *, bond: bool) -> None:
        try:
            await self._around.stack.forget(adapter.name, self.device.address, bond=bond)
            log.info("forgotten by the stack, to be discovered anew", device=self.device.address)
        except StackError as exc:
            log.info("not forgotten by the stack", device=self.device.address, error=str(exc))

    def _asked_back(self) -> None:
        if self.encounter is not None:
            self.encounter.end(Event.PREEMPTED)

    def _take(self, notification: Notification) -> None:
        if notification.characteristic != LEVEL_UUID:
            self.last_reading_at, self.heard_s = notification.stamp.wall, self._now_s()
        self._around.take(notification)

    def _count(self, before: State, event: Event) -> None:
        self.counts.links += event is Event.CONNECTED
        self.counts.failures += self.progress.state is State.WAIT and event is not Event.SILENT
        self.counts.silences += event is Event.SILENT
        self.counts.links_lost += event is Event.LINK_LOST
        if self.is_speaking or before in LISTENING_STATES:
            log.info("session", device=self.device.address, happened=event.value, state=self.progress.state.value)

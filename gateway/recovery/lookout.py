"""Gathers what the ladder of recovery looks at: from the stack, the adapters, the sessions and all the rest."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.bluetooth.adapter import Adapter
from gateway.bluetooth.radio import Radio
from gateway.bluetooth.slots import Slots
from gateway.bluetooth.stack import AdapterFound, Stack, StackError
from gateway.box.machine import Timekeeper
from gateway.recovery.ladder import STALE_S, AdapterFacts, Facts
from gateway.session.fleet import Fleet
from gateway.session.session import Session

ADAPTERS_EVERY_S = 10.0
HEARD_WITHIN_S = 30.0
JUMP_TOLD_S = 60.0
BEGIN_S_MAX = 10.0
"""How long stack and broker may take to be seen for the first time: at the beginning nothing is gone yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The parts that are looked at. `is_safe`: whether everything accepted is on the disk; asked where it matters."""

    stack: Stack
    radio: Radio
    slots: Slots
    fleet: Fleet
    timekeeper: Timekeeper
    has_broker: Callable[[], bool]
    is_safe: Callable[[], Awaitable[bool]]
    may_reboot: bool


class Lookout:
    """Looks whenever it is asked to; construct on the event loop."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._now_s = asyncio.get_running_loop().time
        self._began_s = self._now_s()
        self._found: dict[str, AdapterFound] | None = None
        self._asked_s = float("-inf")
        self._well_s: dict[str, float] = {}
        self._has_seen_stack = self._has_seen_broker = False
        self._jumps = 0
        self._jumped_s = float("-inf")

    async def look(self) -> Facts:
        """See how everything is."""
        watched, now_s = self._watched, self._now_s()
        await self._ask_for_adapters(now_s)
        stamp = watched.timekeeper.stamp()
        if watched.timekeeper.watch.jumps != self._jumps:
            self._jumps, self._jumped_s = watched.timekeeper.watch.jumps, now_s
        self._note_who_is_well(now_s)
        has_begun = now_s - self._began_s > BEGIN_S_MAX
        self._has_seen_stack |= watched.stack.is_up or has_begun
        self._has_seen_broker |= watched.has_broker() or has_begun
        return Facts(
            began_s=self._began_s,
            up_s=stamp.mono_ms / 1000,
            adapters=tuple(self._adapter(adapter, now_s) for adapter in watched.radio.adapters),
            bus=watched.stack.has_bus or not self._has_seen_stack,
            bluetoothd=watched.stack.is_up or not self._has_seen_stack,
            broker=watched.has_broker() or not self._has_seen_broker,
            clock_jumped=now_s - self._jumped_s < JUMP_TOLD_S,
            may_reboot=watched.may_reboot,
            is_safe=watched.may_reboot and await watched.is_safe(),
        )

    async def _ask_for_adapters(self, now_s: float) -> None:
        """Ask the stack now and then; one that can not say leaves the adapters believed."""
        if not self._watched.stack.is_up:
            self._found, self._asked_s = None, float("-inf")
        elif now_s - self._asked_s >= ADAPTERS_EVERY_S:
            self._asked_s = now_s
            try:
                self._found = {adapter.name: adapter for adapter in await self._watched.stack.adapters()}
            except StackError:
                self._found = None

    def _adapter(self, adapter: Adapter, now_s: float) -> AdapterFacts:
        found = AdapterFound(name=adapter.name, powered=True)
        if self._found is not None:
            found = self._found.get(adapter.name, AdapterFound(name="", powered=False))
        sessions = self._watched.fleet.sessions
        spoken_s = [s.heard_s for s in sessions if s.is_speaking and s.adapter is adapter and s.heard_s is not None]
        return AdapterFacts(
            name=adapter.name,
            found=bool(found.name) or self._found is None,
            powered=found.powered,
            scan_refused=adapter.is_refused,
            expected=any(not session.is_linked for session in sessions),
            starving=any(self._starves(session, adapter, now_s) for session in sessions),
            advertisement_s=adapter.advertisement_s,
            stranger_s=adapter.stranger_s,
            data_s=max(spoken_s, default=None),
        )

    def _note_who_is_well(self, now_s: float) -> None:
        """Remember when each streaming device last spoke, waited its turn, or was not there at all."""
        sessions = {session.device.address: session for session in self._watched.fleet.sessions}
        self._well_s = {
            address: now_s if self._is_well(session, now_s) else self._well_s.get(address, now_s)
            for address, session in sessions.items()
        }

    def _is_well(self, session: Session, now_s: float) -> bool:
        address = session.device.address
        if session.is_speaking or not session.device.streams or self._watched.slots.is_waiting_its_turn(address):
            return True
        sighting = self._watched.radio.sighting(address)
        return sighting is None or now_s - sighting.heard_s > HEARD_WITHIN_S

    def _starves(self, session: Session, adapter: Adapter, now_s: float) -> bool:
        sighting = self._watched.radio.sighting(session.device.address)
        heard = sighting is not None and adapter in sighting.on
        return heard and now_s - self._well_s.get(session.device.address, now_s) >= STALE_S

"""Carries out what the ladder of recovery says, and tells what was done.

What carried the links is gone (bluetoothd, D-Bus): bleak tells nobody, so every link is let go of here at once, and
made anew when the stack is back.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from gateway.bluetooth.adapter import SCANNING
from gateway.bluetooth.stack import StackError, StackListener
from gateway.recovery.ladder import Act, Ladder, Rung
from gateway.recovery.log import RecoveryLog
from gateway.recovery.lookout import Lookout, Watched
from gateway.recovery.state import LastRung, RecoveryState

LOOK_EVERY_S = 1.0
STALE_LINKS_EVERY_S = 15.0

log = structlog.get_logger()


class Recovery:
    """One task; `tell` makes the gateway say how it is, and returns when the word is out (or can not get out)."""

    def __init__(self, watched: Watched, book: RecoveryLog, *, tell: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._watched = watched
        self._book = book
        self._tell = tell
        self._lookout = Lookout(watched)
        self._ladder = Ladder()
        self._now_s = asyncio.get_running_loop().time
        self._nudge = asyncio.Event()
        self._stale_links_due_s = self._now_s()
        self._rungs: dict[Rung, Callable[[str], Coroutine[Any, Any, None]]] = {
            Rung.RESCAN: self._rescan,
            Rung.POWER_CYCLE: self._power_cycle,
            Rung.RESTART_BLUETOOTHD: self._restart_bluetoothd,
            Rung.REBOOT: self._reboot,
        }

    @property
    def state(self) -> RecoveryState:
        """What was done, and what is wrong now."""
        now_s = self._now_s()
        troubles = ((t.cause, t.adapter, now_s - since_s) for t, since_s in self._ladder.standing(now_s=now_s))
        done = self._book.state
        return RecoveryState(taken=done.taken, refused=done.refused, last=done.last, troubles=tuple(troubles))

    def listener(self) -> StackListener:
        """Give what the stack is to call."""
        return StackListener(on_gone=self._on_gone, on_ready=self._on_ready, may_pair=self._watched.fleet.is_claimed)

    async def run(self) -> None:
        """Look, and act where the ladder says so, for ever."""
        while True:
            facts = await self._lookout.look()
            act = self._ladder.next(facts, now_s=self._now_s())
            if act is not None:
                await self._take(act)
            await self._close_stale_links()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._nudge.wait()
            except TimeoutError:
                pass
            self._nudge.clear()

    async def _take(self, act: Act) -> None:
        """Take a rung; one that the machine refuses is counted and the ladder goes on."""
        now = self._watched.timekeeper.stamp().wall
        log.error("recovery", rung=act.rung.value, because=act.because.value, adapter=act.adapter)
        self._book.taken(LastRung(rung=act.rung, because=act.because, adapter=act.adapter, at=now))
        try:
            await self._rungs[act.rung](act.adapter)
        except StackError as exc:
            self._book.refused()
            log.error("recovery refused", rung=act.rung.value, error=str(exc))
        except Exception:  # an outermost loop: what was to heal the gateway must not end it
            self._book.refused()
            log.exception("recovery crashed", rung=act.rung.value)
        await self._tell()

    async def _rescan(self, adapter: str) -> None:
        self._watched.radio.rescan(adapter)
        self._watched.fleet.wake()

    async def _power_cycle(self, adapter: str) -> None:
        self._watched.fleet.drop_links(adapter)
        try:
            await self._watched.stack.power_cycle(adapter)
        finally:
            await self._rescan(adapter)

    async def _restart_bluetoothd(self, _adapter: str) -> None:
        self._watched.fleet.drop_links()
        await self._watched.stack.restart()

    async def _reboot(self, _adapter: str) -> None:
        await self._tell()
        await self._watched.stack.reboot()

    def _on_gone(self) -> None:
        self._watched.radio.forget_sightings()
        self._watched.fleet.drop_links()
        self._watched.radio.rescan()
        self._nudge.set()

    def _on_ready(self) -> None:
        self._stale_links_due_s = self._now_s()
        self._watched.fleet.wake()
        self._nudge.set()

    async def _close_stale_links(self) -> None:
        """End links to our devices that no session holds: of a former life, or left behind by a disconnect.

        Such a device does not advertise, and would never be heard again.
        """
        watched = self._watched
        if self._now_s() < self._stale_links_due_s or not watched.stack.is_up:
            return
        begun = all(adapter.state == SCANNING for adapter in watched.radio.adapters)
        self._stale_links_due_s = self._now_s() + (STALE_LINKS_EVERY_S if begun else LOOK_EVERY_S)
        ours = {adapter.name for adapter in watched.radio.adapters}
        try:
            for linked in await watched.stack.linked():
                if linked.adapter in ours and watched.fleet.is_astray(linked):
                    log.warning("stale link closed", device=linked.address, adapter=linked.adapter)
                    await watched.stack.hang_up(linked.adapter, linked.address)
        except StackError as exc:
            log.info("stale links not closed", error=str(exc))

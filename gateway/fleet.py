"""All sessions: which devices are ours, one task each; one session's bug never stops the others."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from gateway.intake import Notification
from gateway.machine import Timekeeper
from gateway.radio import Radio, Sighting
from gateway.session import Session, SessionPlan
from gateway.status import DeviceState

RESTART_S = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Which devices are read: those named, or every health device in reach; never more than `devices_max`."""

    devices: tuple[str, ...]
    claim_all: bool
    devices_max: int


class Fleet:
    """Makes a session for every claimed device and keeps it going."""

    def __init__(
        self, claims: Claims, *, timekeeper: Timekeeper, take: Callable[[Notification], None], plan: SessionPlan
    ) -> None:
        self.crashes = 0
        self._claims = claims
        self._timekeeper = timekeeper
        self._take = take
        self._plan = plan
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._radio: Radio | None = None
        self._is_closed = False

    def start(self, radio: Radio) -> None:
        """Begin with the devices named in the settings."""
        self._radio = radio
        for address in self._claims.devices:
            self._begin(address)

    def seen(self, address: str, sighting: Sighting) -> None:
        """Claim a health device seen for the first time, where every one is to be claimed."""
        if not self._claims.claim_all or address in self._sessions or not sighting.is_health_device:
            return
        if len(self._sessions) < self._claims.devices_max:
            log.info("claimed", device=address, name=sighting.name, rssi=sighting.rssi)
            self._begin(address)

    def states(self) -> tuple[DeviceState, ...]:
        """Say how every device is."""
        return tuple(self._state_of(session) for session in self._sessions.values())

    async def close(self) -> None:
        """End every session and its link."""
        self._is_closed = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _begin(self, address: str) -> None:
        if self._radio is None or self._is_closed:
            return
        session = Session(address, radio=self._radio, timekeeper=self._timekeeper, take=self._take, plan=self._plan)
        self._sessions[address] = session
        self._tasks[address] = asyncio.create_task(self._keep(session), name=f"session {address}")

    async def _keep(self, session: Session) -> None:
        while True:
            try:
                await session.run()
            except Exception:  # the outermost loop of a session: log, count, begin anew
                self.crashes += 1
                log.exception("session crashed", device=session.address)
                await asyncio.sleep(RESTART_S)
                session.restart()

    def _state_of(self, session: Session) -> DeviceState:
        sighting = self._radio.sighting(session.address) if self._radio else None
        return DeviceState(
            address=session.address,
            name=sighting.name if sighting else "",
            state=session.progress.state.value,
            connected=session.is_linked,
            last_reading_at=session.last_reading_at,
            rssi=sighting.rssi if sighting else None,
            links_lost=session.counts.links_lost + session.counts.silences,
        )

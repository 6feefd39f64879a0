"""All sessions: which devices are ours, one task each; one session's bug never stops the others."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import structlog
from bleak.backends.scanner import AdvertisementData

from gateway.bluetooth.radio import Sighting
from gateway.bluetooth.stack import Linked
from gateway.claims.claims import Claim, ClaimedBy
from gateway.drivers.driver import Driver, Seen, driver_for
from gateway.drivers.table import DRIVER_BY_NAME, DRIVERS, kind_seen, streams_seen
from gateway.gatt.decoders import short_uuid
from gateway.going_on import going_on
from gateway.session.known_device import KnownDevice
from gateway.session.nearby import Nearby, Neighbour
from gateway.session.session import Session
from gateway.session.surroundings import Surroundings

STRANGERS_MAX = 256

log = structlog.get_logger()


class Fleet:
    """Makes a session for every claimed device and keeps it going; construct on the event loop."""

    def __init__(
        self,
        *,
        claim_all: bool,
        devices_max: int,
        crashes: Counter[str],
        on_neighbour: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin without any; `crashes` counts those of sessions."""
        self.nearby = Nearby()
        self._claim_all = claim_all
        self._devices_max = devices_max
        self._crashes = crashes
        self._on_neighbour = on_neighbour
        self._sessions: dict[str, Session] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._strangers: dict[str, tuple[Seen, Driver | None]] = {}
        self._around: Surroundings | None = None
        self._now_s = asyncio.get_running_loop().time
        self._is_closed = False

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The sessions of all claimed devices."""
        return tuple(self._sessions.values())

    def start(self, around: Surroundings) -> None:
        """Hear where to work; to be called before anything is claimed or seen."""
        self._around = around

    def apply(self, claims: Iterable[Claim]) -> None:
        """Read exactly these devices from now on, and those that `claim_all` found; who stays is not disturbed."""
        wanted = {claim.address: claim for claim in claims}
        for address, session in list(self._sessions.items()):
            claim = wanted.get(address)
            if claim is None and self._claim_all and session.device.claim.claimed_by is ClaimedBy.ALL:
                continue
            if claim is None or claim.driver != session.device.claim.driver:
                if claim is None:
                    session.release()
                self._end(address)
            else:
                session.device.claim = claim
        for address, claim in wanted.items():
            if address not in self._sessions:
                self._begin(claim)

    def is_claimed(self, address: str) -> bool:
        """Say whether a device is ours to speak to."""
        return address.upper() in self._sessions

    def seen(self, address: str, sighting: Sighting, said: AdvertisementData) -> None:
        """Hear of an advertisement: of ours, or of a stranger's that may be a health device."""
        session = self._sessions.get(address)
        if session is None:
            self._seen_stranger(address, sighting)
            session = self._sessions.get(address)
        if session is not None and self._around is not None:
            session.device.see(sighting.seen)
            if said.service_data:
                session.overhear({short_uuid(uuid): payload for uuid, payload in said.service_data.items()})
            self._around.slots.heard(address)

    def drop_links(self, adapter: str = "") -> None:
        """Let go of every link, or of an adapter's: what carries them is gone, or about to be."""
        for session in self._sessions.values():
            if not adapter or (session.adapter is not None and session.adapter.name == adapter):
                session.drop()

    def is_astray(self, linked: Linked) -> bool:
        """Say whether a link belongs to a device of ours, and no session holds it."""
        session = self._sessions.get(linked.address)
        if session is not None:
            return session.is_without_link
        return self._claim_all and driver_for(DRIVERS, Seen(name=linked.name, services=linked.services)) is not None

    def wake(self) -> None:
        """Let every session that pauses after failures try again now."""
        for session in self._sessions.values():
            session.wake()

    async def close(self) -> None:
        """End every session and its link."""
        self._is_closed = True
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _seen_stranger(self, address: str, sighting: Sighting) -> None:
        """Claim a health device where every one is to be claimed; else note it, to be offered."""
        heard = max(sighting.on.values(), key=lambda each: each.heard_s)
        heard.adapter.stranger_s = heard.heard_s
        driver = self._driver_of(address, sighting.seen)
        if driver is None:
            return
        if self._claim_all and len(self._sessions) < self._devices_max:
            log.info("claimed", device=address, name=sighting.seen.name, driver=driver.name, rssi=sighting.rssi)
            self._begin(Claim(address=address, claimed_by=ClaimedBy.ALL))
            return
        neighbour = Neighbour(
            address=address,
            name=sighting.seen.name,
            driver=driver.name,
            product=driver.product,
            kind=kind_seen(driver, sighting.seen.services),
            streams=streams_seen(driver, sighting.seen.services),
            wellness=driver.wellness,
            rssi=sighting.rssi,
            heard_s=self._now_s(),
        )
        if self.nearby.heard(neighbour):
            self._on_neighbour()

    def _driver_of(self, address: str, seen: Seen) -> Driver | None:
        """Recognise a stranger; asked again only when it shows something new."""
        known_seen, driver = self._strangers.pop(address, (None, None))
        if known_seen != seen:
            driver = driver_for(DRIVERS, seen)
        self._strangers[address] = (seen, driver)
        if len(self._strangers) > STRANGERS_MAX:
            del self._strangers[next(iter(self._strangers))]
        return driver

    def _begin(self, claim: Claim) -> None:
        if self._around is None or self._is_closed:
            return
        self.nearby.forget(claim.address)
        if claim.driver is not None and claim.driver not in DRIVER_BY_NAME:
            log.error("no such driver here, chosen by what is seen", device=claim.address, driver=claim.driver)
        session = Session(KnownDevice(claim), self._around)
        self._sessions[claim.address] = session
        before = self._tasks.get(claim.address)
        self._tasks[claim.address] = asyncio.create_task(self._keep(session, before), name=f"session {claim.address}")

    def _end(self, address: str) -> None:
        """End a session; its task stays known until it has let go of the link."""
        log.info("no longer claimed", device=address)
        del self._sessions[address]
        task = self._tasks[address]
        task.cancel()
        task.add_done_callback(lambda done: self._tasks.pop(address) if self._tasks.get(address) is done else None)

    async def _keep(self, session: Session, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        await going_on("session", session.run, self._crashes, device=session.device.address)

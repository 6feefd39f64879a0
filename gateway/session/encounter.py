"""One meeting with a device: from its advertisement over link, bond and clock to its words, and the goodbye.

Each step gives an event of session_states' table; what goes wrong is counted and logged here.
"""

import asyncio
from collections.abc import Callable

import structlog

from gateway.bluetooth.adapter import Adapter
from gateway.bluetooth.link import Link, LinkError, LinkGone, MustBond
from gateway.bluetooth.radio import FRESH_S_MAX
from gateway.drivers.table import BLUETOOTH_SIG
from gateway.gatt.battery import LEVEL_UUID
from gateway.going_on import kind_of
from gateway.intake.intake import Notification
from gateway.session.conversation import Conversation
from gateway.session.device_time import read_offset_s, set_clock
from gateway.session.known_device import KnownDevice
from gateway.session.states import Event
from gateway.session.surroundings import Surroundings

log = structlog.get_logger()


class Encounter:
    """A link in the making, then a conversation; `ended` says what ended it, once something has."""

    def __init__(
        self,
        device: KnownDevice,
        adapter: Adapter,
        around: Surroundings,
        *,
        take: Callable[[Notification], None],
    ) -> None:
        self.adapter = adapter
        self.ended: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self.conversation: Conversation | None = None
        self.clock_offset_s: float | None = None
        self.is_bond_refused = False
        self._device = device
        self._around = around
        self._hand_on = take
        self._link: Link | None = None
        self._background: asyncio.Task[None] | None = None
        self._must_bond = device.driver is not None and device.driver.bond
        self._is_bonded = False

    @property
    def link(self) -> Link:
        """The link; there is one from `connect` on."""
        assert self._link is not None
        return self._link

    def end(self, event: Event) -> None:
        """End it with this event, unless something else has."""
        if not self.ended.done():
            self.ended.set_result(event)

    async def connect(self) -> Event:
        """Wait for this adapter's turn to connect, and connect, if the device was heard just before."""
        async with self.adapter.connecting:
            sighting = self._around.radio.sighting(self._device.address)
            heard = sighting.on.get(self.adapter) if sighting else None
            if heard is None or asyncio.get_running_loop().time() - heard.heard_s > FRESH_S_MAX:
                return Event.ADVERTISEMENT_AGED
            timeout_s = self._around.plan.connect_s_max
            client = self.adapter.client(heard.device, on_lost=lambda: self.end(Event.LINK_LOST), timeout_s=timeout_s)
            self._link = Link(client, address=self._device.address)
            try:
                await self.link.connect(timeout_s=timeout_s)
            except LinkError as exc:
                self.is_bond_refused = self.ended.done() and self.ended.result() is Event.LINK_LOST  # it was up
                await self.link.hang_up()  # before the next one's turn: a pending connect blocks the controller
                return self._failed(exc)
        return Event.CONNECTED

    async def bond(self) -> Event:
        """Pair, if the device wants it."""
        if not self._must_bond:
            return Event.BONDED
        try:
            await self.link.bond()
        except LinkError as exc:
            return self._failed(exc)
        self._must_bond, self._is_bonded = False, True
        return Event.BONDED

    async def discover(self) -> Event:
        """Choose the driver by what is offered, and see what can be listened to."""
        try:
            self.link.discover()
        except LinkError as exc:
            return self._failed(exc)
        self._device.see_services(self.link.services)
        driver = self._device.driver
        if driver is not None and driver.bond and not self._is_bonded:
            return self._wants_bond("its driver bonds")
        if driver is not None:
            self.conversation = Conversation(
                self.link,
                driver,
                echo_s=self._around.plan.echo_s,
                hear=lambda frame: self._take(driver.name, frame.uuid, frame.payload),
                hear_battery=lambda payload: self._take(BLUETOOTH_SIG.name, LEVEL_UUID, payload),
            )
        if self.conversation is None or not self.conversation.measured:
            log.warning(
                "nothing to read on this device", device=self._device.address, services=sorted(self.link.services)
            )
            return Event.NOTHING_TO_READ
        self._device.talked(streams=self.conversation.streams)
        return Event.FOUND

    async def set_clock(self) -> Event:
        """Hold the device's clock against ours, then set it where that is wanted and possible."""
        keeper, zone = self._around.timekeeper, self._around.plan.zone
        try:
            self.clock_offset_s = self._device.clock_offset_s = await read_offset_s(self.link, keeper, zone)
            driver = self._device.driver
            if driver is not None and driver.sets_clock:
                await set_clock(self.link, keeper, zone, is_needed=driver.needs_clock)
        except MustBond as exc:
            return self._wants_bond(str(exc))
        except LinkError as exc:
            return self._failed(exc)
        return Event.CLOCK_DONE

    async def subscribe(self) -> Event:
        """Ask for notifications and say the first words."""
        assert self.conversation is not None
        try:
            await self.conversation.begin()
        except MustBond as exc:
            return self._wants_bond(str(exc))
        except LinkError as exc:
            return self._failed(exc)
        self._background = asyncio.create_task(self._converse(self.conversation))
        return Event.SUBSCRIBED_TO_POLL if self.conversation.driver.poll else Event.SUBSCRIBED

    async def ask(self) -> Event | None:
        """Ask once what the driver asks again and again; say what went wrong, if something did."""
        assert self.conversation is not None
        try:
            await self.conversation.ask()
        except LinkError as exc:
            if self.ended.done():
                return self.ended.result()
            if not isinstance(exc, MustBond):
                return self._failed(exc)
            await self._hush()  # once paired, another conversation begins
            return self._wants_bond(str(exc))
        return None

    async def part(self, *, goodbye: bool) -> None:
        """Leave no link behind; say goodbye first where it is we who go. Never raises."""
        await self._hush()
        if self._link is not None:
            driver = self._device.driver
            await self._link.hang_up(driver.end if driver and goodbye else ())

    async def _hush(self) -> None:
        if self._background is not None:
            self._background.cancel()
            await asyncio.wait({self._background})

    async def _converse(self, conversation: Conversation) -> None:
        """Answer for as long as the link stands, and meanwhile ask what is not urgent."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(conversation.keep_answering())
                group.create_task(self._be_polite(conversation))
        except* LinkGone as gone:
            log.info("the link is gone", device=self._device.address, error=str(gone.exceptions[0]))
            self.end(Event.LINK_LOST)
        except* Exception as crash:  # the outermost loop of a conversation: a silent link would be waited for in vain
            self._around.crashes["session"] += 1
            if times := self._device.crashes.heard(kind_of(crash), asyncio.get_running_loop().time()):
                log.exception("a conversation crashed and begins anew", device=self._device.address, times=times)
            self.end(Event.FAILED)

    async def _be_polite(self, conversation: Conversation) -> None:
        """Ask for the battery on every link, and once who it is."""
        await conversation.look_at_battery()
        if self._device.information is None:
            self._device.information = await conversation.ask_who_it_is()

    def _take(self, driver: str, characteristic: str, payload: bytes) -> None:
        self._hand_on(
            Notification(
                device=self._device.address,
                driver=driver,
                characteristic=characteristic,
                payload=payload,
                stamp=self._around.timekeeper.stamp(),
                clock_offset_s=self.clock_offset_s,
            )
        )

    def _wants_bond(self, why: str) -> Event:
        """Go back to pairing, once a link."""
        if self._is_bonded:
            self.is_bond_refused = True
            return self._failed(LinkError(f"{why}, although paired"))
        self._must_bond = True
        log.info("pairing", device=self._device.address, because=why)
        return Event.MUST_BOND

    def _failed(self, exc: LinkError) -> Event:
        log.warning("link failed", device=self._device.address, error=str(exc))
        return Event.FAILED

"""What is said on one link once its driver is known: listened to, begun, answered, asked again; and a few polite words.

Answers wait in a bounded queue and are written in order, one at a time. At the bound the newest is dropped and counted:
a device that asks faster than it can be answered asks again.
"""

import asyncio
from collections.abc import Callable

import structlog

from gateway.bluetooth.link import Link, LinkError, LinkGone, Refused
from gateway.drivers.driver import Driver
from gateway.gatt.battery import LEVEL_UUID
from gateway.gatt.decoded import DecodeError
from gateway.gatt.device_information import read_string
from gateway.gatt.write import Write
from gateway.session.hearing import Frame, Hearing
from gateway.session.known_device import DeviceInformation

ANSWERS_WAITING_MAX = 64
_INFORMATION = {"manufacturer": "2a29", "model": "2a24", "firmware": "2a26"}
_CHARACTERS_MAX = 64

log = structlog.get_logger()


class Conversation:
    """One link's; `hear` gets every whole frame that is to be kept, `hear_battery` the battery service's word."""

    def __init__(
        self,
        link: Link,
        driver: Driver,
        *,
        echo_s: float,
        hear: Callable[[Frame], None],
        hear_battery: Callable[[bytes], None],
    ) -> None:
        self.driver = driver
        self.measured = tuple(uuid for uuid in driver.subscribe if link.offers(uuid, "notify", "indicate"))
        self.hearing = Hearing(driver, echo_s=echo_s)
        self.answers_dropped = 0
        self._link = link
        self._hear = hear
        self._hear_battery = hear_battery
        self._now_s = asyncio.get_running_loop().time
        self.heard_s = self._now_s()
        self.has_spoken = False
        self._answers: asyncio.Queue[Write] = asyncio.Queue(ANSWERS_WAITING_MAX)

    @property
    def streams(self) -> bool:
        """Whether the device speaks all the time while worn."""
        return self.driver.poll is not None or any(uuid in self.driver.streams for uuid in self.measured)

    async def begin(self) -> None:
        """Listen to all that is offered, in the driver's order, then say its first words. Raises LinkError."""
        for uuid in self.measured:
            await self._link.listen(uuid, self._on_payload)
        for write in self.driver.begin:
            await self._say(write)

    async def ask(self) -> None:
        """Ask once what is asked again and again. Raises LinkError."""
        for write in self.driver.poll.writes if self.driver.poll else ():
            await self._say(write)

    async def keep_answering(self) -> None:
        """Answer for as long as the link stands; what a device does not take shows by its silence. Raises LinkGone."""
        while True:
            write = await self._answers.get()
            try:
                await self._say(write)
            except LinkGone:
                raise
            except LinkError as exc:
                log.info("not answered", device=self._link.address, error=str(exc))

    async def look_at_battery(self) -> None:
        """Read the battery's level and listen to it where it notifies; one without is no loss. Raises LinkGone."""
        if not self._link.offers(LEVEL_UUID):
            return
        try:
            self._hear_battery(await self._link.read(LEVEL_UUID))
            if self._link.offers(LEVEL_UUID, "notify"):
                await self._link.listen(LEVEL_UUID, lambda _uuid, payload: self._hear_battery(payload))
        except LinkGone:
            raise
        except LinkError as exc:
            log.info("no battery level", device=self._link.address, error=str(exc))

    async def ask_who_it_is(self) -> DeviceInformation:
        """Read who made the device and which one it is; what it does not tell stays empty. Raises LinkGone."""
        said: dict[str, str] = {}
        for field, uuid in _INFORMATION.items():
            if self._link.offers(uuid, "read"):
                try:
                    said[field] = read_string(uuid, await self._link.read(uuid))[:_CHARACTERS_MAX]
                except LinkGone:
                    raise
                except (LinkError, DecodeError) as exc:
                    log.info(f"no {field}", device=self._link.address, error=str(exc))
        return DeviceInformation(**said)

    async def _say(self, write: Write) -> None:
        """Write; a device that refuses a word (a procedure is under way, say) still goes on talking."""
        try:
            await self._link.write(write)
        except Refused as exc:
            log.info("refused", device=self._link.address, error=str(exc))

    def _on_payload(self, uuid: str, payload: bytes) -> None:
        self.heard_s = self._now_s()
        for frame in self.hearing.take(uuid, payload, now_s=self.heard_s):
            for write in self.driver.answer(uuid, frame.payload):
                self._answer(write)
            if frame.kept:
                self.has_spoken = True
                self._hear(frame)

    def _answer(self, write: Write) -> None:
        try:
            self._answers.put_nowait(write)
        except asyncio.QueueFull:
            self.answers_dropped += 1

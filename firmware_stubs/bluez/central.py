"""The radio side of one adapter: hears advertisements and makes links the way the kernel does for bluetoothd."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from bleak.exc import BleakError
from bumble import hci
from bumble.device import Advertisement, Connection, Device
from bumble.keys import KeyStore
from bumble.pairing import PairingConfig

from firmware_stubs.adapter import Adapter
from firmware_stubs.bluez.timings import Timings

POWER_ON_S_MAX = 10.0
OnAdvertisement = Callable[[Advertisement], None]
PairingOf = Callable[[Connection], PairingConfig]


class NoController(Exception):
    """The controller cannot be reached: its transport does not open or does not answer."""


class Central:
    """A controller with scanning that can be switched, and connections that wait for an advertisement.

    As in the kernel, any number of devices may be waited for at once, while links are made one at a time; a device
    that stays silent delays nobody else.
    """

    def __init__(
        self,
        transport: str,
        *,
        address: hci.Address,
        timings: Timings,
        on_advertisement: OnAdvertisement,
        on_lost: Callable[[], None],
        is_deaf: Callable[[], bool],
    ) -> None:
        self._is_deaf = is_deaf
        self._is_on = False
        self._adapter = Adapter(transport, address=address, on_lost=on_lost)
        self._timings = timings
        self._on_advertisement = on_advertisement
        self._is_discovering = self._is_active = False
        self._awaited: dict[str, list[asyncio.Event]] = {}

    async def power_on(self, *, keystore: KeyStore, pairing: PairingOf) -> Device:
        """Open the controller; raise NoController if it is not there."""
        try:
            async with asyncio.timeout(POWER_ON_S_MAX):
                device = await self._adapter.open()
        except (BleakError, TimeoutError) as exc:
            raise NoController(str(exc)) from exc
        self._is_on = True
        device.keystore = keystore
        device.pairing_config_factory = pairing
        return device

    async def power_off(self) -> None:
        """Switch the controller off; every link goes down."""
        self._is_on = self._is_discovering = self._is_active = False
        await self._adapter.close()

    async def discover(self, wanted: bool, *, active: bool) -> None:
        """Report advertisements from now on, or no more; ask for scan responses if `active`."""
        self._is_discovering, self._is_active = wanted, active
        await self._listen()

    async def connect(self, address: str) -> Connection:
        """Link to a device when it is next heard; raise TimeoutError if it is not heard or does not answer."""
        async with asyncio.timeout(self._timings.connect_gives_up_s):
            while True:
                await self._heard(address)
                with contextlib.suppress(TimeoutError):
                    return await self._adapter.connect(address, timeout_s=self._timings.attempt_s)

    async def _heard(self, address: str) -> None:
        heard = asyncio.Event()
        self._awaited.setdefault(address, []).append(heard)
        try:
            await self._listen()
            await heard.wait()
        finally:
            self._awaited[address].remove(heard)
            if not self._awaited[address]:
                del self._awaited[address]
            await asyncio.shield(self._listen())

    async def _listen(self) -> None:
        if not self._is_on:
            return
        # A controller that has just been lost hears nothing; whoever waits is told by the end of the links.
        with contextlib.suppress(BleakError):
            if self._is_discovering or self._awaited:
                await self._adapter.listen(self._notice, active=self._is_active)
            else:
                await self._adapter.stop_listening(self._notice)

    def _notice(self, advertisement: Advertisement) -> None:
        if self._is_deaf():
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        for heard in self._awaited.get(address, ()):
            heard.set()
        if self._is_discovering:
            self._on_advertisement(advertisement)

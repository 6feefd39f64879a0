"""An oximeter that takes a new random address whenever it is switched on, as some makers' devices do."""

from __future__ import annotations

import asyncio
import dataclasses

from bumble import hci

from firmware_stubs.oximeter import Oximeter

STATIC_BITS = 0xC0


class Wanderer(Oximeter):
    """The name stays, the address does not: each reboot counts it up by one."""

    reboots = 0
    reboot_every_real_s: float | None = None
    _rebooting: asyncio.Task[None] | None = None

    async def reboot(self) -> None:
        """Switch off and on again, under another address."""
        await super().power_off()
        self.identity = dataclasses.replace(self.identity, address=_next(self.identity.address))
        self.reboots += 1
        await super().power_on()

    async def power_on(self) -> None:
        await super().power_on()
        if self.reboot_every_real_s is not None:
            self._rebooting = asyncio.create_task(self._keep_rebooting(self.reboot_every_real_s))

    async def power_off(self) -> None:
        if self._rebooting is not None:
            self._rebooting.cancel()
            await asyncio.wait({self._rebooting})
            self._rebooting = None
        await super().power_off()

    async def _keep_rebooting(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self.reboot()


def _next(address: str) -> str:
    following = int.from_bytes(bytes(hci.Address(address)), "little") + 1
    raw = bytearray((following % (1 << 48)).to_bytes(6, "little"))
    raw[-1] |= STATIC_BITS
    return hci.Address(bytes(raw), hci.Address.RANDOM_DEVICE_ADDRESS).to_string(with_type_qualifier=False)

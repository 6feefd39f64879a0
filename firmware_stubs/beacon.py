"""A device that only advertises: service data that changes, nothing to connect to that would be of use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bumble.gatt import Service

from firmware_stubs.announcement import Said
from firmware_stubs.outlet import Outlet
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.radio import Air


class Beacon(Peripheral):
    """Advertises each of `payloads` in turn as the data of one 16-bit service, again and again."""

    def __init__(
        self, *, air: Air, identity: Identity, service: int, payloads: Sequence[bytes], every_real_s: float = 1.0
    ) -> None:
        super().__init__(air=air, identity=identity)
        self._service = service
        self._payloads = payloads
        self._every_real_s = every_real_s
        self._at = 0

    def services(self) -> list[Service]:
        return []

    def outlets(self) -> Sequence[Outlet]:
        return ()

    def said(self) -> Said:
        return Said(service_data={self._service: self._payloads[self._at % len(self._payloads)]})

    async def live(self) -> None:
        while True:
            await asyncio.sleep(self._every_real_s)
            await self.may_speak.wait()
            self._at += 1
            if not self.is_connected:
                await self.wake()

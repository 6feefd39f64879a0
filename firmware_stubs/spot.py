"""Base of the devices that wake to hand over what they measured, hang up and sleep again."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence

from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.radio import Air
from firmware_stubs.tally import SentReading

GOODBYE_S = 0.3
"""How long a device stays for reads of its battery and label after the last confirmation, in real seconds."""


class SpotDevice(Peripheral):
    """Wakes at every measurement for `awake_real_s`; indicates its memory, oldest first; a record leaves the memory
    when it is confirmed. What nobody fetched waits for the next time.

    `is_ready` must be set on a link before anything is sent; it is, unless a subclass takes it away.
    """

    is_awake_from_the_start = False

    def __init__(
        self, *, air: Air, identity: Identity, memory: Memory, outlet: Outlet, awake_real_s: float = 60.0
    ) -> None:
        super().__init__(air=air, identity=identity)
        self.memory = memory
        self.outlet = outlet
        self.is_ready = asyncio.Event()
        self.is_ready.set()
        self._awake_real_s = awake_real_s
        self._has_record = asyncio.Event()

    @property
    def stored(self) -> int:
        return len(self.memory.records)

    def outlets(self) -> Sequence[Outlet]:
        return (self.outlet,)

    @abstractmethod
    def encode(self, record: Record) -> bytes:
        """Return a record's bytes."""

    @abstractmethod
    def readings(self, record: Record) -> list[SentReading]:
        """List a record's values, rounded as they are sent."""

    async def power_on(self) -> None:
        self.memory.begin()
        await super().power_on()

    async def live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.memory.keep_measuring(allowed=self.may_speak, on_record=self._on_record))
            tasks.create_task(self._keep_sending())
            tasks.create_task(self._keep_dozing_off())

    async def _on_record(self) -> None:
        self._has_record.set()
        await self.wake()

    async def _keep_sending(self) -> None:
        while True:
            await self._has_record.wait()
            await self.outlet.listening.wait()
            await self.is_ready.wait()
            await self.may_speak.wait()
            if not self.memory.records:
                self._has_record.clear()
                await asyncio.sleep(GOODBYE_S)
                await self.sleep()
                continue
            record = self.memory.records[0]
            if await self.indicate(self.outlet, self.encode(record)):
                self.memory.forget([record])
                self.tally.add(self.readings(record))

    async def _keep_dozing_off(self) -> None:
        while True:
            await self._has_record.wait()
            await asyncio.sleep(self._awake_real_s)
            if not self.is_connected:
                await self.sleep()
                self._has_record.clear()

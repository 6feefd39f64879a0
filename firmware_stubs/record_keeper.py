"""Base of the devices that keep their records until they are asked for by the Record Access Control Point."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from bumble.gatt import Characteristic

from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.racp import RecordAccess
from firmware_stubs.radio import Air
from firmware_stubs.tally import SentReading


class RecordKeeper(Peripheral):
    """A measurement that is sent record by record, and the control point beside it."""

    def __init__(self, *, air: Air, identity: Identity, memory: Memory, measurement: Outlet) -> None:
        super().__init__(air=air, identity=identity)
        self.memory = memory
        self.measurement = measurement
        self.access = RecordAccess(
            measurement=measurement,
            records=lambda: list(memory.records),
            send=self._send,
            delete=memory.forget,
            answer=self.indicate,
        )

    @property
    def stored(self) -> int:
        return len(self.memory.records)

    def speaking(self) -> list[Characteristic[bytes]]:
        """Return the characteristics of measurement and control point."""
        return [outlet.characteristic for outlet in self.outlets()]

    def outlets(self) -> Sequence[Outlet]:
        return (self.measurement, self.access.outlet)

    @abstractmethod
    async def send(self, record: Record) -> bool:
        """Send one record; tell whether it went out."""

    @abstractmethod
    def readings(self, record: Record) -> Sequence[SentReading]:
        """List a record's values, rounded as they are sent."""

    async def power_on(self) -> None:
        self.memory.begin()
        await super().power_on()

    async def live(self) -> None:
        async def nothing_more() -> None:
            pass

        await self.memory.keep_measuring(allowed=self.may_speak, on_record=nothing_more)

    def on_link_lost(self) -> None:
        super().on_link_lost()
        self.access.stop()

    async def _send(self, record: Record) -> bool:
        is_sent = await self.send(record)
        if is_sent:
            self.tally.add(self.readings(record))
        return is_sent

"""A thermometer with a memory: what nobody has fetched is indicated later, oldest first (HTS 1.0)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.clock import ClinicalClock
from firmware_stubs.hts import Site, temperature_measurement
from firmware_stubs.medfloat import as_sent
from firmware_stubs.memory import History
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course
from firmware_stubs.radio import Air
from firmware_stubs.tally import Metric, SentReading

HEALTH_THERMOMETER_SERVICE = UUID.from_16_bits(0x1809)
TEMPERATURE_MEASUREMENT = UUID.from_16_bits(0x2A1C)
TEMPERATURE_TYPE = UUID.from_16_bits(0x2A1D)
RECORDS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One measurement in the memory, as exact as the bytes that will carry it."""

    measured_at: datetime
    temperature_c: float


class Thermometer(Peripheral):
    """Measures every `live_every_s` from power-on; a record leaves the memory when its indication is confirmed.

    The memory keeps the newest RECORDS_MAX records; `overwritten` counts the older ones it lost.
    """

    advertised_uuids = (HEALTH_THERMOMETER_SERVICE,)

    def __init__(
        self,
        *,
        air: Air,
        identity: Identity,
        clock: ClinicalClock,
        course: Course,
        zone: ZoneInfo,
        history: History | None = None,
        course_began_at: datetime | None = None,
        live_every_s: float = 60.0,
        site: Site = Site.ARMPIT,
    ) -> None:
        super().__init__(air=air, identity=identity)
        self.clock = clock
        self.course = course
        self.course_began_at = course_began_at
        self.temperature = Outlet(TEMPERATURE_MEASUREMENT, Properties.INDICATE)
        self.memory: deque[Record] = deque(maxlen=RECORDS_MAX)
        self.overwritten = 0
        self._has_record = asyncio.Event()
        self._zone = zone
        self._history = history
        self._live_every_s = live_every_s
        self._site = site

    @property
    def stored(self) -> int:
        return len(self.memory)

    def services(self) -> list[Service]:
        kind = readable(TEMPERATURE_TYPE, bytes((self._site,)))
        return [Service(HEALTH_THERMOMETER_SERVICE, [self.temperature.characteristic, kind])]

    def outlets(self) -> Sequence[Outlet]:
        return (self.temperature,)

    async def power_on(self) -> None:
        now = self.clock.now()
        for moment in self._history.moments(now) if self._history else []:
            self._measure(moment)
        self._history = None
        await super().power_on()

    async def live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_measuring())
            tasks.create_task(self._keep_sending())

    async def _keep_measuring(self) -> None:
        loop = asyncio.get_running_loop()
        every_real_s = self.clock.real_s(self._live_every_s)
        due_s = loop.time()
        while True:
            await self.may_speak.wait()
            self._measure(self.clock.now())
            due_s = max(due_s + every_real_s, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def _keep_sending(self) -> None:
        while True:
            await self._has_record.wait()
            await self.temperature.listening.wait()
            await self.may_speak.wait()
            record = self.memory[0]
            if await self.indicate(self.temperature, self._encode(record)):
                self._forget(record)
                self.tally.add([_reading(record)])

    def _measure(self, moment: datetime) -> None:
        if self.course_began_at is None:
            self.course_began_at = self.clock.now()
        state = self.course((moment - self.course_began_at).total_seconds())
        if state.temperature_c is None:
            return
        self.overwritten += len(self.memory) == RECORDS_MAX
        self.memory.append(
            Record(
                measured_at=moment.replace(microsecond=0),
                temperature_c=as_sent(state.temperature_c, decimals=1),
            )
        )
        self._has_record.set()

    def _forget(self, record: Record) -> None:
        if self.memory[0] is record:
            self.memory.popleft()
        if not self.memory:
            self._has_record.clear()

    def _encode(self, record: Record) -> bytes:
        civil = record.measured_at.astimezone(self._zone)
        return temperature_measurement(record.temperature_c, civil=civil, site=self._site)


def _reading(record: Record) -> SentReading:
    return SentReading(metric=Metric.TEMPERATURE, value=record.temperature_c, measured_at=record.measured_at)

"""A pulse oximeter: PLX Continuous once a second, and spot checks if it is asked to take them (PLXS 1.0)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.clock import ClinicalClock
from firmware_stubs.medfloat import as_sent
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course, State
from firmware_stubs.plx import (
    ALL_MEASUREMENT_STATUS,
    ALL_SENSOR_STATUS,
    plx_continuous,
    plx_features,
    plx_spot_check,
)
from firmware_stubs.radio import Air
from firmware_stubs.tally import Metric, SentReading

PLX_SERVICE = UUID.from_16_bits(0x1822)
PLX_SPOT_CHECK = UUID.from_16_bits(0x2A5E)
PLX_CONTINUOUS = UUID.from_16_bits(0x2A5F)
PLX_FEATURES = UUID.from_16_bits(0x2A60)


class Oximeter(Peripheral):
    """A finger clip that follows a course; the course begins at `course_began_at`, or at the first listener."""

    advertised_uuids = (PLX_SERVICE,)

    def __init__(
        self,
        *,
        air: Air,
        identity: Identity,
        clock: ClinicalClock,
        course: Course,
        course_began_at: datetime | None = None,
        continuous_every_s: float | None = 1.0,
        spot_check_every_s: float | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        super().__init__(air=air, identity=identity)
        self.clock = clock
        self.course = course
        self.course_began_at = course_began_at
        self.continuous = Outlet(PLX_CONTINUOUS, Properties.NOTIFY)
        self.spot_check = Outlet(PLX_SPOT_CHECK, Properties.INDICATE)
        self._continuous_every_s = continuous_every_s
        self._spot_check_every_s = spot_check_every_s
        self._zone = zone

    def services(self) -> list[Service]:
        features = plx_features(
            measurement_status=ALL_MEASUREMENT_STATUS,
            sensor_status=ALL_SENSOR_STATUS,
            has_clock=self._zone is not None,
        )
        speaking = [outlet.characteristic for outlet in self.outlets()]
        return [Service(PLX_SERVICE, [*speaking, readable(PLX_FEATURES, features)])]

    def outlets(self) -> Sequence[Outlet]:
        return (self.spot_check, self.continuous)

    async def live(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            if self._continuous_every_s is not None:
                beat_s = self.clock.real_s(self._continuous_every_s)
                tasks.create_task(self.repeat(self.continuous, beat_s, self._send_second))
            if self._spot_check_every_s is not None:
                beat_s = self.clock.real_s(self._spot_check_every_s)
                tasks.create_task(self.repeat(self.spot_check, beat_s, self.take_spot_check))

    async def take_spot_check(self) -> bool:
        """Measure once and indicate it with the device's civil time; tell whether it was confirmed."""
        now, state = self._measure()
        now = now.replace(microsecond=0)
        is_confirmed = await self.indicate(
            self.spot_check,
            plx_spot_check(
                spo2_percent=state.spo2_percent,
                pulse_per_min=state.pulse_per_min,
                civil=None if self._zone is None else now.astimezone(self._zone),
                measurement_status=state.measurement_status,
                sensor_status=state.sensor_status,
                perfusion_percent=state.perfusion_percent,
            ),
        )
        if is_confirmed:
            self.tally.add(readings_of(state, measured_at=now))
        return is_confirmed

    async def _send_second(self) -> bool:
        now, state = self._measure()
        is_sent = await self.notify(
            self.continuous,
            plx_continuous(
                spo2_percent=state.spo2_percent,
                pulse_per_min=state.pulse_per_min,
                measurement_status=state.measurement_status,
                sensor_status=state.sensor_status,
                perfusion_percent=state.perfusion_percent,
            ),
        )
        if is_sent:
            self.tally.add(readings_of(state, measured_at=now))
        return is_sent

    def _measure(self) -> tuple[datetime, State]:
        now = self.clock.now()
        if self.course_began_at is None:
            self.course_began_at = now
        return now, self.course((now - self.course_began_at).total_seconds())


def readings_of(state: State, *, measured_at: datetime) -> list[SentReading]:
    """List the values of an oximeter's measurement, rounded as they are sent."""
    values = (
        (Metric.SPO2, state.spo2_percent, 0),
        (Metric.PULSE, state.pulse_per_min, 0),
        (Metric.PERFUSION, state.perfusion_percent, 1),
    )
    return [
        SentReading(
            metric=metric,
            value=as_sent(value, decimals=decimals),
            measured_at=measured_at,
            measurement_status=state.measurement_status,
            sensor_status=state.sensor_status,
        )
        for metric, value, decimals in values
        if value is not None and value > 0
    ]

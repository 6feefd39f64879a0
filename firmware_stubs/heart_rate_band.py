"""A heart-rate band: once a second the rate, and every interval between beats (HRP 1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.clock import ClinicalClock
from firmware_stubs.hrs import RR_PER_MEASUREMENT_MAX, RR_UNITS_PER_S, WRIST, heart_rate_measurement, rr_units
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course
from firmware_stubs.radio import Air
from firmware_stubs.tally import Metric, SentReading

HEART_RATE_SERVICE = UUID.from_16_bits(0x180D)
HEART_RATE_MEASUREMENT = UUID.from_16_bits(0x2A37)
BODY_SENSOR_LOCATION = UUID.from_16_bits(0x2A38)
SINUS = (1.0, 1.02, 1.01, 0.98, 0.99)
"""How beats follow each other in a breath, as shares of the mean interval."""


class HeartRateBand(Peripheral):
    """Follows a course that begins at the first listener; beats come as its pulse says, none is left out."""

    advertised_uuids = (HEART_RATE_SERVICE,)

    def __init__(self, *, air: Air, identity: Identity, clock: ClinicalClock, course: Course) -> None:
        super().__init__(air=air, identity=identity)
        self.clock = clock
        self.course = course
        self.heart_rate = Outlet(HEART_RATE_MEASUREMENT, Properties.NOTIFY)
        self._began_at: datetime | None = None
        self._beaten_s = 0.0
        self._beats = 0

    def services(self) -> list[Service]:
        location = readable(BODY_SENSOR_LOCATION, WRIST)
        return [Service(HEART_RATE_SERVICE, [self.heart_rate.characteristic, location])]

    def outlets(self) -> Sequence[Outlet]:
        return (self.heart_rate,)

    async def live(self) -> None:
        await self.repeat(self.heart_rate, self.clock.real_s(1.0), self._send_second)

    async def _send_second(self) -> bool:
        now = self.clock.now()
        if self._began_at is None:
            self._began_at = now
        seconds = (now - self._began_at).total_seconds()
        state = self.course(seconds)
        pulse = round(state.pulse_per_min or 0)
        intervals = self._intervals(seconds, pulse)
        value = heart_rate_measurement(pulse_per_min=pulse, is_skin_touched=state.is_finger_in, rr=intervals)
        is_sent = await self.notify(self.heart_rate, value)
        if is_sent and pulse:
            self.tally.add([SentReading(metric=Metric.PULSE, value=pulse, measured_at=now)])
        if is_sent:
            self.tally.add(
                SentReading(metric=Metric.RR_INTERVAL, value=interval / RR_UNITS_PER_S, measured_at=now)
                for interval in intervals
            )
        return is_sent

    def _intervals(self, until_s: float, pulse: int) -> list[int]:
        intervals: list[int] = []
        if pulse == 0:
            self._beaten_s = until_s
        while pulse and len(intervals) < RR_PER_MEASUREMENT_MAX:
            interval_s = 60.0 / pulse * SINUS[self._beats % len(SINUS)]
            if self._beaten_s + interval_s > until_s:
                break
            self._beaten_s += interval_s
            self._beats += 1
            intervals.append(rr_units(interval_s))
        return intervals

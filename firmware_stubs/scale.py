"""A weight scale: wakes when somebody steps on it (WSP 1.0)."""

from __future__ import annotations

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.peripheral import Identity
from firmware_stubs.radio import Air
from firmware_stubs.spot import SpotDevice
from firmware_stubs.tally import Metric, SentReading
from firmware_stubs.wss import TIME_AND_USERS, as_weighed, weight_measurement

WEIGHT_SCALE_SERVICE = UUID.from_16_bits(0x181D)
WEIGHT_MEASUREMENT = UUID.from_16_bits(0x2A9D)
WEIGHT_SCALE_FEATURE = UUID.from_16_bits(0x2A9E)


class Scale(SpotDevice):
    """A scale of one user, in kilograms."""

    advertised_uuids = (WEIGHT_SCALE_SERVICE,)

    def __init__(self, *, air: Air, identity: Identity, memory: Memory, awake_real_s: float = 60.0) -> None:
        outlet = Outlet(WEIGHT_MEASUREMENT, Properties.INDICATE)
        super().__init__(air=air, identity=identity, memory=memory, outlet=outlet, awake_real_s=awake_real_s)

    def services(self) -> list[Service]:
        feature = readable(WEIGHT_SCALE_FEATURE, TIME_AND_USERS)
        return [Service(WEIGHT_SCALE_SERVICE, [self.outlet.characteristic, feature])]

    def encode(self, record: Record) -> bytes:
        return weight_measurement(record.state.weight_kg, civil=record.civil, user=1)

    def readings(self, record: Record) -> list[SentReading]:
        if record.state.weight_kg is None:
            return []
        value = as_weighed(record.state.weight_kg)
        return [SentReading(metric=Metric.WEIGHT, value=value, measured_at=record.measured_at)]

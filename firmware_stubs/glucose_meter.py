"""A glucose meter: keeps its records until they are deleted, and hands them over on demand (GLP 1.0)."""

from __future__ import annotations

from collections.abc import Sequence

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.gls import DECIMALS_MMOL_L, NO_FEATURES, glucose_measurement
from firmware_stubs.medfloat import as_sent
from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.peripheral import Identity
from firmware_stubs.radio import Air
from firmware_stubs.record_keeper import RecordKeeper
from firmware_stubs.tally import Metric, SentReading

GLUCOSE_SERVICE = UUID.from_16_bits(0x1808)
GLUCOSE_MEASUREMENT = UUID.from_16_bits(0x2A18)
GLUCOSE_FEATURE = UUID.from_16_bits(0x2A51)


class GlucoseMeter(RecordKeeper):
    """Capillary blood from the finger, in mol/L."""

    advertised_uuids = (GLUCOSE_SERVICE,)

    def __init__(self, *, air: Air, identity: Identity, memory: Memory) -> None:
        measurement = Outlet(GLUCOSE_MEASUREMENT, Properties.NOTIFY)
        super().__init__(air=air, identity=identity, memory=memory, measurement=measurement)

    def services(self) -> list[Service]:
        characteristics = [*self.speaking(), readable(GLUCOSE_FEATURE, NO_FEATURES)]
        return [Service(GLUCOSE_SERVICE, characteristics)]

    async def send(self, record: Record) -> bool:
        return await self.notify(
            self.measurement,
            glucose_measurement(number=record.number, civil=record.civil, glucose_mmol_l=record.state.glucose_mmol_l),
        )

    def readings(self, record: Record) -> Sequence[SentReading]:
        if record.state.glucose_mmol_l is None:
            return ()
        value = as_sent(record.state.glucose_mmol_l, decimals=DECIMALS_MMOL_L)
        return (SentReading(metric=Metric.GLUCOSE, value=value, measured_at=record.measured_at),)

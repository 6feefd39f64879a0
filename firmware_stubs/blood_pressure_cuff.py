"""A blood pressure monitor: one measurement now and then, indicated when it is taken (BLP 1.0)."""

from __future__ import annotations

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.bls import IRREGULAR_PULSE_SUPPORTED, blood_pressure_measurement
from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.peripheral import Identity
from firmware_stubs.radio import Air
from firmware_stubs.spot import SpotDevice
from firmware_stubs.tally import Metric, SentReading

BLOOD_PRESSURE_SERVICE = UUID.from_16_bits(0x1810)
BLOOD_PRESSURE_MEASUREMENT = UUID.from_16_bits(0x2A35)
BLOOD_PRESSURE_FEATURE = UUID.from_16_bits(0x2A49)


class BloodPressureCuff(SpotDevice):
    """A cuff that sleeps between measurements; what could not be measured is sent as "not a number"."""

    advertised_uuids = (BLOOD_PRESSURE_SERVICE,)

    def __init__(self, *, air: Air, identity: Identity, memory: Memory, awake_real_s: float = 60.0) -> None:
        outlet = Outlet(BLOOD_PRESSURE_MEASUREMENT, Properties.INDICATE)
        super().__init__(air=air, identity=identity, memory=memory, outlet=outlet, awake_real_s=awake_real_s)

    def services(self) -> list[Service]:
        feature = readable(BLOOD_PRESSURE_FEATURE, IRREGULAR_PULSE_SUPPORTED)
        return [Service(BLOOD_PRESSURE_SERVICE, [self.outlet.characteristic, feature])]

    def encode(self, record: Record) -> bytes:
        values = _values(record)
        return blood_pressure_measurement(
            systolic_mmhg=values[Metric.SYSTOLIC],
            diastolic_mmhg=values[Metric.DIASTOLIC],
            mean_mmhg=values[Metric.MEAN_PRESSURE],
            pulse_per_min=values[Metric.PULSE],
            civil=record.civil,
            status=0,
        )

    def readings(self, record: Record) -> list[SentReading]:
        return [
            SentReading(metric=metric, value=round(value), measured_at=record.measured_at)
            for metric, value in _values(record).items()
            if value is not None
        ]


def _values(record: Record) -> dict[Metric, float | None]:
    state = record.state
    return {
        Metric.SYSTOLIC: state.systolic_mmhg,
        Metric.DIASTOLIC: state.diastolic_mmhg,
        Metric.MEAN_PRESSURE: _mean(state.systolic_mmhg, state.diastolic_mmhg),
        Metric.PULSE: state.pulse_per_min,
    }


def _mean(systolic_mmhg: float | None, diastolic_mmhg: float | None) -> float | None:
    if systolic_mmhg is None or diastolic_mmhg is None:
        return None
    return (systolic_mmhg + 2 * diastolic_mmhg) / 3

"""A pulse oximeter that measures now and then and keeps its records for whoever asks (PLXP 1.0)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet, Properties, readable
from firmware_stubs.oximeter import PLX_FEATURES, PLX_SERVICE, PLX_SPOT_CHECK, readings_of
from firmware_stubs.peripheral import Identity
from firmware_stubs.physiology import State
from firmware_stubs.plx import (
    ALL_MEASUREMENT_STATUS,
    ALL_SENSOR_STATUS,
    MeasurementStatus,
    plx_features,
    plx_spot_check,
)
from firmware_stubs.radio import Air
from firmware_stubs.record_keeper import RecordKeeper
from firmware_stubs.tally import SentReading


class SpotOximeter(RecordKeeper):
    """Sends spot checks (2A5E) out of its memory only, marked as coming from storage."""

    advertised_uuids: Sequence[UUID] = (PLX_SERVICE,)

    def __init__(self, *, air: Air, identity: Identity, memory: Memory) -> None:
        measurement = Outlet(PLX_SPOT_CHECK, Properties.INDICATE)
        super().__init__(air=air, identity=identity, memory=memory, measurement=measurement)

    def services(self) -> list[Service]:
        features = plx_features(
            measurement_status=ALL_MEASUREMENT_STATUS,
            sensor_status=ALL_SENSOR_STATUS,
            has_clock=True,
            has_memory=True,
        )
        return [Service(PLX_SERVICE, [*self.speaking(), readable(PLX_FEATURES, features)])]

    async def send(self, record: Record) -> bool:
        state = _stored(record.state)
        return await self.indicate(
            self.measurement,
            plx_spot_check(
                spo2_percent=state.spo2_percent,
                pulse_per_min=state.pulse_per_min,
                civil=record.civil,
                measurement_status=state.measurement_status,
                sensor_status=state.sensor_status,
                perfusion_percent=state.perfusion_percent,
            ),
        )

    def readings(self, record: Record) -> Sequence[SentReading]:
        return readings_of(_stored(record.state), measured_at=record.measured_at)


def _stored(state: State) -> State:
    return replace(state, measurement_status=MeasurementStatus.FULLY_QUALIFIED | MeasurementStatus.FROM_STORAGE)

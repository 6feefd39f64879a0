"""A thermometer in the manner of A&D's UT-201BLE: bonds, wants its clock set at every connection, sends and leaves.

Sources of the manner: obniz/obniz src/parts/Ble/UT201BLE/index.ts.
"""

from __future__ import annotations

from datetime import datetime

from bumble import att
from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.hts import Site, temperature_measurement
from firmware_stubs.medfloat import as_sent
from firmware_stubs.memory import Memory, Record
from firmware_stubs.outlet import Outlet, Properties, readable, writable
from firmware_stubs.peripheral import Identity
from firmware_stubs.radio import Air
from firmware_stubs.spot import SpotDevice
from firmware_stubs.tally import Metric, SentReading

HEALTH_THERMOMETER_SERVICE = UUID.from_16_bits(0x1809)
TEMPERATURE_MEASUREMENT = UUID.from_16_bits(0x2A1C)
TEMPERATURE_TYPE = UUID.from_16_bits(0x2A1D)
DATE_TIME = UUID.from_16_bits(0x2A08)
MAKERS_SERVICE = UUID("233bf000-5a34-1b6d-975c-000d5690abe4")
MAKERS_COMMAND = UUID("233bf001-5a34-1b6d-975c-000d5690abe4")
HANG_UP = bytes.fromhex("020103")


class BondingThermometer(SpotDevice):
    """Subscribing and setting the clock (2A08) need an encrypted link; nothing is sent before the clock was set."""

    advertised_uuids = (HEALTH_THERMOMETER_SERVICE,)

    def __init__(self, *, air: Air, identity: Identity, memory: Memory, awake_real_s: float = 60.0) -> None:
        outlet = Outlet(TEMPERATURE_MEASUREMENT, Properties.INDICATE, is_secret=True)
        super().__init__(air=air, identity=identity, memory=memory, outlet=outlet, awake_real_s=awake_real_s)
        self.is_ready.clear()

    def services(self) -> list[Service]:
        kind = readable(TEMPERATURE_TYPE, bytes((Site.ARMPIT,)))
        clock = writable(DATE_TIME, self._set_clock, is_secret=True)
        command = writable(MAKERS_COMMAND, self._obey)
        return [
            Service(HEALTH_THERMOMETER_SERVICE, [self.outlet.characteristic, kind, clock]),
            Service(MAKERS_SERVICE, [command]),
        ]

    def encode(self, record: Record) -> bytes:
        return temperature_measurement(record.state.temperature_c, civil=record.civil, site=Site.ARMPIT)

    def readings(self, record: Record) -> list[SentReading]:
        if record.state.temperature_c is None:
            return []
        value = as_sent(record.state.temperature_c, decimals=1)
        return [SentReading(metric=Metric.TEMPERATURE, value=value, measured_at=record.measured_at)]

    def on_link_lost(self) -> None:
        super().on_link_lost()
        self.is_ready.clear()

    def _set_clock(self, value: bytes) -> None:
        if len(value) != 7:
            raise att.ATT_Error(att.ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        month, day, hour, minute, second = value[2:]
        try:
            civil = datetime(int.from_bytes(value[:2], "little"), month, day, hour, minute, second)  # noqa: DTZ001
        except ValueError:
            raise att.ATT_Error(att.ErrorCode.VALUE_NOT_ALLOWED) from None
        self.memory.set_clock(civil)
        self.is_ready.set()

    async def _obey(self, command: bytes) -> None:
        if command == HANG_UP:
            await self.sleep()

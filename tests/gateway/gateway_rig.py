"""The whole gateway on rig 2: bleak's own BlueZ backend, a real broker, a stand-in for ingest that keeps every row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from gateway.app import built, live
from gateway.plans import radios_of
from gateway.session.session import Session
from gateway.settings import GatewaySettings
from gateway.whole import Gateway
from tests.gateway.fleet_rig import WELL
from tests.gateway.stand_in import StandIn
from tests.rigs import Rig2
from vitals.clock import ClinicalClock

EVERY_REAL_S = 0.25


class GatewayRig:
    """A gateway at work, and what of it arrives at the centre."""

    def __init__(self, rig2: Rig2, gateway: Gateway, ingest: StandIn) -> None:
        self.rig2 = rig2
        self.gateway = gateway
        self.ingest = ingest

    def session(self, address: str) -> Session:
        """Find a device's session."""
        return next(s for s in self.gateway.fleet.sessions if s.device.address == address)

    def rows_of(self, address: str) -> int:
        """Count a device's rows at the centre."""
        return sum(
            self.ingest.headers[number].devices[row.device_index].device == address
            for number, row in self.ingest.rows.items()
        )

    async def data_flow(self, *addresses: str) -> None:
        """Wait until the centre has new data of every device."""
        before = {address: self.rows_of(address) for address in addresses}
        await self.ingest.until(lambda _: all(self.rows_of(a) >= before[a] + 6 for a in addresses))

    def taken(self) -> dict[str, int]:
        """Count the rungs that were taken."""
        return {rung.value: count for rung, count in self.gateway.recovery.state.taken.items()}


def oximeter(rig2: Rig2, address: str) -> Oximeter:
    """A well person's oximeter that speaks four times a second."""
    return Oximeter(
        air=rig2.air,
        identity=Identity(name=address[-2:], address=address, advertising_interval_ms=50.0),
        clock=StubClock(origin=datetime.now(UTC), speed=1 / EVERY_REAL_S),
        course=lambda _: WELL,
    )


@asynccontextmanager
async def running(rig2: Rig2, settings: GatewaySettings, gateway_id: str) -> AsyncIterator[GatewayRig]:
    """Run a gateway until the end of the block; it is never restarted in between."""
    stop = asyncio.Event()
    async with (
        StandIn("127.0.0.1", settings.broker_port, gateway_id) as ingest,
        built(settings, clock=ClinicalClock(), machine=None, radios=radios_of(settings, None, None)) as gateway,
    ):
        task = asyncio.create_task(live(gateway, stop))
        try:
            yield GatewayRig(rig2, gateway, ingest)
            assert not task.done()
        finally:
            stop.set()
            await task
            assert not gateway.crashes["session"]

"""The hub: all devices of a scenario on one air, a socket for gateways, and a report of what was sent."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_stubs.hci_port import open_hci_port
from firmware_stubs.peripheral import Peripheral
from firmware_stubs.radio import Air
from firmware_stubs.tally import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one device has sent since power-on; see Tally for what counts. `stored` waits in its memory."""

    name: str
    address: str
    kind: str
    connected: bool
    notifications: int
    confirmed: int
    readings: int
    stored: int
    counts: dict[str, int]

    def document(self) -> dict[str, Any]:
        """Return it for JSON, the readings of each metric beside the rest."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        counts: dict[str, int] = fields.pop("counts")
        return {**fields, **counts}


class Hub:
    """Devices that are on, and the socket at which a gateway finds them."""

    def __init__(self, *, devices: Sequence[Peripheral]) -> None:
        self._devices = devices

    def reports(self) -> list[Report]:
        """Tell what each device has sent until now."""
        return [_report(device) for device in self._devices]

    def sent(self) -> Iterator[dict[str, Any]]:
        """List every value that went out, each device's in order, with when it was measured, right before it went."""
        for device in self._devices:
            for said in device.tally.sent:
                yield {
                    "address": device.identity.address,
                    "metric": said.metric.value,
                    "value": said.value,
                    "measured_at": said.measured_at.isoformat(),
                }

    async def hush(self) -> None:
        """Let no device send a new measurement; return when nothing is in flight. Links stay up."""
        await asyncio.gather(*(device.hush() for device in self._devices))

    async def failed(self) -> None:
        """Return never; raise what ended a device's life, if anything did."""
        lives = [device.life for device in self._devices if device.life is not None]
        done, _ = await asyncio.wait(lives, return_when=asyncio.FIRST_EXCEPTION)
        for life in done:
            life.result()


@contextlib.asynccontextmanager
async def open_hub(*, air: Air, devices: Sequence[Peripheral], socket: Path) -> AsyncIterator[Hub]:
    """Switch the devices on and listen at `socket`; at the end all vanish, and the socket too."""
    async with open_hci_port(air, socket), contextlib.AsyncExitStack() as switched_on:
        for device in devices:
            await device.power_on()
            switched_on.push_async_callback(device.power_off)
        yield Hub(devices=devices)


def _report(device: Peripheral) -> Report:
    tally = device.tally
    return Report(
        name=device.identity.name,
        address=device.identity.address,
        kind=type(device).__name__.lower(),
        connected=device.is_connected,
        notifications=tally.notifications,
        confirmed=tally.confirmed,
        readings=tally.readings,
        stored=device.stored,
        counts={metric.value: tally.counts[metric] for metric in Metric},
    )

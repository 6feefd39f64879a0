"""Homes in which everybody falls once: a gateway with its oximeters each, on their own air, and their registry."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hearthwatch.bench import registry
from hearthwatch.bench.gateway.installation import Installation
from hearthwatch.bench.ground import Air, Centre, address_of, air_of, gateway
from hearthwatch.bench.latency.stages import Value

FALL_LASTS_S = 20.0
METRICS = ("spo2", "pulse", "perfusion")

_DEVICE = """
[[device]]
name = "{key}"
address = "{address}"
kind = "oximeter"
course = "sudden_fall"
seed = {number}
options = {{ to_percent = {to_percent}, begins_s = {begins_s:.3f}, lasts_s = {lasts_s} }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """How far everybody falls, which rule that is to raise, and the longest that it may take from the fall's end."""

    rule: str
    to_percent: float
    raises_within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Somebody with an oximeter, who is well until `begins_s` after the gateway first listens."""

    number: int
    begins_s: float

    @property
    def key(self) -> str:
        """Who it is, in the registry and on the air."""
        return f"p{self.number}"

    @property
    def address(self) -> str:
        """Their oximeter."""
        return address_of(self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One gateway and who lives there."""

    number: int
    patients: tuple[Patient, ...]

    @property
    def gateway_id(self) -> str:
        """Its gateway."""
        return f"gw-bench-{self.number}"


def homes_of(first: int, count: int, *, devices: int, well_s: float, spread_s: float) -> tuple[Home, ...]:
    """Describe homes, numbered on from `first`; each patient falls at an instant of their own, the same every time."""
    draw = random.Random(first)
    return tuple(
        Home(
            number=number,
            patients=tuple(
                Patient(number=number * devices + n, begins_s=well_s + draw.uniform(0, spread_s))
                for n in range(1, devices + 1)
            ),
        )
        for number in range(first, first + count)
    )


def registry_text(homes: Sequence[Home], gone: Sequence[Home], *, now: datetime) -> str:
    """Write the registry: those of earlier rounds wear nothing any more, or they would be missed."""
    ended = f"until = {now.astimezone(UTC).isoformat()}\n"
    return "".join((registry.CENTRE, *(part for home in gone for part in _entries(home, ended)), *_all_entries(homes)))


@asynccontextmanager
async def living(
    running: Centre, folder: Path, home: Home, *, fall: Fall, installed: Installation, sent: dict[str, list[Value]]
) -> AsyncIterator[Air]:
    """Let a home live: its devices on the air, its gateway reading them.

    At a good end `sent` has what each device says it has sent, and when, by its address.
    """
    scenario = "".join(
        _DEVICE.format(
            key=patient.key,
            address=patient.address,
            number=patient.number,
            to_percent=fall.to_percent,
            begins_s=patient.begins_s,
            lasts_s=FALL_LASTS_S,
        )
        for patient in home.patients
    )
    clock = running.clock
    options = ("--origin", clock["HEARTHWATCH_CLOCK_ORIGIN"], "--speed", clock["HEARTHWATCH_CLOCK_SPEED"])
    async with air_of(folder, scenario, "--sent", str(folder / "sent"), *options) as around:
        spec = gateway(
            running, around, outbox=folder / "outbox.sqlite", installed=installed, gateway_id=home.gateway_id
        )
        await asyncio.to_thread(running.supervisor.start, spec)
        try:
            yield around
        finally:
            await asyncio.to_thread(running.supervisor.stop, spec.name)
        sent |= await _end_of(around)


async def _end_of(around: Air) -> dict[str, list[Value]]:
    await around.hub.stop()
    text = await asyncio.to_thread((around.folder / "sent").read_text, encoding="utf-8")
    values: dict[str, dict[datetime, dict[str, float]]] = {}
    for said in map(json.loads, text.splitlines()):
        measured_at = datetime.fromisoformat(said["measured_at"])
        values.setdefault(said["address"], {}).setdefault(measured_at, {})[said["metric"]] = said["value"]
    return {
        address: [(measured_at, tuple(said[metric] for metric in METRICS)) for measured_at, said in of_device.items()]
        for address, of_device in values.items()
    }


def _all_entries(homes: Sequence[Home]) -> Iterator[str]:
    for home in homes:
        yield from _entries(home, "")


def _entries(home: Home, ended: str) -> Iterator[str]:
    yield registry.gateway(home.gateway_id)
    for patient in home.patients:
        yield registry.wearer(patient.key, patient.address) + ended

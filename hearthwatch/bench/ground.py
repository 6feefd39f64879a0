"""What a benchmark stands on: a broker, a database, ingest, and simulated devices behind a bluetoothd of our own.

The gateway that is measured is the product's own command on bleak's own BlueZ backend: nothing stands in inside it.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from care.loading import load
from care.registry_file import parse_registry
from firmware_stubs.bluez.bus import private_bus
from firmware_stubs.bluez.process import bluez_process
from firmware_stubs.hub_process import HubProcess, hub_process
from hearthwatch.bench import registry
from hearthwatch.bench.gateway.installation import Installation
from hearthwatch.migrations import migrate
from hearthwatch.services.databases import best_database
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import LOOPBACK
from hearthwatch.services.process import ProcessSpec
from hearthwatch.services.supervisor import Supervisor

GATEWAY_ID = "gw-bench"
ADAPTERS = 2  # five links each

_DEVICE = """
[[device]]
name = "p{number}"
address = "{address}"
kind = "oximeter"
course = "restless"
seed = {number}
every_s = {every_s}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """A running centre: broker, database (its process's name), ingest; `clock` sets every part's clinical clock."""

    supervisor: Supervisor
    dsn: str
    broker_port: int
    database: str
    clock: Mapping[str, str] = field(default_factory=dict)

    def python(self, name: str, *arguments: str) -> ProcessSpec:
        """Say how to run one of the centre's services, by its command."""
        return ProcessSpec(name=name, argv=(sys.executable, "-m", "hearthwatch", *arguments), env=environment(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """Devices on the air, and the message bus on which a bluetoothd offers them."""

    bus_address: str
    folder: Path
    hub: HubProcess


@contextmanager
def centre(folder: Path, *, devices: int) -> Iterator[Centre]:
    """Run broker, database and ingest, with a registry of so many oximeters, each worn by somebody."""
    wearers = (registry.wearer(f"p{number}", address_of(number)) for number in range(1, devices + 1))
    text = "".join((registry.CENTRE, registry.gateway(GATEWAY_ID), *wearers))
    with empty_centre(folder) as running:
        register(running, text)
        running.supervisor.start(running.python("ingest", "ingest", "run"))
        yield running


@contextmanager
def empty_centre(
    folder: Path, *, settings: Mapping[str, str] | None = None, clock: Mapping[str, str] | None = None
) -> Iterator[Centre]:
    """Run broker and migrated database, no service yet and nobody in the registry; `settings` are the database's."""
    with ExitStack() as closing:
        supervisor = closing.enter_context(Supervisor(folder / "log"))
        database = best_database(settings=settings)
        closing.callback(database.close)
        supervisor.start(database.process())
        broker = Mosquitto()
        closing.callback(broker.close)
        supervisor.start(broker.process())
        with psycopg.connect(database.dsn(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE hearthwatch")
        dsn = database.dsn("hearthwatch")
        migrate(dsn)
        yield Centre(supervisor=supervisor, dsn=dsn, broker_port=broker.port, database=database.name, clock=clock or {})


def register(running: Centre, text: str) -> None:
    """Bring the registry to what a text says."""
    with psycopg.connect(running.dsn) as connection:
        load(connection, parse_registry(text, "bench"), now=datetime.now(UTC))


@asynccontextmanager
async def air(folder: Path, *, devices: int, every_s: float) -> AsyncIterator[Air]:
    """Put so many oximeters on the air, each speaking every so many seconds, behind a bluetoothd of our own."""
    described = (_DEVICE.format(number=n, address=address_of(n), every_s=every_s) for n in range(1, devices + 1))
    async with air_of(folder, "".join(described)) as around:
        yield around


@asynccontextmanager
async def air_of(folder: Path, scenario: str, *hub_options: str) -> AsyncIterator[Air]:
    """Put the devices of a scenario on the air (TOML, firmware_stubs/county.py), behind a bluetoothd of our own."""
    described = await asyncio.to_thread(_written, folder / "devices.toml", scenario)
    async with (
        private_bus(folder) as bus,
        hub_process(folder / "hci", "--scenario", str(described), *hub_options) as hub,
        bluez_process(bus.address, transports=[hub.transport] * ADAPTERS),
    ):
        yield Air(bus_address=bus.address, folder=folder, hub=hub)


def gateway(
    centre: Centre, air: Air, *, outbox: Path, installed: Installation, gateway_id: str = GATEWAY_ID
) -> ProcessSpec:
    """Say how to run the gateway that is measured."""
    return ProcessSpec(
        name=f"gateway-{air.folder.name}",
        argv=(*installed.command, "-m", "hearthwatch", "gateway", "run", "--log-format", "json"),
        env={
            **environment(centre),
            **installed.environment,
            "DBUS_SYSTEM_BUS_ADDRESS": air.bus_address,
            "HEARTHWATCH_GATEWAY_GATEWAY_ID": gateway_id,
            "HEARTHWATCH_GATEWAY_BROKER_HOST": LOOPBACK,
            "HEARTHWATCH_GATEWAY_BROKER_PORT": str(centre.broker_port),
            "HEARTHWATCH_GATEWAY_OUTBOX_PATH": str(outbox),
            "HEARTHWATCH_GATEWAY_CLAIM_ALL": "true",
            "HEARTHWATCH_GATEWAY_ADAPTERS": json.dumps([f"hci{number}" for number in range(ADAPTERS)]),
            "HEARTHWATCH_GATEWAY_CLOCK_TRUST": "synchronised",
            "PYTHONDONTWRITEBYTECODE": "",  # as on a box, whose bytecode its installation wrote
        },
        restart=False,
    )


def address_of(number: int) -> str:
    """Give the address of a device by its number."""
    return f"C0:00:00:00:{number >> 8:02X}:{number & 0xFF:02X}"


def environment(centre: Centre) -> dict[str, str]:
    """Give what every service of a centre must know."""
    return {
        **centre.clock,
        "HEARTHWATCH_DATABASE_DSN": centre.dsn,
        "HEARTHWATCH_BROKER_HOST": LOOPBACK,
        "HEARTHWATCH_BROKER_PORT": str(centre.broker_port),
        "HEARTHWATCH_ALERTING_SITE_ALTITUDE_M": "50",
        "PYTHONUNBUFFERED": "1",
        "PATH": os.environ.get("PATH", ""),
    }


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path

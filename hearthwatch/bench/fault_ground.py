"""What the faults are played on: a bluetoothd of our own that can be killed, a broker, and the gateway as a process.

The gateway is the product's own command on bleak's own BlueZ backend. What it does is read from its log, what it gives
from the messages that arrive: nothing looks into it.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio.message_bus import MessageBus
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from firmware_stubs.bluez.bus import PrivateBus, connect, private_bus
from firmware_stubs.bluez.init_system import InitSystem
from firmware_stubs.bluez.process import BluezProcess, bluez_process
from firmware_stubs.hci_port import open_hci_port
from firmware_stubs.radio import Air
from firmware_stubs.wanderer import Wanderer
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import LOOPBACK
from vitals.signals import SIGNALS, Signal
from vitals.topics import Leaf, topic
from vitals.wire import rows_of, unpack

GATEWAY_ID = "gw-faults"
_PROPERTIES, _CHARACTERISTIC = "org.freedesktop.DBus.Properties", "org.bluez.GattCharacteristic1"
ADAPTERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the gateway's log."""

    at: datetime
    event: str
    more: dict[str, Any]


@dataclass(slots=True)
class Ear:
    """Keeps when each device's SpO2 was measured, by the gateway's word, and acknowledges as ingest would."""

    measured_ms: dict[str, list[int]] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)

    def after(self, device: str, instant: datetime) -> datetime | None:
        """Give a device's first value measured after an instant."""
        since_ms = instant.timestamp() * 1000
        later = (ms for ms in self.measured_ms.get(device, ()) if ms > since_ms)
        first_ms = min(later, default=None)
        return None if first_ms is None else datetime.fromtimestamp(first_ms / 1000, UTC)

    def take(self, client: Client, message: MQTTMessage) -> None:
        """Take what the gateway says."""
        if message.topic.endswith(f"/{Leaf.STATUS}"):
            self.status = json.loads(message.payload)
            return
        told = unpack(bytes(message.payload))
        header = told.header
        for row in rows_of(told):
            if row.signal_code != SIGNALS[Signal.SPO2].code:
                continue
            device = header.devices[row.device_index].device
            self.measured_ms.setdefault(device, []).append(header.t0_ms + row.offset * header.offset_unit_ms)
        stored = [[header.first_row, header.first_row + told.row_count]]
        word = json.dumps({"outbox_id": str(header.outbox_id), "stored": stored})
        client.publish(topic(GATEWAY_ID, Leaf.ACK), word, qos=1)


class GatewayProcess:
    """The gateway, started once for a fault (and by hand again only where the fault is its own death)."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.log: list[Line] = []
        self.starts = 0
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it."""
        self.starts += 1
        command = (sys.executable, "-m", "hearthwatch", "gateway", "run", "--log-format", "json")
        self._process = await asyncio.create_subprocess_exec(
            *command, env=self._environment, stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read(self._process))

    async def end(self, *, kill: bool) -> None:
        """End it, in good order or by force."""
        if self._process is None or self._reading is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill() if kill else self._process.terminate()
        await self._reading
        await self._process.wait()
        self._process = None

    def first_action(self, since: datetime) -> Line | None:
        """Give the first line that says that something is done about a trouble."""
        return next((line for line in self.log if line.at > since and is_action(line)), None)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while content := await process.stderr.readline():
            with suppress(ValueError):
                said = json.loads(content)
                at = datetime.fromisoformat(said.pop("timestamp"))
                self.log.append(Line(at=at, event=said.pop("event"), more=said))


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultGround:
    """Everything that a fault may touch."""

    air: Air
    devices: AsyncExitStack
    bus: PrivateBus
    bluez: BluezProcess
    init_system: InitSystem
    services: AsyncExitStack
    other: MessageBus
    gateway: GatewayProcess
    ear: Ear
    wanderers: list[Wanderer] = field(default_factory=list)

    async def restart_bus(self) -> None:
        """Kill the bus; bluetoothd and systemd's stand-ins end with it; start all of them again."""
        await self.bus.kill()
        await self.bluez.kill()
        await self.services.aclose()
        await self.bus.start()
        await self.bluez.start()
        await self.services.enter_async_context(self.init_system.on(self.bus.address))

    async def switch_adapter(self, name: str, *, on: bool) -> None:
        """Switch an adapter on or off, as somebody with bluetoothctl would."""
        await self._ask(
            f"/org/bluez/{name}", _PROPERTIES, "Set", "ssv", "org.bluez.Adapter1", "Powered", Variant("b", on)
        )

    async def subscribe_as_another(self, address: str, uuid16: str) -> None:
        """Subscribe to a device's characteristic, as another program on the bus would."""
        reply = await self._ask("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        device, wanted = address.replace(":", "_"), f"0000{uuid16}-0000-1000-8000-00805f9b34fb"
        for path, shown in reply.body[0].items():
            characteristic = shown.get(_CHARACTERISTIC)
            if characteristic and device in path and characteristic["UUID"].value == wanted:
                await self._ask(path, _CHARACTERISTIC, "StartNotify")

    async def _ask(self, path: str, interface: str, member: str, signature: str = "", *body: object) -> Message:
        message = Message(
            destination="org.bluez", path=path, interface=interface, member=member, signature=signature, body=list(body)
        )
        reply = await self.other.call(message)
        if reply.message_type is MessageType.ERROR:
            raise RuntimeError(f"{member} on {path}: {reply.error_name}")
        return reply


def is_action(line: Line) -> bool:
    """Say whether a line tells that something is done about a trouble: a rung, a link given up, a scan tried anew."""
    if line.event == "session":
        return line.more.get("happened") in ("link_lost", "dropped", "silent")
    acts = ("recovery", "bluetoothd is gone", "D-Bus is gone", "link failed", "not scanning", "stale link closed")
    return line.event.startswith(acts)


@asynccontextmanager
async def fault_ground(folder: Path, *, settings: dict[str, str], options: Sequence[str]) -> AsyncIterator[FaultGround]:
    """Build it all up around one fault; the gateway is not started yet."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    air, hci = Air(), folder / "hci"
    memory = ("--storage", str(folder / "bluetooth"))
    async with AsyncExitStack() as closing:
        broker = await asyncio.to_thread(Mosquitto)
        closing.callback(broker.close)
        await asyncio.to_thread(broker.start)
        bus = await closing.enter_async_context(private_bus(folder))
        await closing.enter_async_context(open_hci_port(air, hci))
        devices = await closing.enter_async_context(AsyncExitStack())
        transports = [f"unix:{hci}"] * ADAPTERS
        bluez = await closing.enter_async_context(
            bluez_process(bus.address, transports=transports, options=(*options, *memory))
        )
        other = await connect(bus.address)
        closing.callback(other.disconnect)
        gone: asyncio.Future[None] = asyncio.ensure_future(other.wait_for_disconnect())  # type: ignore[no-untyped-call]
        gone.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        init_system = InitSystem(units={"bluetooth.service": bluez.restart}, reboot=bluez.reboot)
        services = await closing.enter_async_context(AsyncExitStack())
        await services.enter_async_context(init_system.on(bus.address))
        ear = await closing.enter_async_context(_listening(broker.port))
        gateway = GatewayProcess(_environment(folder, bus.address, broker.port, settings))
        closing.push_async_callback(gateway.end, kill=False)
        yield FaultGround(
            air=air,
            devices=devices,
            bus=bus,
            bluez=bluez,
            init_system=init_system,
            services=services,
            other=other,
            gateway=gateway,
            ear=ear,
        )


@asynccontextmanager
async def _listening(port: int) -> AsyncIterator[Ear]:
    ear = Ear()
    client = Client(CallbackAPIVersion.VERSION2, client_id="faults", protocol=MQTTProtocolVersion.MQTTv5)
    client.on_connect = lambda c, *_: c.subscribe(
        [(topic(GATEWAY_ID, leaf), 1) for leaf in (Leaf.READINGS, Leaf.STATUS)]
    )
    client.on_message = lambda c, _userdata, message: ear.take(c, message)
    client.connect_async(LOOPBACK, port)
    client.loop_start()
    try:
        yield ear
    finally:
        client.disconnect()
        await asyncio.to_thread(client.loop_stop)


def _environment(folder: Path, bus_address: str, broker_port: int, settings: dict[str, str]) -> dict[str, str]:
    values = {
        "GATEWAY_ID": GATEWAY_ID,
        "BROKER_HOST": LOOPBACK,
        "BROKER_PORT": str(broker_port),
        "OUTBOX_PATH": str(folder / "outbox.sqlite"),
        "CLOCK_TRUST": "synchronised",
        "FLUSH_S": "0.5",
        "RECONNECT_S_MAX": "1",
        **settings,
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_GATEWAY_")},
        "DBUS_SYSTEM_BUS_ADDRESS": bus_address,
        "PYTHONUNBUFFERED": "1",
        **{f"HEARTHWATCH_GATEWAY_{name}": value for name, value in values.items()},
    }

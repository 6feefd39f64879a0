"""What the faults are played on: a bluetoothd of our own that can be killed, a broker, and the gateway as a process.

The gateway is the product's own command on bleak's own BlueZ backend. What it does is read from its log, what it gives
from the messages that arrive: nothing looks into it.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio.message_bus import MessageBus

from firmware_stubs.bluez.bus import PrivateBus, connect, private_bus
from firmware_stubs.bluez.init_system import InitSystem
from firmware_stubs.bluez.process import BluezProcess, bluez_process
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.hci_port import open_hci_port
from firmware_stubs.radio import Air
from firmware_stubs.wanderer import Wanderer
from hearthwatch.bench.gateway.fault_ear import GATEWAY_ID, Ear, listening
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.ports import LOOPBACK

_PROPERTIES, _CHARACTERISTIC = "org.freedesktop.DBus.Properties", "org.bluez.GattCharacteristic1"
ADAPTERS = 2
GATEWAY = ("hearthwatch", "gateway", "run", "--log-format", "json")
_ACTS = (
    "recovery",
    "bluetoothd is gone",
    "D-Bus is gone",
    "link failed",
    "not scanning",
    "stale link closed",
    "broker connection lost",
    "outbox takes nothing",
    "the disk refuses",
    "outbox is broken",
    "the open outbox does not lie in its place",
)


class NotPlayable(Exception):
    """A fault can not be played on this machine; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the gateway's log."""

    at: datetime
    event: str
    more: dict[str, Any]


class GatewayProcess:
    """The gateway, started once for a fault (and by hand again only where the fault is its own death)."""

    def __init__(self, environment: dict[str, str], command: Sequence[str]) -> None:
        self.log: list[Line] = []
        self.starts = 0
        self._command = command
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
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *self._command, env=self._environment, stderr=asyncio.subprocess.PIPE
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

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None, "it runs"
        self._process.send_signal(number)

    def first(self, kind: Callable[[Line], bool], since: datetime) -> Line | None:
        """Give the first line of a kind."""
        return next((line for line in self.log if line.at > since and kind(line)), None)

    def every(self, kind: Callable[[Line], bool], since: datetime) -> list[Line]:
        """Give all lines of a kind."""
        return [line for line in self.log if line.at > since and kind(line)]

    def has_said(self, event: str) -> bool:
        """Whether a line says this."""
        return any(line.event == event for line in self.log)

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
    broker: Mosquitto
    outbox: Path
    devices: AsyncExitStack
    bus: PrivateBus
    bluez: BluezProcess
    init_system: InitSystem
    services: AsyncExitStack
    other: MessageBus
    gateway: GatewayProcess
    ear: Ear
    clock: ClinicalClock
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
    return line.event.startswith(_ACTS)


def is_rung(line: Line) -> bool:
    """Say whether a line tells that a rung of recovery is taken."""
    return line.event == "recovery"


@asynccontextmanager
async def fault_ground(
    folder: Path,
    *,
    settings: dict[str, str],
    command: Sequence[str] = GATEWAY,
    disk_bytes: int | None = None,
    clock_speed: float = 1.0,
) -> AsyncIterator[FaultGround]:
    """Build it all up around one fault; the gateway is not started yet.

    From now on clinical time is `clock_speed` times as fast. With `disk_bytes` the outbox lies on a file system of that
    size. Raises NotPlayable where none can be mounted.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    air, hci = Air(), folder / "hci"
    memory = ("--storage", str(folder / "bluetooth"))
    async with AsyncExitStack() as closing:
        outbox = folder / "card" / "outbox.sqlite"
        outbox.parent.mkdir()
        if disk_bytes is not None:
            closing.enter_context(_mounted(outbox.parent, disk_bytes))
        broker = await asyncio.to_thread(Mosquitto)
        closing.callback(broker.close)
        await asyncio.to_thread(broker.start)
        bus = await closing.enter_async_context(private_bus(folder))
        await closing.enter_async_context(open_hci_port(air, hci))
        devices = await closing.enter_async_context(AsyncExitStack())
        transports = [f"unix:{hci}"] * ADAPTERS
        bluez = await closing.enter_async_context(bluez_process(bus.address, transports=transports, options=memory))
        other = await closing.enter_async_context(_another_client(bus.address))
        init_system = InitSystem(units={"bluetooth.service": bluez.restart}, reboot=bluez.reboot)
        services = await closing.enter_async_context(AsyncExitStack())
        await services.enter_async_context(init_system.on(bus.address))
        ear = await closing.enter_async_context(listening(broker.port))
        clock = ClinicalClock(origin=datetime.now(UTC), speed=clock_speed)
        environment = _environment(outbox, bus.address, broker.port, settings) | _of_clock(clock)
        gateway = GatewayProcess(environment, command)
        closing.push_async_callback(gateway.end, kill=False)
        yield FaultGround(
            air=air,
            broker=broker,
            outbox=outbox,
            devices=devices,
            bus=bus,
            bluez=bluez,
            init_system=init_system,
            services=services,
            other=other,
            gateway=gateway,
            ear=ear,
            clock=clock,
        )


@asynccontextmanager
async def _another_client(bus_address: str) -> AsyncIterator[MessageBus]:
    """Stand beside the gateway on the bus; that the bus dies is part of the play."""
    other = await connect(bus_address)
    gone: asyncio.Future[None] = asyncio.ensure_future(other.wait_for_disconnect())  # type: ignore[no-untyped-call]
    gone.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    try:
        yield other
    finally:
        other.disconnect()


def _of_clock(clock: ClinicalClock) -> dict[str, str]:
    return {"HEARTHWATCH_CLOCK_ORIGIN": clock.origin.isoformat(), "HEARTHWATCH_CLOCK_SPEED": str(clock.speed)}


@contextmanager
def _mounted(where: Path, size: int) -> Iterator[None]:
    command = ("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(where))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotPlayable(f"no file system can be mounted here: {done.stderr.strip() or done.stdout.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def _environment(outbox: Path, bus_address: str, broker_port: int, settings: dict[str, str]) -> dict[str, str]:
    values = {
        "GATEWAY_ID": GATEWAY_ID,
        "BROKER_HOST": LOOPBACK,
        "BROKER_PORT": str(broker_port),
        "OUTBOX_PATH": str(outbox),
        "CLOCK_TRUST": "synchronised",
        "FLUSH_S": "0.5",
        "RECONNECT_S_MAX": "1",
        **settings,
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEARTHWATCH_GATEWAY_")},
        "DBUS_SYSTEM_BUS_ADDRESS": bus_address,
        "RUNTIME_DIRECTORY": str(outbox.parent.with_name("memory")),  # where an outbox in memory would lie
        "PYTHONUNBUFFERED": "1",
        **{f"HEARTHWATCH_GATEWAY_{name}": value for name, value in values.items()},
    }

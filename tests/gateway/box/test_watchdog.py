"""What systemd is told, heard on a real socket as systemd's own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.box.health import Progress
from gateway.box.watchdog import Evidence, Systemd, Watchdog
from gateway.outbox.door import OutboxDoor
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.stand_in import StandIn

REPOSITORY = Path(__file__).resolve().parents[3]
QUIET = Progress(waiting=0, groups=0, is_disk_full=False)
PERIOD_S = 1.5


class Listener:
    """The end of NOTIFY_SOCKET that systemd holds."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)

    async def next(self) -> list[str]:
        """Wait for one message."""
        self._socket.setblocking(False)
        return (await asyncio.get_running_loop().sock_recv(self._socket, 4096)).decode().splitlines()

    async def until(self, line: str) -> None:
        """Wait for a message with this line."""
        while line not in await self.next():
            pass

    async def silent(self, seconds: float) -> bool:
        """Say whether nothing that feeds comes within so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.until("WATCHDOG=1")
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "notify")
    yield listener
    listener.close()


def speaks_to(listener: Listener) -> Systemd:
    return Systemd(address=listener.address, watchdog_s=PERIOD_S)


async def test_ready_is_said_once_and_it_is_fed_while_the_outbox_answers(systemd: Listener, tmp_path: Path) -> None:
    door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 20, undecoded_max=1)

    async def depth() -> int:
        return (await door.account()).depth

    task = asyncio.create_task(Watchdog(speaks_to(systemd), Evidence(ask_outbox=depth, intake=lambda: QUIET)).run())
    await systemd.until("READY=1")
    while "WATCHDOG=1" not in (heard := await systemd.next()):
        pass
    assert heard == ["WATCHDOG=1", "STATUS=0 readings wait to be stored"]
    task.cancel()
    await door.close()


async def test_an_outbox_thread_that_hangs_feeds_nobody_until_it_answers(systemd: Listener, tmp_path: Path) -> None:
    door = await OutboxDoor.opened(tmp_path / "outbox.sqlite", bytes_max=1 << 20, undecoded_max=1)
    released = threading.Event()

    async def depth() -> int:
        return (await door.account()).depth

    task = asyncio.create_task(Watchdog(speaks_to(systemd), Evidence(ask_outbox=depth, intake=lambda: QUIET)).run())
    await systemd.until("WATCHDOG=1")
    hung = asyncio.create_task(door._call(lambda: released.wait(30)))  # as an fsync on a dying card
    await systemd.until("STATUS=standing still: the outbox does not answer")
    assert await systemd.silent(PERIOD_S)
    released.set()
    await systemd.until("WATCHDOG=1")
    task.cancel()
    await hung
    await door.close()


async def test_notifications_that_nobody_accepts_feed_nobody(systemd: Listener) -> None:
    stuck = Progress(waiting=3, groups=9, is_disk_full=False)

    async def depth() -> int:
        return 0

    task = asyncio.create_task(Watchdog(speaks_to(systemd), Evidence(ask_outbox=depth, intake=lambda: stuck)).run())
    assert await systemd.next() == ["STATUS=standing still: 3 notifications wait and none is accepted"]
    assert await systemd.silent(PERIOD_S)
    task.cancel()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1"}, None),
        ({"NOTIFY_SOCKET": "/run/n"}, Systemd(address="/run/n", watchdog_s=None)),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "60000000"}, Systemd(address="@n", watchdog_s=60.0)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "0"}, Systemd(address="/n", watchdog_s=None)),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}, Systemd(address="/n", watchdog_s=None)),
    ],
)
def test_who_started_us_is_read_from_the_environment(environment: dict[str, str], expected: Systemd | None) -> None:
    assert Systemd.from_environment(environment) == expected


def test_a_systemd_that_has_gone_is_nothing_to_fail_for(tmp_path: Path) -> None:
    Systemd(address=str(tmp_path / "gone"), watchdog_s=None).tell("READY=1")


async def test_the_gateway_process_says_ready_is_fed_and_says_when_it_stops(
    systemd: Listener, broker: Mosquitto, gateway_id: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": systemd.address,
        "WATCHDOG_USEC": "600000",
        "HEARTHWATCH_GATEWAY_GATEWAY_ID": gateway_id,
        "HEARTHWATCH_GATEWAY_BROKER_PORT": str(broker.port),
        "HEARTHWATCH_GATEWAY_OUTBOX_PATH": str(tmp_path / "outbox.sqlite"),
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus",
    }
    async with StandIn("127.0.0.1", broker.port, gateway_id) as centre:
        with running(environment) as process:
            await systemd.until("READY=1")
            await systemd.until("WATCHDOG=1")
            await centre.until(lambda c: c.status.get("state") == "online")
            process.send_signal(signal.SIGSTOP)
            while not await systemd.silent(1.2):  # what it said before it was stopped
                pass
            process.send_signal(signal.SIGCONT)
            await systemd.until("WATCHDOG=1")
            process.terminate()
            await systemd.until("STOPPING=1")
            assert await asyncio.to_thread(process.wait) == 0


@contextmanager
def running(environment: dict[str, str]) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "hearthwatch", "gateway", "run"]
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()

"""The gateway as a process: told to stop, and killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.outbox.outbox import Outbox
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.outbox.test_disk import mounted
from tests.gateway.stand_in import StandIn
from tests.gateway.waiting import eventually

REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def started(broker: Mosquitto, gateway_id: str, outbox: Path, **settings: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `hearthwatch gateway run`, without any Bluetooth if no setting names a bus."""
    environment = {
        **os.environ,
        "HEARTHWATCH_GATEWAY_GATEWAY_ID": gateway_id,
        "HEARTHWATCH_GATEWAY_BROKER_HOST": "127.0.0.1",
        "HEARTHWATCH_GATEWAY_BROKER_PORT": str(broker.port),
        "HEARTHWATCH_GATEWAY_OUTBOX_PATH": str(outbox),
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus",
        **settings,
    }
    command = [sys.executable, "-m", "hearthwatch", "gateway", "run", "--log-format", "json"]
    with subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -9)])
async def test_told_to_stop_or_killed_it_is_known_as_offline(
    broker: Mosquitto, gateway_id: str, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    outbox = tmp_path / "outbox.sqlite"
    async with StandIn("127.0.0.1", broker.port, gateway_id) as centre:
        with started(broker, gateway_id, outbox) as process:
            await centre.until(lambda c: c.status.get("state") == "online")
            (adapter,) = centre.status["adapters"]
            assert adapter["state"] == "unavailable: no D-Bus"
            await eventually((tmp_path / "status.json").exists)
            process.send_signal(number)
            await centre.until(lambda c: c.status == {"state": "offline"})
            assert await asyncio.to_thread(process.wait) == code
    last = json.loads((tmp_path / "status.json").read_bytes())
    assert last["state"] == ("offline" if code == 0 else "online")
    assert last["outbox"]["accepted"] == 0
    Outbox(outbox, bytes_max=1 << 20, undecoded_max=1).close()


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system that takes nothing."""
    disk = mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "ro", "none")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_on_a_disk_that_takes_nothing_it_works_in_the_folder_that_systemd_keeps_for_it(
    broker: Mosquitto, gateway_id: str, tmp_path: Path, read_only_disk: Path
) -> None:
    (runtime := tmp_path / "run").mkdir()
    outbox = read_only_disk / "outbox.sqlite"
    async with StandIn("127.0.0.1", broker.port, gateway_id) as centre:
        with started(broker, gateway_id, outbox, RUNTIME_DIRECTORY=str(runtime)) as process:
            await centre.until(lambda c: c.status.get("state") == "online")
            assert not centre.status["outbox"]["durable"]
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait) == 0
    (left,) = runtime.glob("*/outbox.sqlite")
    assert left.stat().st_size > 0


async def test_without_a_file_of_tls_it_runs_and_says_so_at_the_box(
    broker: Mosquitto, gateway_id: str, tmp_path: Path
) -> None:
    missing, status = tmp_path / "site-ca.pem", tmp_path / "status.json"
    with started(
        broker, gateway_id, tmp_path / "outbox.sqlite", HEARTHWATCH_GATEWAY_BROKER_CA_FILE=str(missing)
    ) as process:
        await eventually(lambda: _said_of(status).get("uplink", {}).get("trouble") is not None)
        said = _said_of(status)["uplink"]["trouble"]
        assert said == f"broker_ca_file {missing}: No such file or directory"
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait) == 0


async def test_with_an_address_of_the_bus_that_is_none_it_runs_and_watches_over_the_home(
    broker: Mosquitto, gateway_id: str, tmp_path: Path
) -> None:
    status, light = tmp_path / "status.json", tmp_path / "brightness"
    light.write_text("0")
    with started(
        broker,
        gateway_id,
        tmp_path / "outbox.sqlite",
        DBUS_SYSTEM_BUS_ADDRESS="nonsense",
        HEARTHWATCH_GATEWAY_BROKER_PORT="1",
        HEARTHWATCH_GATEWAY_LOCAL_ALARM=json.dumps({"led": str(light)}),
        HEARTHWATCH_CLOCK_SPEED="100",
        HEARTHWATCH_CLOCK_ORIGIN=datetime.now(UTC).isoformat(),
    ) as process:
        await eventually(lambda: light.read_text() == "1")  # the centre has been out of reach for three minutes
        await eventually(lambda: _said_of(status).get("state") == "online" and bool(_causes(status)))
        (adapter,) = _said_of(status)["adapters"]
        assert (adapter["state"], _said_of(status)["crashes"]) == ("unavailable: no D-Bus", {})
        process.send_signal(signal.SIGTERM)
        said = (await asyncio.to_thread(process.communicate))[1]
        assert process.returncode == 0
    assert said.count(b"nonsense") == 1


def _said_of(status: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(status.read_bytes()) if status.exists() else {}
    return document


def _causes(status: Path) -> list[str]:
    return [trouble["cause"] for trouble in _said_of(status)["recovery"]["troubles"] if trouble["cause"] == "bus_gone"]


def test_a_second_gateway_on_one_outbox_is_refused(broker: Mosquitto, gateway_id: str, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", bytes_max=1 << 20, undecoded_max=1)
    with started(broker, gateway_id, tmp_path / "outbox.sqlite") as process:
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait() == 1
        assert b"in use by another gateway process" in said
    outbox.close()

"""The hub as its own process: gateways come, are killed, and come again."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bleak import BleakClient, BleakScanner

from firmware_stubs.__main__ import main
from firmware_stubs.bleak_backend import backend
from firmware_stubs.hub_process import HubProcess, hub_process
from tests.firmware_stubs.inbox import Inbox

P1 = "C0:00:00:00:00:01"
P5 = "C0:00:00:00:00:05"

GATEWAY = """
import asyncio, sys
from bleak import BleakClient
from firmware_stubs.bleak_backend import backend

async def main():
    made = backend(sys.argv[1])
    client = BleakClient(sys.argv[2], backend=made.client)
    await client.connect()
    await client.start_notify("2a5f", lambda *_: print("heard", flush=True))
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubProcess]:
    """The six households at speed 20."""
    async with hub_process(tmp_path / "air", "--speed", "20") as running:
        yield running


async def test_a_gateway_in_another_process_hears_every_measurement(hub: HubProcess) -> None:
    made = backend(hub.transport)
    inbox = Inbox()
    async with asyncio.timeout(60):
        device = await BleakScanner.find_device_by_address(P1, backend=made.scanner)
        assert device is not None
        async with BleakClient(device, backend=made.client) as client:
            await client.start_notify("2a5f", inbox)
            await inbox.holds(10)
            said = _of(await hub.hush(), P1)
            assert len(await inbox.holds(said["notifications"])) == said["notifications"]
            assert said["readings"] == 3 * said["notifications"]
            assert said["connected"]
            assert _of(await hub.counters(), P1)["notifications"] == said["notifications"]
        final = _of(await hub.stop(), P1)
        assert (final["notifications"], final["connected"]) == (said["notifications"], False)
        assert await hub.process.wait() == 0
    assert not hub.socket.exists()
    await made.close()


async def test_what_was_sent_and_when_is_written_down_at_the_end(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    inbox = Inbox()
    async with asyncio.timeout(60), hub_process(tmp_path / "air", "--speed", "20", "--sent", str(sent)) as running:
        made = backend(running.transport)
        async with BleakClient(P1, backend=made.client) as client:
            await client.start_notify("2a5f", inbox)
            await inbox.holds(5)
            notified = _of(await running.hush(), P1)["notifications"]
            heard = await inbox.holds(notified)
        await running.stop()
        await made.close()
    spo2 = [said for said in map(json.loads, sent.read_text().splitlines()) if said["metric"] == "spo2"]
    assert [said["value"] for said in spo2] == [value[1] for value in heard]
    assert {said["address"] for said in spo2} == {P1}
    times = [datetime.fromisoformat(said["measured_at"]) for said in spo2]
    assert times == sorted(set(times))


async def test_the_thermometers_three_days_come_over_the_socket(hub: HubProcess) -> None:
    made = backend(hub.transport)
    inbox = Inbox()
    async with asyncio.timeout(60):
        async with BleakClient(P5, backend=made.client) as client:
            await client.start_notify("2a1c", inbox)
            await inbox.holds(19)
        said = _of(await hub.hush(), P5)
    assert said["temperature"] >= 19
    assert said["confirmed"] == said["temperature"]
    await made.close()


async def test_a_killed_gateway_frees_its_devices_again_and_again(hub: HubProcess) -> None:
    async with asyncio.timeout(60):
        for _ in range(3):
            gateway = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", GATEWAY, hub.transport, P1), stdout=asyncio.subprocess.PIPE
            )
            assert gateway.stdout is not None
            assert await gateway.stdout.readline() == b"heard\n"
            assert _of(await hub.counters(), P1)["connected"]
            gateway.send_signal(signal.SIGKILL)
            await gateway.communicate()
        made = backend(hub.transport)
        async with BleakClient(P1, backend=made.client) as client:
            assert client.is_connected
        await made.close()


async def test_all_six_are_heard_at_once(hub: HubProcess) -> None:
    made = backend(hub.transport)
    inboxes = {f"C0:00:00:00:00:0{number}": Inbox() for number in range(1, 7)}
    async with asyncio.timeout(60), contextlib.AsyncExitStack() as links:

        async def listen(address: str, inbox: Inbox) -> None:
            client = await links.enter_async_context(BleakClient(address, backend=made.client))
            await client.start_notify("2a1c" if address == P5 else "2a5f", inbox)
            await inbox.holds(10)

        await asyncio.gather(*(listen(address, inbox) for address, inbox in inboxes.items()))
        said = await hub.hush()
        for address, inbox in inboxes.items():
            count = _of(said, address)["notifications"]
            assert len(await inbox.holds(count)) == count
    await made.close()


async def test_a_scan_cancelled_at_any_moment_of_its_beginning_leaves_the_adapter_hearing(hub: HubProcess) -> None:
    made = backend(hub.transport)
    async with asyncio.timeout(60):
        assert await BleakScanner.find_device_by_address(P1, backend=made.scanner)
        for steps in range(12):
            scan = asyncio.create_task(BleakScanner(backend=made.scanner).start())
            for _ in range(steps):
                await asyncio.sleep(0)
            was_under_way = scan.cancel()
            await asyncio.wait({scan})
            assert scan.cancelled() == was_under_way
            assert await BleakScanner.find_device_by_address(P1, backend=made.scanner)
    await made.close()


async def test_two_gateways_share_the_air(hub: HubProcess) -> None:
    one, other = backend(hub.transport), backend(hub.transport)
    inboxes = Inbox(), Inbox()
    async with (
        asyncio.timeout(60),
        BleakClient(P1, backend=one.client) as first,
        BleakClient("C0:00:00:00:00:03", backend=other.client) as second,
    ):
        await first.start_notify("2a5f", inboxes[0])
        await second.start_notify("2a5f", inboxes[1])
        for inbox in inboxes:
            await inbox.holds(3)
    await one.close()
    await other.close()


async def test_a_hub_that_dies_disconnects_and_the_next_one_is_found(tmp_path: Path) -> None:
    gone = asyncio.Event()
    made = backend(f"unix:{tmp_path / 'air'}")
    async with asyncio.timeout(60):
        async with hub_process(tmp_path / "air") as hub:
            client = BleakClient(P1, lambda _: gone.set(), backend=made.client)
            await client.connect()
            hub.process.kill()
            await gone.wait()
            assert not client.is_connected
        async with hub_process(tmp_path / "air"):
            await client.connect()
            assert client.is_connected
            await client.disconnect()
    await made.close()


async def test_a_gateway_that_speaks_no_hci_is_dropped_and_the_hub_lives(hub: HubProcess) -> None:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_unix_connection(str(hub.socket))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        made = backend(hub.transport)
        assert await BleakScanner.find_device_by_address(P1, backend=made.scanner) is not None
        await made.close()


async def test_a_recording_is_played_on_an_oximeter(tmp_path: Path) -> None:
    recording = tmp_path / "short.csv"
    recording.write_text("Time,SpO2 5,Pulse 5\n 10:00:00,81,120\n 11:00:00,81,120\n")
    inbox = Inbox()
    options = ("--speed", "20", "--recording", str(recording), "--recording-on", "p2")
    async with asyncio.timeout(60), hub_process(tmp_path / "air", *options) as hub:
        made = backend(hub.transport)
        async with BleakClient("C0:00:00:00:00:02", backend=made.client) as client:
            await client.start_notify("2a5f", inbox)
            assert (await inbox.holds(1))[0][1:5] == bytes.fromhex("5100 7800")
        await made.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--scenario", "household_seven"], 'no scenario "household_seven"'),
        (["--origin", "2026-11-21T12:00:00"], "names no zone"),
        (["--speed", "0"], "speed 0.0 is not above 0"),
        (["--zone", "Mars"], '"Mars" is no IANA zone'),
        (["--recording", "absent.csv", "--recording-on", "p5"], 'no oximeter "p5"'),
        (["--recording", "absent.csv"], "absent.csv"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["hub", "--socket", str(tmp_path / "air"), *options]) == 2
    assert message in capsys.readouterr().err


def test_the_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["hub", "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(word in said for word in ("SIGUSR1", "household_six", "sudden_fall", "example"))


def _of(line: dict[str, Any], address: str) -> dict[str, Any]:
    found: dict[str, Any] = next(device for device in line["devices"] if device["address"] == address)
    return found

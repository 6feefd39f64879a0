"""A heart-rate band, a wanderer, a device that plays a script, a beacon, and all kinds out of a scenario."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bleak import BleakClient, BleakScanner

from firmware_stubs.beacon import Beacon
from firmware_stubs.bleak_backend import Backend
from firmware_stubs.catalogue import Kind
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.county import ScenarioError, build, read_scenario
from firmware_stubs.heart_rate_band import HeartRateBand
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import State
from firmware_stubs.radio import Air
from firmware_stubs.scripted import Script, ScriptedDevice
from firmware_stubs.tally import Metric
from firmware_stubs.wanderer import Wanderer
from tests.firmware_stubs.inbox import Inbox

ADDRESS = "C0:00:00:00:00:0A"
SwitchOn = Callable[[Peripheral], Awaitable[None]]
STEADY = State(spo2_percent=97.0, pulse_per_min=75.0)
ALL_KINDS = """
[[device]]
name = "cuff"
address = "C0:00:00:00:00:21"
kind = "blood_pressure_cuff"
course = "blood_pressure"
history_first_h = 8
clock_error_s = -3600
[[device]]
name = "band"
address = "C0:00:00:00:00:22"
kind = "heart_rate_band"
course = "healthy"
[[device]]
name = "meter"
address = "C0:00:00:00:00:23"
kind = "glucose_meter"
course = "glucose"
history_first_h = 8
[[device]]
name = "clip"
address = "C0:00:00:00:00:24"
kind = "spot_oximeter"
course = "healthy"
[[device]]
name = "scale"
address = "C0:00:00:00:00:25"
kind = "scale"
course = "weight"
options = { gain_kg_per_day = 0.5 }
[[device]]
name = "bond"
address = "C0:00:00:00:00:26"
kind = "bonding_thermometer"
course = "fever"
[[device]]
name = "wanderer"
address = "C0:00:00:00:00:27"
kind = "wanderer"
course = "healthy"
reboot_every_s = 600
[[device]]
name = "My Oximeter"
address = "C0:00:00:00:00:28"
kind = "scripted"
[device.script]
service = "cdeacb80-5235-4c07-8846-93a37ee6b86d"
notify = "cdeacb81-5235-4c07-8846-93a37ee6b86d"
frames = ["81484032", "81ff7f00"]
answers = { "aa" = ["bb01"] }
[[device]]
name = "beacon"
address = "C0:00:00:00:00:29"
kind = "beacon"
[device.script]
service = "fcd2"
payloads = ["40 02 6a0e", "40 02 740e"]
"""


def identity(name: str = "d") -> Identity:
    return Identity(name=name, address=ADDRESS, advertising_interval_ms=20.0)


async def test_a_band_leaves_no_beat_out(air: Air, gateway: Backend, clock: ClinicalClock, switch_on: SwitchOn) -> None:
    band = HeartRateBand(air=air, identity=identity(), clock=clock, course=lambda _: STEADY)
    await switch_on(band)
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("2a37", inbox)
        received = await inbox.holds(20)
    beats_s = [reading.value for reading in band.tally.sent if reading.metric is Metric.RR_INTERVAL]
    sent = [int.from_bytes(value[at : at + 2], "little") / 1024 for value in received for at in range(2, len(value), 2)]
    assert beats_s[: len(sent)] == sent
    assert {value[1] for value in received} == {75}
    assert sum(sent) / len(sent) == pytest.approx(0.8, abs=0.01)
    times = [reading.measured_at for reading in band.tally.sent if reading.metric is Metric.PULSE]
    assert sum(beats_s) == pytest.approx((times[-1] - times[0]).total_seconds(), abs=1.7)


async def test_a_wanderer_comes_back_under_another_address(
    air: Air, gateway: Backend, clock: ClinicalClock, switch_on: SwitchOn
) -> None:
    device = Wanderer(
        air=air, identity=replace(identity("w"), address="C0:00:00:00:00:FF"), clock=clock, course=lambda _: STEADY
    )
    await switch_on(device)
    gone = asyncio.Event()
    async with asyncio.timeout(60):
        client = BleakClient("C0:00:00:00:00:FF", lambda _: gone.set(), backend=gateway.client)
        await client.connect()
        await device.reboot()
        await gone.wait()
        found = await BleakScanner.find_device_by_name("w", backend=gateway.scanner)
        assert found is not None
        assert found.address == device.identity.address == "C0:00:00:00:01:00"


async def test_a_script_is_played_from_its_beginning_command_and_answers_by_the_longest_entry(
    air: Air, gateway: Backend, switch_on: SwitchOn
) -> None:
    script = Script(
        service="ff12",
        notify="ff02",
        write="ff01",
        frames=(b"\xeb\x01\x05\x48\x61", b"\xeb\x00\x07"),
        every_real_s=0.01,
        frames_to_begin_after=b"\x9b\x01",
        answers={b"\x9a": (b"\x01",), b"\x9a\x1a": (b"\x02", b"\x03")},
        reads={"2a00": b"x"},
        chunk_bytes=3,
    )
    device = ScriptedDevice(air=air, identity=identity(), script=script)
    await switch_on(device)
    inbox = Inbox()
    async with asyncio.timeout(60), BleakClient(ADDRESS, backend=gateway.client) as client:
        await client.start_notify("ff02", inbox)
        await client.write_gatt_char("ff01", b"\x9a\x1a", response=False)
        assert await inbox.holds(2) == [b"\x02", b"\x03"]
        await client.write_gatt_char("ff01", b"\x9a\x00", response=True)
        assert (await inbox.holds(3))[2:] == [b"\x01"]
        await client.write_gatt_char("ff01", b"\x9b\x01\x1c", response=False)
        assert (await inbox.holds(6))[3:6] == [b"\xeb\x01\x05", b"\x48\x61", b"\xeb\x00\x07"]
    assert device.written == [b"\x9a\x1a", b"\x9a\x00", b"\x9b\x01\x1c"]


async def test_a_script_that_is_played_once_ends_with_a_goodbye(
    air: Air, gateway: Backend, switch_on: SwitchOn
) -> None:
    script = Script(
        service="1809", notify="2a1c", frames=(b"\x01", b"\x02"), every_real_s=0.01, indicates=True, hangs_up=True
    )
    device = ScriptedDevice(air=air, identity=identity(), script=script)
    await switch_on(device)
    inbox, gone = Inbox(), asyncio.Event()
    async with asyncio.timeout(60):
        client = BleakClient(ADDRESS, lambda _: gone.set(), backend=gateway.client)
        await client.connect()
        await client.start_notify("2a1c", inbox)
        await gone.wait()
    assert inbox.values == [b"\x01", b"\x02"]
    assert device.sent == 2


async def test_a_beacon_says_one_thing_after_another(air: Air, gateway: Backend, switch_on: SwitchOn) -> None:
    payloads = [bytes.fromhex(payload) for payload in ("40026a0e", "4002740e")]
    device = Beacon(air=air, identity=identity(), service=0xFCD2, payloads=payloads, every_real_s=0.05)
    await switch_on(device)
    heard: set[bytes] = set()
    async with asyncio.timeout(60), BleakScanner(backend=gateway.scanner) as scanner:
        async for _, advertisement in scanner.advertisement_data():
            heard.add(advertisement.service_data["0000fcd2-0000-1000-8000-00805f9b34fb"])
            if len(heard) == 2:
                break
    assert heard == set(payloads)


async def test_every_kind_comes_out_of_a_scenario(
    tmp_path: Path, air: Air, clock: ClinicalClock, switch_on: SwitchOn
) -> None:
    path = tmp_path / "all.toml"
    path.write_text(ALL_KINDS)
    scenario = read_scenario(path)
    assert {device.kind for device in scenario.devices} == set(Kind) - {Kind.OXIMETER, Kind.THERMOMETER}
    for device in build(scenario, air=air, clock=clock):
        await switch_on(device)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('notify = "cdea', 'notifies = "cdea', "notifies"),
        ('"81484032"', '"8148403"', "non-hexadecimal"),
        ('service = "fcd2"', 'service = "fcdx"', "fcdx"),
        ('payloads = ["40', 'payload = ["40', "payloads"),
    ],
)
async def test_a_script_that_cannot_be_played_is_refused_by_name(
    tmp_path: Path, air: Air, clock: ClinicalClock, old: str, new: str, message: str
) -> None:
    path = tmp_path / "all.toml"
    path.write_text(ALL_KINDS.replace(old, new, 1))
    with pytest.raises(ScenarioError, match=message):
        build(read_scenario(path), air=air, clock=clock)

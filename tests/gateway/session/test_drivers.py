"""Sessions as drivers want them: polled, answered, paired with, set right, overheard."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from bumble import att
from structlog.testing import capture_logs

from firmware_stubs.beacon import Beacon
from firmware_stubs.bonding_thermometer import HANG_UP, BondingThermometer
from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import fever, healthy
from firmware_stubs.memory import History, Memory
from firmware_stubs.peripheral import Identity
from firmware_stubs.scripted import Script, ScriptedDevice
from firmware_stubs.spot_oximeter import SpotOximeter
from gateway.drivers import contec, viatom
from gateway.drivers.checksums import crc8
from gateway.gatt.decoders import decode
from gateway.session.conversation import Conversation
from gateway.session.states import State
from tests.gateway.fleet_rig import FIRST, ORIGIN, SPEED, FleetRig, claim, impatient, session_of
from tests.gateway.waiting import eventually

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture
async def rig() -> AsyncIterator[FleetRig]:
    rig = FleetRig()
    yield rig
    await rig.close()


def identity(name: str) -> Identity:
    return Identity(name=name, address=FIRST, advertising_interval_ms=30.0)


def memory(*, every_s: float = 1e9, history: History | None = None, clock_error: timedelta = timedelta(0)) -> Memory:
    clock = StubClock(origin=ORIGIN, speed=SPEED)
    return Memory(clock=clock, course=fever(), zone=ZONE, every_s=every_s, history=history, clock_error=clock_error)


def viatom_answer(spo2: int) -> bytes:
    values = bytes((spo2, 72, 0, 0, 0, 0, 0, 80, 0, 0, 5, 1, 0))
    head = bytes((0x55, 0x00, 0xFF, 0, 0, len(values), 0))
    return head + values + bytes((crc8(head + values),))


async def test_a_device_that_speaks_when_asked_is_asked_and_its_pieces_are_put_together(rig: FleetRig) -> None:
    device = ScriptedDevice(
        air=rig.air,
        identity=identity("O2Ring 1234"),
        script=Script(
            service="14839ac4-7d7e-415c-9a42-167340cf2339",
            notify=viatom.NOTIFY,
            write=viatom.WRITE,
            answers={b"\xaa\x17": (viatom_answer(97),)},
            chunk_bytes=20,
        ),
    )
    await rig.switch_on(device)
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: len(rig.of(viatom.NOTIFY)) >= 2)
        assert session_of(fleet).progress.state is State.POLL
        assert {n.driver for n in rig.of(viatom.NOTIFY)} == {"viatom"}
        assert {n.payload for n in rig.of(viatom.NOTIFY)} == {viatom_answer(97)}
        assert len(device.written) >= 2


async def test_first_words_are_said_and_the_last_ones_when_it_is_we_who_go(rig: FleetRig) -> None:
    device = ScriptedDevice(
        air=rig.air,
        identity=identity("SpO208"),
        script=Script(
            service="ff12", notify="ff02", write="ff01", frames_to_begin_after=b"\x9b", frames=(b"\xeb\x00" + bytes(4),)
        ),
    )
    await rig.switch_on(device)
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: session_of(fleet).is_speaking and device.sent >= 2)
        assert [words[:1] for words in device.written[:3]] == [b"\x89", b"\x8e", b"\x9b"]
    (goodbye,) = contec.DRIVER.end
    assert device.written[-1] == goodbye.payload


async def test_words_for_a_characteristic_that_is_not_there_are_told_once_a_link(rig: FleetRig) -> None:
    script = Script(service="ff12", notify="ff02", frames=(b"\xeb\x00" + bytes(4),))
    device = ScriptedDevice(air=rig.air, identity=identity("SpO208"), script=script)
    await rig.switch_on(device)
    with capture_logs() as logs:
        async with rig.fleet([claim()]) as fleet:
            await eventually(lambda: session_of(fleet).is_speaking and device.sent >= 2)
    (told,) = (entry for entry in logs if entry["event"].startswith("not written"))
    assert (told["device"], told["characteristic"]) == (FIRST, contec.WRITE)


async def test_a_device_is_paired_with_its_clock_set_and_its_memory_fetched(rig: FleetRig) -> None:
    thermometer = BondingThermometer(
        air=rig.air,
        identity=identity("A&D_UT201BLE_1"),
        memory=memory(
            every_s=60.0,
            history=History(first_ago=timedelta(hours=3), every=timedelta(hours=1)),
            clock_error=timedelta(minutes=-10),
        ),
    )
    await rig.switch_on(thermometer)
    async with rig.fleet([claim()], plan=impatient(spot_linger_s=5, spot_pause_s=0.5)) as fleet:
        await eventually(lambda: len(rig.of("2a1c")) >= 4)
        assert {n.driver for n in rig.taken if n.characteristic == "2a1c"} == {"and_thermometer"}
        assert abs(thermometer.memory.clock_error) < timedelta(seconds=60)
        assert session_of(fleet).counts.failures == 0
        await eventually(lambda: len(rig.of("2a1c")) >= 5)  # it sleeps between two measurements, and is collected


async def test_a_wish_to_be_paired_that_nobody_knew_of_shows_on_the_link(rig: FleetRig) -> None:
    thermometer = BondingThermometer(air=rig.air, identity=identity("no known name"), memory=memory(every_s=60.0))
    await rig.switch_on(thermometer)
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: len(rig.of("2a1c")) >= 1)
        assert {n.driver for n in rig.of("2a1c")} == {"bluetooth_sig"}
        assert session_of(fleet).counts.failures == 0


async def test_a_device_that_wants_to_be_paired_only_when_it_is_polled_is_paired(rig: FleetRig) -> None:
    script = Script(service="ff12", notify="ff02", write="ff01", frames=(b"\xeb\x00" + bytes(4),))
    device = ScriptedDevice(air=rig.air, identity=identity("SpO208"), script=script)
    obey = device._on_write

    def refuse(value: bytes) -> None:
        if value.startswith(b"\x9a") and not (device.connection and device.connection.is_encrypted):
            raise att.ATT_Error(att.ErrorCode.INSUFFICIENT_AUTHENTICATION)
        obey(value)

    device._on_write = refuse  # type: ignore[method-assign]
    await rig.switch_on(device)
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: any(words.startswith(b"\x9a") for words in device.written))
        before = len(rig.of("ff02"))
        await eventually(lambda: len(rig.of("ff02")) >= before + 2)
        assert (session_of(fleet).counts.failures, session_of(fleet).counts.links) == (0, 1)


async def test_a_bug_in_a_conversation_is_told_counted_and_the_link_made_anew(
    rig: FleetRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def faulty(_conversation: Conversation) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Conversation, "keep_answering", faulty)
    await rig.oximeter()
    with capture_logs() as logs:
        async with rig.fleet([claim()], plan=impatient(stream_silence_s_max=1e9)) as fleet:
            await eventually(lambda: session_of(fleet).counts.links == 2)
            await eventually(lambda: session_of(fleet).is_speaking)
            assert session_of(fleet).counts.failures == 1
            assert rig.crashes.pop("session") == 1
    (told,) = (entry for entry in logs if "crashed" in entry["event"])
    assert (told["device"], told["exc_info"]) == (FIRST, True)


async def test_a_device_is_told_to_hang_up_where_it_knows_the_word(rig: FleetRig) -> None:
    thermometer = BondingThermometer(
        air=rig.air, identity=identity("A&D_UT201BLE_1"), memory=memory(every_s=1e9), awake_real_s=1e9
    )
    heard: list[bytes] = []
    obey = thermometer._obey

    async def overheard(command: bytes) -> None:
        heard.append(command)
        if command != HANG_UP:
            await obey(command)

    thermometer._obey = overheard  # type: ignore[method-assign]
    await rig.switch_on(thermometer)
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: session_of(fleet).is_speaking)
    assert heard[-1] == HANG_UP


async def test_stored_records_are_asked_for_and_come_in_order(rig: FleetRig) -> None:
    oximeter = SpotOximeter(
        air=rig.air,
        identity=identity("spot"),
        memory=Memory(
            clock=StubClock(origin=ORIGIN, speed=SPEED),
            course=healthy(),
            zone=ZONE,
            every_s=1e9,
            history=History(first_ago=timedelta(hours=8), every=timedelta(hours=1)),
        ),
    )
    await rig.switch_on(oximeter)
    async with rig.fleet([claim()]):
        await eventually(lambda: len(rig.of("2a5e")) >= 9)
        times = [decode("2a5e", n.payload).device_time for n in rig.of("2a5e")]
        assert times == sorted(times, key=str)
        assert times == [record.civil.replace(tzinfo=None) for record in oximeter.memory.records]


async def test_a_device_that_only_broadcasts_is_overheard_and_never_connected_to(rig: FleetRig) -> None:
    payloads = [bytes.fromhex("40") + bytes((0x00, number)) + bytes.fromhex("02760e") for number in range(3)]
    beacon = Beacon(air=rig.air, identity=identity("ATC_1"), service=0xFCD2, payloads=payloads, every_real_s=0.2)
    await rig.switch_on(beacon)
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: len(rig.of("fcd2")) >= 4)
        seen = [n.payload for n in rig.of("fcd2")]
        assert all(a != b for a, b in pairwise(seen))
        assert {n.driver for n in rig.taken} == {"bthome"}
        assert session_of(fleet).counts.links == 0
        assert not beacon.is_connected

"""Bluetooth's troubles on rig 2: after each of them data flow again, and the gateway was not restarted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from firmware_stubs.bluez.faults import Cure, Deafness, LostService, Member, Refusal, Trouble
from firmware_stubs.bonding_thermometer import BondingThermometer
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import fever
from firmware_stubs.memory import Memory
from firmware_stubs.peripheral import Identity, Peripheral
from gateway.recovery.ladder import Act, Cause, Rung
from gateway.session.states import State
from hearthwatch.services.mosquitto import Mosquitto
from tests.firmware_stubs.bus_client import CHARACTERISTIC, DEVICE, BusClient
from tests.gateway.conftest import MakeSettings
from tests.gateway.gateway_rig import GatewayRig, oximeter, running
from tests.gateway.waiting import eventually
from tests.rigs import Rig2

pytestmark = pytest.mark.long

FIRST, SECOND = "C0:00:00:00:00:01", "C0:00:00:00:00:02"


@pytest.fixture
async def rig(rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings) -> AsyncIterator[GatewayRig]:
    """A gateway that reads two oximeters through one adapter."""
    for address in (FIRST, SECOND):
        await rig2.switch_on(oximeter(rig2, address))
    settings = make_settings(broker, claim_all=False, devices=(FIRST, SECOND))
    async with running(rig2, settings, gateway_id) as rig:
        await rig.data_flow(FIRST, SECOND)
        yield rig


async def test_a_lost_link(rig: GatewayRig) -> None:
    rig.rig2.air.cut(FIRST)
    await eventually(lambda: rig.session(FIRST).counts.links_lost == 1)
    await rig.data_flow(FIRST, SECOND)
    assert rig.session(SECOND).counts.links == 1


async def test_a_device_out_of_range_and_back(rig: GatewayRig) -> None:
    rig.rig2.air.take_away(FIRST)
    await eventually(lambda: rig.session(FIRST).progress.state is State.SCAN)
    await rig.data_flow(SECOND)
    rig.rig2.air.bring_back(FIRST)
    await rig.data_flow(FIRST, SECOND)


async def test_bluetoothd_killed_and_started_again(rig: GatewayRig) -> None:
    await rig.rig2.bluez.kill()
    await rig.ingest.until(lambda i: i.status["recovery"]["last"] is not None)
    last = rig.ingest.status["recovery"]["last"]
    assert (last["rung"], last["because"]) == ("rescan", "bluetoothd_gone")
    assert {adapter["state"] for adapter in rig.ingest.status["adapters"]} == {"unavailable: no bluetoothd"}
    await rig.rig2.bluez.start()
    await rig.data_flow(FIRST, SECOND)
    assert rig.session(FIRST).counts.failures == 0


async def test_bluetoothd_killed_and_restarted_by_us(rig: GatewayRig) -> None:
    await rig.rig2.bluez.kill()
    await rig.data_flow(FIRST, SECOND)
    assert rig.rig2.init_system.restarts == ["bluetooth.service"]
    assert rig.taken() == {"rescan": 1, "restart_bluetoothd": 1}


async def test_bluetoothd_that_hangs_is_waited_for_in_vain_by_nobody(rig: GatewayRig) -> None:
    pid = rig.rig2.bluez.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        rig.gateway.fleet.drop_links()
        await eventually(lambda: rig.session(FIRST).is_without_link and rig.session(SECOND).is_without_link)
        await rig.gateway.recovery._take(Act(rung=Rung.RESTART_BLUETOOTHD, because=Cause.SILENT_AIR, adapter="hci0"))
    finally:
        os.kill(pid, signal.SIGCONT)
    await rig.data_flow(FIRST, SECOND)


async def test_the_bus_killed_and_started_again(rig: GatewayRig) -> None:
    await rig.rig2.bus.kill()
    await eventually(lambda: rig.taken().get("rescan") == 1)
    await rig.rig2.restart_bus()
    await rig.data_flow(FIRST, SECOND)


async def test_a_scan_and_connects_that_are_refused(rig: GatewayRig) -> None:
    await rig.rig2.bluez.inject(Refusal(member=Member.START_DISCOVERY, trouble=Trouble.IN_PROGRESS, times=2))
    await rig.rig2.bluez.inject(Refusal(member=Member.CONNECT, trouble=Trouble.IN_PROGRESS, times=2))
    rig.gateway.radio.rescan()
    rig.rig2.air.cut(FIRST)
    await eventually(lambda: rig.taken().get("rescan") == 1)
    await rig.data_flow(FIRST, SECOND)
    assert rig.session(FIRST).counts.failures >= 2


async def test_a_link_that_is_gone_though_nobody_said_so(rig: GatewayRig) -> None:
    await rig.rig2.bluez.inject(Refusal(member=Member.READ_VALUE, trouble=Trouble.NOT_CONNECTED))
    rig.rig2.air.cut(FIRST)
    await eventually(lambda: rig.session(FIRST).counts.links_lost == 2)
    await rig.data_flow(FIRST, SECOND)


async def test_ten_seconds_of_radio_silence(rig: GatewayRig) -> None:
    await rig.rig2.bluez.inject(Deafness(seconds=10))
    rig.rig2.air.cut(FIRST)
    await rig.data_flow(SECOND)
    await rig.data_flow(FIRST, SECOND)
    assert rig.taken() == {}


async def test_a_second_subscriber_doubles_nothing(rig: GatewayRig) -> None:
    async with BusClient(rig.rig2.bus.address) as other:
        path = next(iter(p for p in await other.objects() if p.endswith(FIRST.replace(":", "_"))))
        measurement = await other.path_of(path, "2a5f")
        await other.bluez(measurement, CHARACTERISTIC, "StartNotify")
        encounter = rig.session(FIRST).encounter
        assert encounter is not None
        assert encounter.conversation is not None
        hearing = encounter.conversation.hearing
        await eventually(lambda: hearing.echoes >= 5)
        await rig.data_flow(FIRST, SECOND)
    rows = [n for n, row in rig.ingest.rows.items() if row.signal_code == 1]
    times = sorted(
        rig.ingest.times_ms[n]
        for n in rows
        if rig.ingest.headers[n].devices[rig.ingest.rows[n].device_index].device == FIRST
    )
    assert all(later - earlier > 50 for earlier, later in pairwise(times))


async def test_an_adapter_that_only_a_power_cycle_cures(rig: GatewayRig) -> None:
    await rig.rig2.bluez.inject(Deafness(cure=Cure.POWER_CYCLE))
    rig.rig2.air.cut(FIRST)
    await eventually(lambda: rig.session(FIRST).progress.state is State.SCAN)
    await rig.gateway.recovery._take(Act(rung=Rung.RESCAN, because=Cause.SILENT_AIR, adapter="hci0"))
    await rig.data_flow(SECOND)
    assert rig.session(FIRST).progress.state is State.SCAN
    await rig.gateway.recovery._take(Act(rung=Rung.POWER_CYCLE, because=Cause.SILENT_AIR, adapter="hci0"))
    await rig.data_flow(FIRST, SECOND)
    assert rig.ingest.status["recovery"]["power_cycle"] == 1


async def test_an_adapter_that_only_a_restart_of_bluetoothd_cures(rig: GatewayRig) -> None:
    await rig.rig2.bluez.inject(Deafness(cure=Cure.RESTART))
    rig.rig2.air.cut(FIRST)
    await eventually(lambda: rig.session(FIRST).progress.state is State.SCAN)
    await rig.gateway.recovery._take(Act(rung=Rung.RESTART_BLUETOOTHD, because=Cause.SILENT_AIR, adapter="hci0"))
    await rig.data_flow(FIRST, SECOND)


async def test_a_rung_that_the_machine_refuses_is_told_and_stops_nothing(rig: GatewayRig) -> None:
    rig.rig2.init_system.is_allowed = False
    await rig.gateway.recovery._take(Act(rung=Rung.RESTART_BLUETOOTHD, because=Cause.SILENT_AIR, adapter="hci0"))
    await rig.ingest.until(lambda i: i.status["recovery"]["refused"] == 1)
    await rig.data_flow(FIRST, SECOND)


async def test_a_reboot_is_told_before_it_is_done(rig: GatewayRig) -> None:
    await rig.gateway.recovery._take(Act(rung=Rung.REBOOT, because=Cause.SILENT_AIR, adapter="hci0"))
    await rig.ingest.until(lambda i: i.status["recovery"]["reboot"] == 1)
    told = next(status for status in rig.ingest.statuses if status["recovery"]["reboot"] == 1)
    assert told["recovery"]["last"]["rung"] == "reboot"  # and not what it does once the machine goes down
    await eventually(lambda: rig.rig2.init_system.reboots == 1)
    await rig.data_flow(FIRST, SECOND)  # the machine of this test goes on


async def test_a_stale_memory_of_services_is_thrown_away(rig: GatewayRig) -> None:
    await rig.rig2.bluez.inject(LostService(uuid="00001822-0000-1000-8000-00805f9b34fb"))
    rig.rig2.air.cut(FIRST)
    await eventually(lambda: rig.session(FIRST).counts.failures >= 1)
    await rig.data_flow(FIRST, SECOND)


async def test_an_adapter_switched_off_by_somebody_is_switched_on(rig: GatewayRig) -> None:
    await rig.gateway.stack._power("hci0", False)  # type: ignore[attr-defined]
    await eventually(lambda: rig.taken().get("power_cycle") == 1)
    await rig.data_flow(FIRST, SECOND)


async def test_a_link_of_a_former_life_is_closed_at_the_start(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    device: Peripheral = oximeter(rig2, FIRST)
    await rig2.switch_on(device)
    async with BusClient(rig2.bus.address) as former_life:
        await former_life.connect(FIRST)
    assert device.is_connected  # so it does not advertise, and would never be heard
    settings = make_settings(broker, claim_all=False, devices=(FIRST,))
    async with running(rig2, settings, gateway_id) as rig:
        await rig.data_flow(FIRST)


async def test_a_machine_whose_adapters_come_late(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    rig2.port.pull_all(for_good=True)
    await rig2.switch_on(oximeter(rig2, FIRST))
    settings = make_settings(broker, claim_all=False, devices=(FIRST,))
    async with running(rig2, settings, gateway_id) as rig:
        (adapter,) = rig.gateway.radio.adapters
        await eventually(lambda: "no adapter" in adapter.state and rig.taken().get("rescan") == 1)
        await rig.gateway.recovery._take(Act(rung=Rung.POWER_CYCLE, because=Cause.ADAPTER_OFF, adapter=""))
        await rig.ingest.until(lambda i: i.status["recovery"]["refused"] == 1)
        causes = {
            trouble.cause
            for trouble, _ in rig.gateway.recovery._ladder.standing(now_s=asyncio.get_running_loop().time())
        }
        assert causes == {Cause.ADAPTER_MISSING}
        rig2.port.put_back()
        await rig.data_flow(FIRST)


async def test_a_rung_with_a_bug_is_told_and_stops_nothing(rig: GatewayRig) -> None:
    async def with_a_bug(_adapter: str) -> None:
        raise RuntimeError("nobody thought of this")

    rig.gateway.recovery._rungs[Rung.POWER_CYCLE] = with_a_bug
    await rig.gateway.recovery._take(Act(rung=Rung.POWER_CYCLE, because=Cause.SILENT_AIR, adapter="hci0"))
    await rig.ingest.until(lambda i: i.status["recovery"]["refused"] == 1)
    await rig.data_flow(FIRST, SECOND)


async def test_a_part_with_a_bug_begins_anew_and_ends_no_other(
    rig: GatewayRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = rig.gateway
    for name, part, work in (
        ("heartbeat", gateway.heartbeat, "beat"),
        ("recovery", gateway.recovery, "_close_stale_links"),
        ("bell", gateway.bell, "_look"),
        ("courier", gateway.courier, "step"),
        ("radio", gateway.radio.adapters[0], "_first"),
    ):
        with monkeypatch.context() as patched:

            async def with_a_bug(*_: object) -> None:
                raise RuntimeError("nobody thought of this")

            patched.setattr(part, work, with_a_bug)
            gateway.heartbeat.beat_now()
            if name == "radio":
                gateway.radio.rescan()
            await eventually(lambda crashed=name: gateway.crashes[crashed] >= 1)  # type: ignore[misc]
    assert set(gateway.crashes) == {"heartbeat", "recovery", "bell", "courier", "radio"}
    await rig.data_flow(FIRST, SECOND)
    rig.rig2.air.cut(FIRST)
    await rig.data_flow(FIRST)  # heard again, so the radio is at work
    beats = rig.ingest.status["sent_at"]
    gateway.heartbeat.beat_now()
    await rig.ingest.until(lambda i: i.status["sent_at"] > beats)
    assert rig.ingest.status["crashes"] == dict(gateway.crashes)


async def test_a_session_with_a_bug_begins_anew_is_told_and_ends_no_other(
    rig: GatewayRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def with_a_bug(*_: object) -> None:
        raise RuntimeError("nobody thought of this")

    links = rig.session(SECOND).counts.links
    with monkeypatch.context() as patched:
        patched.setattr(rig.session(FIRST), "_listen", with_a_bug)
        rig.rig2.air.cut(FIRST)
        await eventually(lambda: rig.gateway.crashes["session"] >= 1)
    rig.gateway.heartbeat.beat_now()
    await rig.ingest.until(lambda i: i.status["crashes"].get("session", 0) >= 1)
    await rig.data_flow(FIRST, SECOND)
    assert rig.session(SECOND).counts.links == links
    rig.gateway.crashes.clear()  # the rig looks for bugs of ours at its end


async def test_a_bug_of_the_alarm_keeps_no_reading_from_the_centre(
    rig: GatewayRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.gateway.bell._alarm, "hear", None)
    await eventually(lambda: rig.gateway.crashes["bell"] >= 2)
    await rig.data_flow(FIRST, SECOND)


async def test_more_devices_than_links_on_two_adapters(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    devices = [oximeter(rig2, f"C0:00:00:00:00:0{number}") for number in range(1, 8)]
    for device in devices:
        await rig2.switch_on(device)
    addresses = [device.identity.address for device in devices]
    settings = make_settings(
        broker, claim_all=False, devices=tuple(addresses), adapters=("hci0", "hci1"), links_max=3, share_s=2
    )
    async with running(rig2, settings, gateway_id) as rig:

        def links() -> list[int]:
            counted = [rig.gateway.slots.links(adapter) for adapter in rig.gateway.radio.adapters]
            assert max(counted) <= 3
            return counted

        await eventually(lambda: links() == [3, 3])
        for _ in range(2):
            before = {address: rig.rows_of(address) for address in addresses}
            await rig.ingest.until(
                lambda _, seen=before: bool(links()) and all(rig.rows_of(a) > seen[a] for a in addresses)  # type: ignore[misc]
            )


async def test_a_device_that_wants_to_be_paired_is_and_its_bond_is_used_again(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    thermometer = bonding_thermometer(rig2)
    await rig2.switch_on(thermometer)
    settings = make_settings(broker, claim_all=False, devices=(FIRST,), spot_pause_s=0.5)
    async with running(rig2, settings, gateway_id) as rig:
        await rig.ingest.until(lambda _: rig.rows_of(FIRST) >= 1 and rig.session(FIRST).counts.links >= 1)
        await rig.ingest.until(lambda _: rig.rows_of(FIRST) >= 3 and rig.session(FIRST).counts.links >= 3)
        assert rig.session(FIRST).counts.failures == 0


async def test_a_device_that_has_lost_its_bond_is_paired_anew(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    thermometer = bonding_thermometer(rig2)
    await rig2.switch_on(thermometer)
    settings = make_settings(broker, claim_all=False, devices=(FIRST,), connect_s_max=2, spot_pause_s=1)
    async with running(rig2, settings, gateway_id) as rig:
        await rig.ingest.until(lambda _: rig.rows_of(FIRST) >= 1)
        await eventually(lambda: rig.session(FIRST).is_without_link)
        thermometer.forget_bonds()
        before, failures = rig.rows_of(FIRST), rig.session(FIRST).counts.failures

        def has_new_rows() -> bool:
            rig.gateway.fleet.wake()  # nobody waits for the pauses between failures
            return rig.rows_of(FIRST) > before

        await eventually(has_new_rows, bound_s=90)
        assert rig.session(FIRST).counts.failures - failures == 4


async def test_the_bond_of_a_device_that_is_released_ends(
    rig2: Rig2, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    await rig2.switch_on(bonding_thermometer(rig2))
    settings = make_settings(broker, claim_all=False, devices=(FIRST,))
    async with running(rig2, settings, gateway_id) as rig, BusClient(rig2.bus.address) as other:

        async def is_paired() -> bool:
            objects = await other.objects()
            devices = [shown[DEVICE] for path, shown in objects.items() if path.endswith(FIRST.replace(":", "_"))]
            return any(device["Paired"] for device in devices)

        await rig.ingest.until(lambda _: rig.rows_of(FIRST) >= 1)
        assert await is_paired()
        claim = rig.session(FIRST).device.claim
        rig.gateway.fleet.apply(())
        await eventually(lambda: not rig.gateway.fleet._tasks)
        assert not await is_paired()
        before = rig.rows_of(FIRST)
        rig.gateway.fleet.apply((claim,))
        await rig.ingest.until(lambda _: rig.rows_of(FIRST) > before)


def bonding_thermometer(rig2: Rig2) -> BondingThermometer:
    """A thermometer that says nothing over a link that is not encrypted."""
    return BondingThermometer(
        air=rig2.air,
        identity=Identity(name="A&D_UT201BLE_1", address=FIRST, advertising_interval_ms=50.0),
        memory=Memory(
            clock=ClinicalClock(origin=datetime.now(UTC), speed=60.0),
            course=fever(),
            zone=ZoneInfo("Asia/Shanghai"),
            every_s=180.0,
        ),
    )

"""Sessions on a virtual radio: real advertisements, links and GATT servers, no Bluetooth hardware."""

from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

import pytest

from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import fever
from firmware_stubs.peripheral import Identity
from firmware_stubs.thermometer import Thermometer
from gateway.bluetooth.rotation import Shares
from gateway.gatt.decoders import decode
from gateway.session.states import State
from tests.gateway.fleet_rig import FIRST, ORIGIN, SECOND, SPEED, FleetRig, claim, impatient, session_of
from tests.gateway.waiting import eventually


@pytest.fixture
async def rig() -> AsyncIterator[FleetRig]:
    rig = FleetRig()
    yield rig
    await rig.close()


async def test_a_device_is_found_linked_and_read(rig: FleetRig) -> None:
    oximeter = await rig.oximeter()
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: len(rig.of("2a5f")) >= 5)
        assert rig.of("2a5f")[0].payload[1:3] in (bytes.fromhex("6100"), bytes.fromhex("caf3"))  # 97 or 97.0
        await eventually(lambda: bool(rig.of("2a19")))
        assert rig.of("2a19")[0].payload == bytes([oximeter.identity.battery_percent])
        assert {n.driver for n in rig.taken} == {"bluetooth_sig"}
        session = session_of(fleet)
        assert (session.progress.state, session.is_linked) == (State.STREAM, True)
        assert session.last_reading_at is not None
    assert not oximeter.is_connected


async def test_a_device_is_asked_once_who_it_is(rig: FleetRig) -> None:
    oximeter = await rig.oximeter()
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: session_of(fleet).device.information is not None)
        information = session_of(fleet).device.information
        assert information is not None
        assert (information.manufacturer, information.model) == ("Hearthwatch Stubs", "HS-1")
        assert session_of(fleet).device.seen.name == oximeter.identity.name


async def test_several_devices_are_linked_one_after_another_and_read_together(rig: FleetRig) -> None:
    for address in (FIRST, SECOND):
        await rig.oximeter(address)
    async with rig.fleet() as fleet:
        await eventually(lambda: bool(rig.of("2a5f", FIRST)) and bool(rig.of("2a5f", SECOND)))
        await eventually(lambda: all(session.is_speaking for session in fleet.sessions))


async def test_after_a_link_loss_it_subscribes_again(rig: FleetRig) -> None:
    oximeter = await rig.oximeter()
    async with rig.fleet([claim()]) as fleet:
        for round_number in range(1, 4):
            before = len(rig.of("2a5f"))
            await eventually(lambda seen=before: len(rig.of("2a5f")) >= seen + 3)
            oximeter.cut()
            await eventually(lambda lost=round_number: session_of(fleet).counts.links_lost == lost)
        before = len(rig.of("2a5f"))
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)
        assert session_of(fleet).counts.links == 4


async def test_a_device_out_of_reach_is_waited_for(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: bool(rig.of("2a5f")))
        rig.air.take_away(FIRST)
        await eventually(lambda: session_of(fleet).progress.state is State.SCAN)
        before = len(rig.of("2a5f"))
        rig.air.bring_back(FIRST)
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)


async def test_a_silent_link_is_given_up_and_made_anew(rig: FleetRig) -> None:
    oximeter = await rig.oximeter()
    async with rig.fleet([claim()], plan=impatient(stream_silence_s_max=0.4)) as fleet:
        await eventually(lambda: bool(rig.of("2a5f")))
        await oximeter.hush()
        await eventually(lambda: session_of(fleet).counts.silences >= 1)
        oximeter.may_speak.set()
        before = len(rig.of("2a5f"))
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)
        assert session_of(fleet).counts.links >= 2


async def test_equal_values_are_not_echoes(rig: FleetRig) -> None:
    oximeter = await rig.oximeter()
    async with rig.fleet():
        await eventually(lambda: len(rig.of("2a5f")) >= 10)
        await oximeter.hush()
        await eventually(lambda: len(rig.of("2a5f")) == oximeter.tally.notifications)
        assert len({n.payload for n in rig.of("2a5f")}) == 1


async def test_what_the_stack_took_down_is_made_anew_at_once_and_is_no_loss_of_the_device(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: bool(rig.of("2a5f")))
        fleet.drop_links()
        await eventually(lambda: session_of(fleet).counts.links == 2)
        before = len(rig.of("2a5f"))
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)
        assert (session_of(fleet).counts.links_lost, session_of(fleet).counts.failures) == (0, 0)


async def test_the_end_of_the_gateway_leaves_no_link(rig: FleetRig) -> None:
    devices = [await rig.oximeter(address) for address in (FIRST, SECOND)]
    async with rig.fleet():
        await eventually(lambda: bool(rig.of("2a5f", FIRST)) and bool(rig.of("2a5f", SECOND)))
    await eventually(lambda: not any(device.is_connected for device in devices))


async def test_a_spot_device_that_is_done_is_let_go_of_and_collected_when_it_wakes(rig: FleetRig) -> None:
    thermometer = Thermometer(
        air=rig.air,
        identity=Identity(name="th", address=FIRST, advertising_interval_ms=30.0),
        clock=StubClock(origin=ORIGIN, speed=SPEED),
        course=fever(),
        zone=ZoneInfo("Asia/Shanghai"),
        live_every_s=1e9,
    )
    await rig.switch_on(thermometer)
    async with rig.fleet([claim()], plan=impatient(spot_linger_s=0.3, spot_pause_s=0.3)) as fleet:
        await eventually(lambda: len(rig.of("2a1c")) == 1)
        await eventually(lambda: not thermometer.is_connected and rig.slots.links(rig.radio.adapters[0]) == 0)
        thermometer._measure(thermometer.clock.now())
        await eventually(lambda: len(rig.of("2a1c")) == 2 and thermometer.tally.confirmed == 2)
        counts = session_of(fleet).counts
        assert (counts.links_lost, counts.silences, counts.failures) == (0, 0, 0)
    assert [decode("2a1c", n.payload).device_time for n in rig.of("2a1c")] == sorted(
        reading.measured_at.astimezone(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None)
        for reading in thermometer.tally.sent
    )


async def test_only_claimed_devices_are_read_and_strangers_are_offered(rig: FleetRig) -> None:
    await rig.oximeter(FIRST)
    stranger = await rig.oximeter(SECOND)
    async with rig.fleet([claim(FIRST)]) as fleet:
        await eventually(lambda: len(rig.of("2a5f")) >= 3 and bool(fleet.nearby.listed(now_s=0.0)))
        assert [session.device.address for session in fleet.sessions] == [FIRST]
        assert not stranger.is_connected
        (offered,) = fleet.nearby.listed(now_s=0.0)
        assert (offered.address, offered.driver, offered.kind.value) == (SECOND, "bluetooth_sig", "oximeter")
        await eventually(lambda: fleet.nearby.listed(now_s=0.0)[0].name == "02")


async def test_claiming_all_has_a_bound(rig: FleetRig) -> None:
    for address in (FIRST, SECOND):
        await rig.oximeter(address)
    async with rig.fleet(devices_max=1) as fleet:
        await eventually(lambda: bool(rig.taken))
        assert len(fleet.sessions) == 1


async def test_claims_are_taken_up_and_let_go_of_without_touching_the_others(rig: FleetRig) -> None:
    first, second = await rig.oximeter(FIRST), await rig.oximeter(SECOND)
    async with rig.fleet([claim(FIRST)]) as fleet:
        await eventually(lambda: bool(rig.of("2a5f", FIRST)))
        fleet.apply([claim(FIRST), claim(SECOND)])
        await eventually(lambda: bool(rig.of("2a5f", SECOND)))
        assert fleet.nearby.listed(now_s=0.0) == ()
        fleet.apply([claim(SECOND)])
        await eventually(lambda: not first.is_connected)
        assert second.is_connected
        assert session_of(fleet, SECOND).counts.links == 1
        await eventually(lambda: [n.address for n in fleet.nearby.listed(now_s=0.0)] == [FIRST])


async def test_a_device_claimed_anew_while_its_old_session_ends_is_read_again(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim()]) as fleet:
        await eventually(lambda: bool(rig.of("2a5f")))
        fleet.apply([])
        fleet.apply([claim()])
        before = len(rig.of("2a5f"))
        await eventually(lambda: len(rig.of("2a5f")) >= before + 3)
        assert session_of(fleet).counts.links == 1


async def test_another_driver_for_a_claimed_device_is_taken_up(rig: FleetRig) -> None:
    await rig.oximeter()
    async with rig.fleet([claim(driver="nonin")]) as fleet:
        await eventually(lambda: session_of(fleet).counts.failures >= 1)  # it has nothing that this driver reads
        assert not rig.taken
        fleet.apply([claim(driver="bluetooth_sig")])
        await eventually(lambda: len(rig.of("2a5f")) >= 3)


async def test_more_streaming_devices_than_links_take_turns(rig: FleetRig) -> None:
    addresses = [f"C0:00:00:00:00:0{number}" for number in range(1, 5)]
    oximeters = [await rig.oximeter(address) for address in addresses]
    async with rig.fleet(links_max=2, shares=Shares(stream_s=0.3, spot_s=0.1)) as fleet:
        for _ in range(2):
            before = {address: len(rig.of("2a5f", address)) for address in addresses}

            def all_were_heard(before: dict[str, int] = before) -> bool:
                assert sum(oximeter.is_connected for oximeter in oximeters) <= 2
                return all(len(rig.of("2a5f", address)) >= before[address] + 3 for address in addresses)

            await eventually(all_were_heard, bound_s=60)
        assert all(session.counts.failures == 0 for session in fleet.sessions)


async def test_a_device_goes_to_the_adapter_that_is_free() -> None:
    rig = FleetRig(adapters=2)
    try:
        for address in (FIRST, SECOND):
            await rig.oximeter(address)
        async with rig.fleet(links_max=1) as fleet:
            await eventually(
                lambda: all(session.is_speaking for session in fleet.sessions) and len(fleet.sessions) == 2
            )
            await eventually(lambda: bool(rig.of("2a5f", FIRST)) and bool(rig.of("2a5f", SECOND)))
            assert {session.adapter.name for session in fleet.sessions if session.adapter} == {"hci0", "hci1"}
    finally:
        await rig.close()

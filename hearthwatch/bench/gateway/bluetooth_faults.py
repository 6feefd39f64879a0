"""Troubles of the radio, of bluetoothd and of the bus under it, and of the gateway that stands on them."""

from datetime import UTC, datetime

from firmware_stubs.bluez.faults import Cure, Deafness, LostService, Member, Refusal, Trouble
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import healthy
from firmware_stubs.peripheral import Identity
from firmware_stubs.wanderer import Wanderer
from hearthwatch.bench.gateway.fault import FIRST, SECOND, Act, Fault, until
from hearthwatch.bench.gateway.fault_findings import Answer
from hearthwatch.bench.gateway.fault_ground import FaultGround

WANDERING = "C0:00:00:00:00:11"


async def _cut(ground: FaultGround) -> None:
    ground.air.cut(FIRST)


async def _carry_away(ground: FaultGround) -> None:
    ground.air.take_away(FIRST)


async def _carry_back(ground: FaultGround) -> None:
    ground.air.bring_back(FIRST)


async def _kill_bluetoothd(ground: FaultGround) -> None:
    await ground.bluez.kill()


async def _start_bluetoothd(ground: FaultGround) -> None:
    await ground.bluez.start()


async def _kill_bus(ground: FaultGround) -> None:
    await ground.bus.kill()


async def _refuse(ground: FaultGround) -> None:
    for member in (Member.START_DISCOVERY, Member.CONNECT):
        await ground.bluez.inject(Refusal(member=member, trouble=Trouble.IN_PROGRESS, times=3))
    await ground.bluez.inject(Refusal(member=Member.STOP_DISCOVERY, trouble=Trouble.IN_PROGRESS, times=1))
    ground.air.cut(FIRST)
    ground.air.cut(SECOND)


def _deaf(cure: Cure, *, seconds: float | None = None) -> Act:
    async def deafen(ground: FaultGround) -> None:
        await ground.bluez.inject(Deafness(cure=cure, seconds=seconds))
        for device in (FIRST, SECOND):
            ground.air.cut(device)

    return deafen


async def _forget_service(ground: FaultGround) -> None:
    await ground.bluez.inject(LostService(uuid="00001822-0000-1000-8000-00805f9b34fb"))
    ground.air.cut(FIRST)


async def _arrive(ground: FaultGround) -> None:
    device = Wanderer(
        air=ground.air,
        identity=Identity(name="wanderer", address=WANDERING),
        clock=ClinicalClock(origin=datetime.now(UTC), speed=1.0),
        course=healthy(seed=1),
    )
    await device.power_on()
    ground.devices.push_async_callback(device.power_off)
    ground.wanderers.append(device)
    await until(lambda: len(ground.ear.rows(WANDERING)) >= 9)


async def _wander(ground: FaultGround) -> None:
    for device in ground.wanderers:
        await device.reboot()


async def _power_off(ground: FaultGround) -> None:
    await ground.switch_adapter("hci0", on=False)


async def _subscribe_too(ground: FaultGround) -> None:
    await ground.subscribe_as_another(FIRST, "2a5f")


async def _kill_gateway(ground: FaultGround) -> None:
    await ground.gateway.end(kill=True)


async def _start_gateway(ground: FaultGround) -> None:
    await ground.gateway.start()


BLUETOOTH_FAULTS = (
    Fault(name="link_loss", begin=_cut, hit=(FIRST,)),
    Fault(name="out_of_range", begin=_carry_away, end=_carry_back, hit=(FIRST,)),
    Fault(name="bluetoothd_killed_and_started_by_others", begin=_kill_bluetoothd, end=_start_bluetoothd),
    Fault(name="bluetoothd_killed", begin=_kill_bluetoothd, answer=Answer.RUNG),
    Fault(name="bus_killed_and_started_by_others", begin=_kill_bus, end=FaultGround.restart_bus),
    Fault(name="in_progress", begin=_refuse),
    Fault(name="radio_silent_for_10_s", begin=_deaf(Cure.REBOOT, seconds=10)),
    Fault(name="second_subscriber", begin=_subscribe_too, answer=Answer.NONE),
    Fault(
        name="device_reboots_with_another_address",
        prepare=_arrive,
        begin=_wander,
        hit=("C0:00:00:00:00:12",),
        settings={"CLAIM_ALL": "true"},
    ),
    Fault(name="stale_services", begin=_forget_service, hit=(FIRST,)),
    Fault(name="adapter_switched_off", begin=_power_off, answer=Answer.RUNG),
    Fault(
        name="gateway_killed_links_left_behind",
        begin=_kill_gateway,
        end=_start_gateway,
        lasts_s=1.0,
        expected_restarts=1,
        note="started by hand: its own death is the trouble",
    ),
    Fault(name="deaf_until_power_cycle", begin=_deaf(Cure.POWER_CYCLE), answer=Answer.RUNG),
    Fault(name="deaf_until_bluetoothd_restarts", begin=_deaf(Cure.RESTART), answer=Answer.RUNG),
)

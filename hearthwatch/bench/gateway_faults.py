"""Bluetooth's troubles, one after the other: what the gateway did about each, how soon, and how soon data flowed again.

Each is played on a gateway of its own, and the gateway is not started again but where its own death is the trouble.
`data_again_s` counts from the end of the trouble where somebody else ends it (a device carried back, a bluetoothd
started by hand), else from its beginning; it is by the time at which the first reading was measured, of the device
that came last. `first_action_s` counts from the beginning.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from firmware_stubs.beacon import Beacon
from firmware_stubs.bluez.faults import Cure, Deafness, LostService, Member, Refusal, Trouble
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import healthy
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from firmware_stubs.wanderer import Wanderer
from hearthwatch.bench.fault_ground import FaultGround, Line, fault_ground

FIRST, SECOND, WANDERING = "C0:00:00:00:00:01", "C0:00:00:00:00:02", "C0:00:00:00:00:11"
OUTSIDE_S = 5.0
WAIT_S_MAX = 600.0
POLL_S = 0.05

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One trouble: how it begins and, where somebody else ends it, how it ends so many seconds later.

    `prepare` comes before it begins; `hit` are the devices whose data must flow again.
    """

    name: str
    begin: Callable[[FaultGround], Awaitable[None]]
    prepare: Callable[[FaultGround], Awaitable[None]] | None = None
    end: Callable[[FaultGround], Awaitable[None]] | None = None
    lasts_s: float = OUTSIDE_S
    hit: tuple[str, ...] = (FIRST, SECOND)
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen. None: it did not come within WAIT_S_MAX; a trouble that needs no action has none."""

    fault: str
    first_action: str | None
    first_action_s: float | None
    data_again_s: float | None
    longest_gap_s: float | None
    rungs: dict[str, int]
    duplicates: int
    gateway_restarts: int

    @property
    def is_well(self) -> bool:
        """Whether data flow again."""
        return self.data_again_s is not None


async def measure(folder: Path, names: Sequence[str], say: Say) -> dict[str, Any]:
    """Play the faults that are named (all, where none is); give the JSON document."""
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise KeyError(f"no fault {', '.join(unknown)}: there are {', '.join(FAULTS)}")
    logging.getLogger("firmware_stubs").setLevel(logging.WARNING)
    outcomes = []
    for name in names or FAULTS:
        say(f"{name} ...")
        outcome = await play(folder / name, FAULTS[name])
        say(f"{name}: {outcome.first_action} after {outcome.first_action_s} s, data after {outcome.data_again_s} s")
        outcomes.append(outcome)
    return {"faults": [asdict(outcome) for outcome in outcomes], "well": all(outcome.is_well for outcome in outcomes)}


async def play(folder: Path, fault: Fault) -> Outcome:
    """Play one fault on a gateway of its own."""
    claims = {"DEVICES": f'["{FIRST}", "{SECOND}"]'}
    async with fault_ground(folder, settings={**claims, **fault.settings}, options=()) as ground:
        for address in (FIRST, SECOND):
            await _switch_on(ground, address)
        await _have_a_neighbour(ground)
        await ground.gateway.start()
        await _until(lambda: all(len(ground.ear.measured_ms.get(device, ())) >= 9 for device in (FIRST, SECOND)))
        if fault.prepare is not None:
            await fault.prepare(ground)
        began = datetime.now(UTC)
        await fault.begin(ground)
        ended = began
        if fault.end is not None:
            await asyncio.sleep(fault.lasts_s)
            await fault.end(ground)
            ended = datetime.now(UTC)
        again = await _data_again(ground, fault, ended)
        await asyncio.sleep(2.0)  # the last words of a recovery, a status
        return _outcome(ground, fault, began=began, ended=ended, again=again)


async def _switch_on(ground: FaultGround, address: str) -> None:
    device = Oximeter(
        air=ground.air,
        identity=Identity(name=address[-2:], address=address),
        clock=ClinicalClock(origin=datetime.now(UTC), speed=1.0),
        course=healthy(seed=1),
    )
    await device.power_on()
    ground.devices.push_async_callback(device.power_off)


async def _have_a_neighbour(ground: FaultGround) -> None:
    """Put something on the air that is not ours, as in most houses."""
    identity = Identity(name="neighbour", address="C0:00:00:00:00:FE", advertising_interval_ms=500.0)
    beacon = Beacon(air=ground.air, identity=identity, service=0xFEAA, payloads=(bytes(4), bytes(5)), every_real_s=5.0)
    await beacon.power_on()
    ground.devices.push_async_callback(beacon.power_off)


async def _until(state: Callable[[], bool]) -> bool:
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while not state():  # noqa: ASYNC110 - what is waited for comes on another thread, or in a file
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True


async def _data_again(ground: FaultGround, fault: Fault, ended: datetime) -> datetime | None:
    def firsts() -> list[datetime | None]:
        return [ground.ear.after(device, ended) for device in fault.hit]

    await _until(lambda: None not in firsts())
    return max((first for first in firsts() if first is not None), default=None) if None not in firsts() else None


def _outcome(ground: FaultGround, fault: Fault, *, began: datetime, ended: datetime, again: datetime | None) -> Outcome:
    action: Line | None = ground.gateway.first_action(began)
    recovery = ground.ear.status.get("recovery", {})
    return Outcome(
        fault=fault.name,
        first_action=None if action is None else _named(action),
        first_action_s=None if action is None else _seconds(began, action.at),
        data_again_s=None if again is None else _seconds(ended, again),
        longest_gap_s=_longest_gap_s(ground, fault, began),
        rungs={name: count for name, count in recovery.items() if isinstance(count, int) and count},
        duplicates=sum(_duplicates(ground, device) for device in fault.hit),
        gateway_restarts=ground.gateway.starts - 1,
    )


def _named(action: Line) -> str:
    if action.event == "recovery":
        return f"recovery: {action.more.get('rung')} because {action.more.get('because')}"
    if action.event == "session":
        return f"link let go of: {action.more.get('happened')}"
    return action.event


def _seconds(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds(), 2)


def _instants(ground: FaultGround, device: str) -> list[int]:
    return sorted(set(ground.ear.measured_ms.get(device, ())))


def _longest_gap_s(ground: FaultGround, fault: Fault, began: datetime) -> float | None:
    since_ms = began.timestamp() * 1000 - 3000
    gaps = [
        later - earlier
        for device in fault.hit
        for instants in [[ms for ms in _instants(ground, device) if ms > since_ms]]
        for earlier, later in pairwise(instants)
    ]
    return round(max(gaps) / 1000, 2) if gaps else None


def _duplicates(ground: FaultGround, device: str) -> int:
    """Count measurements that follow one another within 50 ms: these devices speak once a second."""
    instants = _instants(ground, device)
    return sum(later - earlier < 50 for earlier, later in pairwise(instants))


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


def _deaf(cure: Cure, *, seconds: float | None = None) -> Callable[[FaultGround], Awaitable[None]]:
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
    await _until(lambda: len(ground.ear.measured_ms.get(WANDERING, ())) >= 9)


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


_ALL_MATTERS = (
    Fault(name="link_loss", begin=_cut, hit=(FIRST,)),
    Fault(name="out_of_range", begin=_carry_away, end=_carry_back, hit=(FIRST,)),
    Fault(name="bluetoothd_killed_and_started_by_others", begin=_kill_bluetoothd, end=_start_bluetoothd),
    Fault(name="bluetoothd_killed", begin=_kill_bluetoothd),
    Fault(name="bus_killed_and_started_by_others", begin=_kill_bus, end=FaultGround.restart_bus),
    Fault(name="in_progress", begin=_refuse),
    Fault(name="radio_silent_for_10_s", begin=_deaf(Cure.REBOOT, seconds=10)),
    Fault(name="second_subscriber", begin=_subscribe_too),
    Fault(
        name="device_reboots_with_another_address",
        prepare=_arrive,
        begin=_wander,
        hit=("C0:00:00:00:00:12",),
        settings={"CLAIM_ALL": "true"},
    ),
    Fault(name="stale_services", begin=_forget_service, hit=(FIRST,)),
    Fault(name="adapter_switched_off", begin=_power_off),
    Fault(name="gateway_killed_links_left_behind", begin=_kill_gateway, end=_start_gateway, lasts_s=1.0),
    Fault(name="deaf_until_power_cycle", begin=_deaf(Cure.POWER_CYCLE)),
    Fault(name="deaf_until_bluetoothd_restarts", begin=_deaf(Cure.RESTART)),
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _ALL_MATTERS}

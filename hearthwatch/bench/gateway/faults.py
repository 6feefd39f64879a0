"""A gateway's troubles, one after the other: what it did about each, how soon, and how soon data flowed again.

Each is played on a gateway of its own, and the gateway is not started again but where its own death is the trouble.
`data_again_s` counts from the end of the trouble where somebody else ends it (a device carried back, a bluetoothd
started by hand), else from its beginning; it is by the time at which the first reading was measured, of the device
that came last. `all_heard_s` counts from there, too: until all has arrived that had been accepted by then.
`first_action_s`, `first_rung_s` and `climbed` count from the beginning. All are seconds of the machine's clock.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from firmware_stubs.beacon import Beacon
from firmware_stubs.courses import healthy
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from firmware_stubs.physiology import Course
from firmware_stubs.tally import Metric
from gateway.outbox.outbox import Account, OutboxError, read_account
from hearthwatch.bench.gateway.bluetooth_faults import BLUETOOTH_FAULTS
from hearthwatch.bench.gateway.fault import FIRST, SECOND, Fault, until
from hearthwatch.bench.gateway.fault_findings import (
    ANSWER_S_MAX,
    DATA_AGAIN_S_MAX,
    Climbed,
    Heard,
    Outcome,
    duplicates,
    longest_gap_s,
    repeated,
)
from hearthwatch.bench.gateway.fault_ground import FaultGround, Line, NotPlayable, fault_ground, is_action, is_rung
from hearthwatch.bench.gateway.machine_faults import MACHINE_FAULTS
from hearthwatch.bench.goals import exactly, verdict
from hearthwatch.bench.process_figures import load_average, machine

FAULTS: dict[str, Fault] = {fault.name: fault for fault in (*BLUETOOTH_FAULTS, *MACHINE_FAULTS)}
ARRIVAL_S_MAX = 120.0

Say = Callable[[str], None]


async def measure(folder: Path, names: Sequence[str], say: Say) -> dict[str, Any]:
    """Play the faults that are named (all, where none is); give the JSON document."""
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise KeyError(f"no fault {', '.join(unknown)}: there are {', '.join(FAULTS)}")
    logging.getLogger("firmware_stubs").setLevel(logging.WARNING)
    about, outcomes = machine(), []
    for number, name in enumerate(names or FAULTS, start=1):
        say(f"{number} of {len(names or FAULTS)}, {name} ...")
        try:
            outcome = await play(folder / name, FAULTS[name])
        except NotPlayable as exc:
            outcome = Outcome(fault=name, left_out=str(exc))
        say(f"  {_in_words(outcome)}")
        outcomes.append(outcome)
    played = [outcome for outcome in outcomes if outcome.left_out is None]
    return {
        "machine": {**about, "load_average_at_the_end": load_average()},
        "limits": {"first_action_s": ANSWER_S_MAX, "data_again_s": DATA_AGAIN_S_MAX},
        "faults": [_row(outcome) for outcome in outcomes],
        "left_out": [outcome.fault for outcome in outcomes if outcome.left_out is not None],
        **verdict(
            [exactly(f"{each.fault}, limits missed of {len(each.goals)}", 0, len(each.missed)) for each in played]
        ),
    }


async def play(folder: Path, fault: Fault) -> Outcome:
    """Play one fault on a gateway of its own. Raises NotPlayable."""
    settings = {"DEVICES": f'["{FIRST}", "{SECOND}"]', **fault.settings}
    async with fault_ground(
        folder,
        settings=settings,
        command=fault.command,
        disk_bytes=fault.disk_bytes,
        clock_speed=fault.clock_speed,
    ) as ground:
        devices = {address: await _switch_on(ground, address) for address in (FIRST, SECOND)}
        await _have_a_neighbour(ground)
        await ground.gateway.start()
        await until(lambda: all(len(ground.ear.rows(device)) >= 9 for device in (FIRST, SECOND)))
        if fault.prepare is not None:
            await fault.prepare(ground)
        began = datetime.now(UTC)
        await fault.begin(ground)
        if fault.end is not None:
            await asyncio.sleep(fault.lasts_s)
            await fault.end(ground)
        ended = datetime.now(UTC)
        again_ms = await _data_again_ms(ground, fault, ended)
        shown = fault.shows is None or await until(lambda: fault.shows is None or fault.shows(ground))
        lost = await _lost(ground)
        all_heard = datetime.now(UTC) if lost == 0 else None
        await asyncio.sleep(2.0)  # the last words of a recovery, a status
        action, rung = ground.gateway.first(is_action, began), ground.gateway.first(is_rung, began)
        rows = {device: ground.ear.rows(device) for device in fault.hit}
        recovery = ground.ear.status.get("recovery", {})
        return Outcome(
            fault=fault.name,
            note=fault.note,
            answer=fault.answer,
            first_action=None if action is None else _named(action),
            first_action_s=None if action is None else _seconds(began, action.at),
            first_rung=None if rung is None else _named(rung),
            first_rung_s=None if rung is None else _seconds(began, rung.at),
            data_again_s=None if again_ms is None else round(again_ms / 1000 - ended.timestamp(), 2),
            all_heard_s=None if all_heard is None else _seconds(ended, all_heard),
            longest_gap_s=longest_gap_s(_since(_true_ms(ground, each, fault, began), began) for each in rows.values()),
            climbed=tuple(_climbed(line, began) for line in ground.gateway.every(is_rung, began)),
            rungs={name: count for name, count in recovery.items() if isinstance(count, int) and count},
            heard=sum(len(each) for each in rows.values()),
            duplicates=sum(_duplicates(each, devices.get(address), fault) for address, each in rows.items()),
            repeated=sum(repeated(each) for each in rows.values()),
            lost=lost,
            gateway_restarts=ground.gateway.starts - 1,
            expected_restarts=fault.expected_restarts,
            is_as_expected=shown,
        )


async def _switch_on(ground: FaultGround, address: str) -> Oximeter:
    device = Oximeter(
        air=ground.air,
        identity=Identity(name=address[-2:], address=address),
        clock=ground.clock,
        course=_never_twice_the_same(healthy(seed=1)),
    )
    await device.power_on()
    ground.devices.push_async_callback(device.power_off)
    return device


def _never_twice_the_same(course: Course) -> Course:
    """Let each measurement tell another SpO2 than the ones beside it, so that one told twice is known."""
    values = cycle(range(90, 100))
    return lambda seconds: replace(course(seconds), spo2_percent=float(next(values)))


async def _have_a_neighbour(ground: FaultGround) -> None:
    """Put something on the air that is not ours, as in most houses."""
    identity = Identity(name="neighbour", address="C0:00:00:00:00:FE", advertising_interval_ms=500.0)
    beacon = Beacon(air=ground.air, identity=identity, service=0xFEAA, payloads=(bytes(4), bytes(5)), every_real_s=5.0)
    await beacon.power_on()
    ground.devices.push_async_callback(beacon.power_off)


async def _data_again_ms(ground: FaultGround, fault: Fault, ended: datetime) -> int | None:
    """Wait for a value of each device measured since; give the instant of the device that came last."""

    def firsts() -> list[int | None]:
        instants = (_true_ms(ground, ground.ear.rows(device), fault, ended) for device in fault.hit)
        return [min((ms for ms in each if ms > ended.timestamp() * 1000), default=None) for each in instants]

    await until(lambda: None not in firsts())
    found = [first for first in firsts() if first is not None]
    return max(found) if len(found) == len(fault.hit) else None


async def _lost(ground: FaultGround) -> int | None:
    """Wait until all has arrived that is accepted by now; say how many rows did not. None: the outbox is unreadable."""
    account: Account | None = None

    def can_be_read() -> bool:
        nonlocal account
        try:
            account, _ = read_account(ground.outbox)
        except OutboxError:
            return False
        return True

    await until(can_be_read, wait_s=ARRIVAL_S_MAX)
    if account is None:
        return None
    counted = account

    def missing() -> int:
        return counted.accepted - counted.thinned - ground.ear.count(counted.outbox_id, end=counted.end_row)

    await until(lambda: missing() <= 0, wait_s=ARRIVAL_S_MAX)
    return missing()


def _duplicates(rows: Sequence[Heard], device: Oximeter | None, fault: Fault) -> int:
    """Count measurements told twice; where they come too fast to tell by their instants, more than were sent."""
    if fault.clock_speed == 1 or device is None:
        return duplicates(rows)
    return max(0, len(rows) - device.tally.counts[Metric.SPO2])


def _true_ms(ground: FaultGround, rows: Sequence[Heard], fault: Fault, around: datetime) -> list[int]:
    """Give instants of measurements by the machine's clock, whatever the gateway's was set to and how fast it ran."""
    set_ms, around_ms, began_ms = (
        fault.clock_set_s * 1000,
        around.timestamp() * 1000,
        ground.clock.origin.timestamp() * 1000,
    )
    if fault.clock_speed != 1:
        return [round(began_ms + (row.measured_ms - began_ms) / fault.clock_speed) for row in rows]
    return [row.measured_ms - (set_ms if abs(row.measured_ms - around_ms) > abs(set_ms) / 2 else 0) for row in rows]


def _since(instants: Sequence[int], began: datetime) -> list[int]:
    return [ms for ms in instants if ms > began.timestamp() * 1000 - 3000]


def _climbed(line: Line, began: datetime) -> Climbed:
    return Climbed(
        rung=str(line.more.get("rung")), because=str(line.more.get("because")), after_s=_seconds(began, line.at)
    )


def _named(action: Line) -> str:
    if is_rung(action):
        return f"recovery: {action.more.get('rung')} because {action.more.get('because')}"
    if action.event == "session":
        return f"link let go of: {action.more.get('happened')}"
    return action.event


def _seconds(since: datetime, until: datetime) -> float:
    return round((until - since).total_seconds(), 2)


def _row(outcome: Outcome) -> dict[str, Any]:
    row = {**asdict(outcome), "answer": outcome.answer.value, **verdict(outcome.goals)}
    return {**row, "well": None if outcome.left_out is not None else row["well"]}


def _in_words(outcome: Outcome) -> str:
    if outcome.left_out is not None:
        return f"left out, {outcome.left_out}"
    rung = f", {outcome.first_rung} after {outcome.first_rung_s} s" if outcome.first_rung else ""
    action = f"{outcome.first_action} after {outcome.first_action_s} s" if outcome.first_action else "no action"
    return (
        f"{action}{rung}, data after {outcome.data_again_s} s: "
        f"{'MISSED ' + ', '.join(outcome.missed) if outcome.missed else 'well'}"
    )

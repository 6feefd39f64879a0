"""Troubles of the machine and of the way to the centre: broker, disk, clock, the outbox's own file."""

import asyncio
import errno
import os
import signal
from contextlib import suppress
from pathlib import Path

from hearthwatch.bench.gateway.fault import Fault
from hearthwatch.bench.gateway.fault_findings import Answer
from hearthwatch.bench.gateway.fault_ground import FaultGround

BROKER_AWAY_S, BROKER_CLOCK_SPEED = 60.0, 60.0  # together an hour of the patients' time
DISK_FULL_S = 25.0
DISK_BYTES = 8 * 1024 * 1024
HOUR_S = 3600
_JUMPING = ("hearthwatch.bench.gateway.jumping_gateway",)
_PAGE_BYTES = 4096


async def _kill_broker(ground: FaultGround) -> None:
    await asyncio.to_thread(ground.broker.kill)


async def _start_broker(ground: FaultGround) -> None:
    await asyncio.to_thread(ground.broker.start)


def _has_reconnected(ground: FaultGround) -> bool:
    return int(ground.ear.status.get("uplink", {}).get("connects", 0)) >= 2


async def _fill_disk(ground: FaultGround) -> None:
    await asyncio.to_thread(_filled, _ballast(ground))


async def _start_on_a_full_disk(ground: FaultGround) -> None:
    """Fill the disk while the gateway is not there: its log, which it lets go of at a stop, finds no room."""
    await ground.gateway.end(kill=False)
    await _fill_disk(ground)
    await ground.gateway.start()


async def _empty_disk(ground: FaultGround) -> None:
    _ballast(ground).unlink()


def _disk_is_back(ground: FaultGround) -> bool:
    """Whether readings went to memory, and back to the disk."""
    went = "the disk refuses: readings are in memory only, and lost if the power fails"
    return ground.gateway.has_said(went) and ground.gateway.has_said("the disk takes readings again")


def _ballast(ground: FaultGround) -> Path:
    return ground.outbox.with_name("ballast")


def _filled(file: Path) -> None:
    """Write until nothing more fits."""
    with file.open("wb", buffering=0) as handle:
        for size in (_PAGE_BYTES * 16, _PAGE_BYTES, 1):
            try:
                while handle.write(os.urandom(size)):
                    pass
            except OSError as exc:
                if exc.errno != errno.ENOSPC:
                    raise


async def _write_garbage(ground: FaultGround) -> None:
    """Overwrite every page of the running gateway's file and of its log, as a worn card does.

    SQLite goes on with what it remembers of so small a file: the damage is found when it is looked at, or opened anew.
    """
    for file in (ground.outbox, ground.outbox.with_name(f"{ground.outbox.name}-wal")):
        with suppress(FileNotFoundError), file.open("r+b", buffering=0) as handle:
            handle.write(os.urandom(file.stat().st_size))


async def _delete_outbox(ground: FaultGround) -> None:
    for suffix in ("", "-wal", "-shm"):
        ground.outbox.with_name(f"{ground.outbox.name}{suffix}").unlink(missing_ok=True)


def _is_in_its_place_again(ground: FaultGround) -> bool:
    return ground.gateway.has_said("the open outbox does not lie in its place, writing it there again") and (
        ground.outbox.exists()
    )


async def _restart_gateway(ground: FaultGround) -> None:
    await ground.gateway.end(kill=True)
    await ground.gateway.start()


def _is_put_aside(ground: FaultGround) -> bool:
    return ground.gateway.has_said("outbox is broken, put aside") and any(
        ground.outbox.parent.glob(f"{ground.outbox.name}.unreadable-*")
    )


async def _forward(ground: FaultGround) -> None:
    ground.gateway.signal(signal.SIGUSR1)


async def _back(ground: FaultGround) -> None:
    ground.gateway.signal(signal.SIGUSR2)


def _has_noticed_the_jump(ground: FaultGround) -> bool:
    return bool(ground.ear.status.get("clock", {}).get("jumps") == 1)


MACHINE_FAULTS = (
    Fault(
        name="broker_away_an_hour",
        begin=_kill_broker,
        end=_start_broker,
        lasts_s=BROKER_AWAY_S,
        settings={"FLUSH_S": "30", "RECONNECT_S_MAX": "30"},
        shows=_has_reconnected,
        clock_speed=BROKER_CLOCK_SPEED,
        note="clinical time is 60 times as fast: an hour's readings in 60 s; retries keep the machine's time, as ever",
    ),
    Fault(
        name="disk_full",  # a running outbox whose rows go out again may need no more room
        begin=_fill_disk,
        end=_empty_disk,
        lasts_s=DISK_FULL_S,
        answer=Answer.NONE,
        disk_bytes=DISK_BYTES,
    ),
    Fault(
        name="disk_full_at_the_start",
        begin=_start_on_a_full_disk,
        end=_empty_disk,
        lasts_s=DISK_FULL_S,
        expected_restarts=1,
        note="started by hand: its start on a full disk is the trouble",
        shows=_disk_is_back,
        disk_bytes=DISK_BYTES,
    ),
    Fault(
        name="outbox_overwritten_and_gateway_killed",
        begin=_write_garbage,
        end=_restart_gateway,
        shows=_is_put_aside,
        expected_restarts=1,
        note="found when the file is opened anew: the gateway is killed before it looks, and started by hand",
    ),
    Fault(
        name="outbox_overwritten",  # nobody waits for the answer: what is read goes out meanwhile
        begin=_write_garbage,
        answer=Answer.NONE,
        shows=_is_put_aside,
    ),
    Fault(
        name="outbox_deleted",
        begin=_delete_outbox,
        answer=Answer.NONE,
        shows=_is_in_its_place_again,
    ),
    *(
        Fault(
            name=name,
            begin=begin,
            settings={"HEARTBEAT_S": "5"},  # the jump is told in a status
            answer=Answer.NONE,
            shows=_has_noticed_the_jump,
            command=_JUMPING,
            clock_set_s=set_s,
        )
        for name, begin, set_s in (
            ("clock_set_an_hour_ahead", _forward, HOUR_S),
            ("clock_set_an_hour_back", _back, -HOUR_S),
        )
    ),
)

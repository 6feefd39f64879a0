"""Runs a gateway: opens what it stands on, lives until it is told to stop, and takes it down in order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import structlog
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from gateway.bluetooth.adapter import Bluetooth
from gateway.box.machine import LinuxMachine, Machine, Timekeeper
from gateway.clocks.boots import Boots
from gateway.going_on import going_on
from gateway.outbox.boots import read_boots
from gateway.outbox.door import OutboxDoor
from gateway.outbox.outbox import OutboxError
from gateway.outbox.pair import stand_in_path
from gateway.plans import floor_of, radios_of
from gateway.report.status import OFFLINE, offline
from gateway.settings import GatewaySettings
from gateway.whole import Gateway
from vitals.clock import ClinicalClock
from vitals.topics import Leaf

DRAIN_S_MAX = 5.0
LAST_WORDS_S_MAX = 3.0
SETTLED_S_MAX = 1.0

T = TypeVar("T")
log = structlog.get_logger()


async def run(
    settings: GatewaySettings,
    *,
    clock: ClinicalClock,
    scanner_class: type[BaseBleakScanner] | None = None,
    client_class: type[BaseBleakClient] | None = None,
    machine: Machine | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Run until `stop` is set or the task is cancelled; both end cleanly. Raises what stopped it otherwise.

    None classes mean the real BlueZ. Raises OutboxError if the outbox can not be opened.
    """
    radios = radios_of(settings, scanner_class, client_class)
    async with built(settings, clock=clock, machine=machine, radios=radios) as gateway:
        await live(gateway, stop or asyncio.Event())


@asynccontextmanager
async def built(
    settings: GatewaySettings, *, clock: ClinicalClock, machine: Machine | None, radios: tuple[Bluetooth, ...]
) -> "AsyncIterator[Gateway]":
    """Open the outbox and build a gateway on it, for the block. Raises OutboxError."""
    door = await OutboxDoor.opened(
        settings.outbox_path,
        bytes_max=settings.outbox_bytes_max,
        undecoded_max=settings.undecoded_max,
        floor=floor_of(settings),
        stand_in=stand_in_path(settings.outbox_path),
    )
    timekeeper = Timekeeper(clock, machine or LinuxMachine(settings.clock_trust))
    try:
        yield Gateway(
            settings,
            door=door,
            timekeeper=timekeeper,
            radios=radios,
            boots=await asyncio.to_thread(_earlier_boots, settings, timekeeper),
        )
    finally:
        await door.close()


async def live(gateway: Gateway, stop: asyncio.Event) -> None:
    """Run until told to stop, or until a part that must not end does."""
    log.info("gateway starts", gateway=gateway.settings.gateway_id, outbox=str(gateway.door.outbox_id))
    gateway.recovery_log.read()
    gateway.uplink.start()
    radio = _kept(gateway, "radio", gateway.radio.run)
    intake = asyncio.create_task(gateway.intake.run(), name="intake")
    senders = [
        _kept(gateway, "stack", lambda: gateway.stack.run(gateway.recovery.listener())),
        _kept(gateway, "recovery", gateway.recovery.run),
        _kept(gateway, "bell", gateway.bell.run),
        _kept(gateway, "claims", lambda: gateway.claims.run(gateway.claimed, gateway.on_changed)),
        _kept(gateway, "courier", gateway.courier.run),
        _kept(gateway, "heartbeat", lambda: gateway.heartbeat.run(gateway.uplink)),
        asyncio.create_task(gateway.watchdog.run(), name="watchdog"),
        _kept(
            gateway,
            "status file",
            lambda: gateway.status_file.run(gateway.heartbeat.payload, changed=gateway.changed),
        ),
    ]
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        done, _ = await asyncio.wait((radio, intake, *senders, stopped), return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            task.result()
            raise RuntimeError(f"{task.get_name()} ended")
    finally:
        log.info("gateway stops")
        gateway.watchdog.stopping()
        await _take_down(gateway, radio, intake, [*senders, stopped])


def _kept(gateway: Gateway, name: str, part: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    return asyncio.create_task(going_on(name, part, gateway.crashes), name=name)


async def _take_down(
    gateway: Gateway, radio: asyncio.Task[None], intake: asyncio.Task[None], others: list[asyncio.Task[Any]]
) -> None:
    """Stop reading, accept what was read, send what can be sent, say goodbye."""
    await gateway.fleet.close()
    await _ended(radio)
    if not intake.done():
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S_MAX):
                await gateway.intake.drained()
    await _ended(intake, *others)
    await _tried("not all is sent and stored, it waits in the outbox", _sent(gateway))
    gateway.uplink.publish(Leaf.STATUS, OFFLINE, retain=True)
    await gateway.uplink.settled(timeout_s=SETTLED_S_MAX)
    await gateway.uplink.stop()
    word = await _tried("the last facts are not told", gateway.heartbeat.payload())
    await _tried("no last word is left", gateway.status_file.end(offline(word) if word else OFFLINE))
    log.info("gateway stopped")


async def _sent(gateway: Gateway) -> None:
    """Send what lies in the outbox until nothing is on its way any more."""
    await gateway.courier.flush()
    while gateway.uplink.connected and gateway.courier.window.in_flight:
        await asyncio.sleep(0.02)
        await gateway.courier.flush()


async def _tried(failure: str, last: Coroutine[Any, Any, T]) -> T | None:
    """Do one of the last things, within its time; whatever becomes of it, the others are done and the process ends."""
    try:
        async with asyncio.timeout(LAST_WORDS_S_MAX):
            return await last
    except (OutboxError, TimeoutError) as exc:
        log.warning(failure, error=str(exc) or f"not done within {LAST_WORDS_S_MAX:g} s")
    except Exception as exc:  # the outermost end: nobody is left to begin anew
        log.error(failure, error=f"{type(exc).__name__}: {exc}", exc_info=exc)
    return None


def _earlier_boots(settings: GatewaySettings, timekeeper: Timekeeper) -> Boots:
    """Read what dates the rows that earlier boots left; without it they go as they were stamped."""
    try:
        return read_boots(settings.outbox_path, present=timekeeper.boot_id)
    except OutboxError as exc:
        log.error("nothing known of earlier boots", error=str(exc))
        return Boots()


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

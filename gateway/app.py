"""Builds the gateway from its settings, hands every part what it needs, runs it, and takes it down in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import structlog
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from gateway.adapter import Bluetooth
from gateway.alarm_files import AlarmFiles
from gateway.bell import Bell
from gateway.bluez import BlueZ
from gateway.boots import Boots
from gateway.centre import Facts as CentreFacts
from gateway.claim_book import ClaimBook, book_path
from gateway.claim_desk import ClaimDesk
from gateway.claims import Claim
from gateway.courier import Courier
from gateway.fleet import Fleet
from gateway.heartbeat import Heartbeat, Parts
from gateway.intake import Intake
from gateway.lookout import Watched
from gateway.machine import LinuxMachine, Machine, Timekeeper
from gateway.outbox import OutboxError, set_aside_count
from gateway.outbox_boots import read_boots
from gateway.outbox_door import OutboxDoor
from gateway.outbox_pair import stand_in_path
from gateway.packing import NO_BOOTS
from gateway.plans import broker_address, courier_plan, floor_of, place_of, radios_of, session_plan, shares_of
from gateway.radio import Radio
from gateway.recovery_log import RecoveryLog, recovery_path
from gateway.recovery_rungs import Recovery
from gateway.settings import GatewaySettings
from gateway.slots import Slots
from gateway.stack import NoStack, Stack
from gateway.status import OFFLINE, UplinkState, offline
from gateway.status_file import StatusFile, status_path
from gateway.surroundings import Surroundings
from gateway.tls import certificate_end
from gateway.uplink import Listener, Uplink
from gateway.watchdog import Evidence, Systemd, Watchdog
from vitals.clock import ClinicalClock
from vitals.topics import Leaf

DRAIN_S_MAX = 5.0
LAST_WORDS_S_MAX = 3.0
TOLD_S_MAX = 2.0

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
        await gateway.run(stop or asyncio.Event())


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


class Gateway:
    """All parts of one gateway; construct on the event loop."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        door: OutboxDoor,
        timekeeper: Timekeeper,
        radios: tuple[Bluetooth, ...],
        boots: Boots = NO_BOOTS,
    ) -> None:
        clock, floor = timekeeper.clock, floor_of(settings)
        is_bluez = all(radio.scanner_class is None for radio in radios)
        self._settings = settings
        self._door = door
        self._timekeeper = timekeeper
        self._changed = asyncio.Event()
        self._status_file = StatusFile(status_path(settings.outbox_path, settings.status_file))
        self.stack: Stack = BlueZ() if is_bluez else NoStack()
        self.courier = Courier(door, timekeeper, courier_plan(settings, clock, floor), boots=boots)
        self.bell = Bell(
            settings.local_alarm,
            timekeeper=timekeeper,
            files=AlarmFiles(settings.outbox_path),
            facts=self._centre_facts,
            on_change=self._on_changed,
        )
        self.intake = Intake(
            door,
            where=place_of(settings, clock),
            floor=floor,
            on_accepted=self.courier.accepted,
            on_read=self.bell.heard,
        )
        self.fleet = Fleet(
            claim_all=settings.claim_all,
            devices_max=settings.devices_max,
            on_neighbour=lambda: self.heartbeat.beat_soon(),
        )
        self.radio = Radio(radios, self.stack, self.fleet.seen)
        self.slots = Slots(self.radio, links_max=settings.links_max, shares=shares_of(settings))
        self.fleet.start(
            Surroundings(
                radio=self.radio,
                slots=self.slots,
                stack=self.stack,
                timekeeper=timekeeper,
                take=self.intake.take,
                plan=session_plan(settings, clock, is_bluez=is_bluez),
            )
        )
        self.claims = ClaimDesk(
            ClaimBook(book_path(settings.outbox_path)),
            settings=settings.devices,
            devices_max=settings.devices_max,
            now=lambda: timekeeper.stamp().wall,
        )
        self.recovery_log = RecoveryLog(recovery_path(settings.outbox_path))
        self.recovery = Recovery(
            Watched(
                stack=self.stack,
                radio=self.radio,
                slots=self.slots,
                fleet=self.fleet,
                timekeeper=timekeeper,
                has_broker=lambda: self.uplink.connected,
                is_safe=self._is_safe,
                may_reboot=settings.reboot_allowed,
            ),
            self.recovery_log,
            tell=self._tell,
        )
        self.heartbeat = Heartbeat(
            Parts(
                door=door,
                intake=self.intake,
                courier=self.courier,
                fleet=self.fleet,
                radio=self.radio,
                slots=self.slots,
                timekeeper=timekeeper,
                set_aside=lambda: set_aside_count(settings.outbox_path),
                recovery=lambda: self.recovery.state,
                uplink=self._uplink_state,
                claims=self.claims.report,
                local_alarm=self.bell.report,
                certificate_end=certificate_end(settings.broker_certificate_file),
            ),
            every_s=clock.machine_s(timedelta(seconds=settings.heartbeat_s)),
        )
        self.uplink = Uplink(
            broker_address(settings),
            Listener(on_connected=self._on_connected, on_ack=self.courier.acknowledged, on_config=self.claims.hear),
            will=OFFLINE,
        )
        self.courier.uplink = self.uplink
        self.watchdog = Watchdog(
            Systemd.from_environment(), Evidence(ask_outbox=self._depth, intake=self.intake.progress)
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Run until told to stop, or until a part that must not end does."""
        log.info("gateway starts", gateway=self._settings.gateway_id, outbox=str(self._door.outbox_id))
        self.recovery_log.read()
        self.uplink.start()
        radio = asyncio.create_task(self.radio.run(), name="radio")
        intake = asyncio.create_task(self.intake.run(), name="intake")
        senders = [
            asyncio.create_task(self.stack.run(self.recovery.listener()), name="stack"),
            asyncio.create_task(self.recovery.run(), name="recovery"),
            asyncio.create_task(self.bell.run(), name="bell"),
            asyncio.create_task(self.claims.run(self._claimed, self._on_changed), name="claims"),
            asyncio.create_task(self.courier.run(), name="courier"),
            asyncio.create_task(self.heartbeat.run(self.uplink), name="heartbeat"),
            asyncio.create_task(self.watchdog.run(), name="watchdog"),
            asyncio.create_task(
                self._status_file.run(self.heartbeat.payload, changed=self._changed), name="status file"
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
            self.watchdog.stopping()
            await self._take_down(radio, intake, [*senders, stopped])

    async def _tell(self) -> None:
        """Tell the centre how things are, and let the word get out: what comes next may be a reboot."""
        await self.heartbeat.beat(self.uplink)
        await self.uplink.settled(timeout_s=TOLD_S_MAX)

    def _on_changed(self) -> None:
        """Tell at once what somebody may be looking for just now."""
        self.heartbeat.beat_now()
        self._changed.set()

    def _claimed(self, claims: Iterable[Claim]) -> None:
        """Read exactly these devices; what people have taken away rings no more."""
        before = {session.device.address for session in self.fleet.sessions}
        self.fleet.apply(claims)
        for address in before - {session.device.address for session in self.fleet.sessions}:
            self.bell.released(address)

    def _uplink_state(self) -> UplinkState:
        centre = self.bell.centre
        now_ms = self._timekeeper.elapsed_ms(self._timekeeper.stamp().mono_ms)

        def age_s(then_ms: int | None) -> float | None:
            return None if then_ms is None else (now_ms - then_ms) / 1000

        return UplinkState(
            connects=self.uplink.connects,
            stored_age_s=age_s(centre.stored_at_ms),
            centre_reachable=centre.is_reachable,
            unreachable_for_s=age_s(centre.unreachable_since_ms),
        )

    async def _is_safe(self) -> bool:
        """Say whether all that was accepted lies on the disk, so that a reboot loses nothing."""
        return not self.intake.counts.disk_full and (await self._door.account()).is_durable

    async def _centre_facts(self) -> CentreFacts:
        account = await self._door.account()
        return CentreFacts(connected=self.uplink.connected, stored=account.stored, waiting=account.depth)

    async def _depth(self) -> int:
        return (await self._door.account()).depth

    def _on_connected(self) -> None:
        self.courier.connected()
        self.heartbeat.beat_now()

    async def _take_down(
        self, radio: asyncio.Task[None], intake: asyncio.Task[None], others: list[asyncio.Task[Any]]
    ) -> None:
        """Stop reading, accept what was read, send what can be sent, say goodbye."""
        await self.fleet.close()
        await _ended(radio)
        if not intake.done():
            with suppress(TimeoutError):
                async with asyncio.timeout(DRAIN_S_MAX):
                    await self.intake.drained()
        await _ended(intake, *others)
        deadline_s = time.monotonic() + LAST_WORDS_S_MAX
        await self.courier.flush()
        while self.uplink.connected and self.courier.window.in_flight and time.monotonic() < deadline_s:
            await asyncio.sleep(0.02)
            await self.courier.flush()
        self.uplink.publish(Leaf.STATUS, OFFLINE, retain=True)
        await self.uplink.settled(timeout_s=1.0)
        await self.uplink.stop()
        await self._leave_word()
        log.info("gateway stopped")

    async def _leave_word(self) -> None:
        """Leave the last facts for whoever stands at the box, and that nothing runs any more."""
        word = OFFLINE
        with suppress(OutboxError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S_MAX):
                word = offline(await self.heartbeat.payload())
        await self._status_file.end(word)


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

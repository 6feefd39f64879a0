"""Builds the gateway from its settings, hands every part what it needs, runs it, and takes it down in order."""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner

from gateway.courier import Courier, CourierPlan
from gateway.fleet import Claims, Fleet
from gateway.floor import Floor
from gateway.heartbeat import Heartbeat, Parts
from gateway.intake import Intake
from gateway.machine import LinuxMachine, Machine, Timekeeper
from gateway.outbox import set_aside_count
from gateway.outbox_door import OutboxDoor
from gateway.placing import Place
from gateway.radio import Bluetooth, Radio
from gateway.session import SessionPlan
from gateway.settings import GatewaySettings
from gateway.status import OFFLINE
from gateway.uplink import BrokerAddress, Listener, Uplink
from gateway.window import Bounds
from vitals.clock import ClinicalClock
from vitals.reading import scaled
from vitals.signals import Signal
from vitals.topics import Leaf

SILENCE_S_MIN = 5.0  # a link lives in machine time: a fast clinical clock must not call a short pause a dead link
ECHO = timedelta(milliseconds=50)
DRAIN_S_MAX = 5.0
LAST_WORDS_S_MAX = 3.0

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
    door = await OutboxDoor.opened(
        settings.outbox_path, bytes_max=settings.outbox_bytes_max, undecoded_max=settings.undecoded_max
    )
    if door.set_aside:
        log.error("unreadable outbox put aside, its readings are not sent", file=str(door.set_aside))
    try:
        gateway = Gateway(
            settings,
            door=door,
            timekeeper=Timekeeper(clock, machine or LinuxMachine(settings.clock_trust)),
            bluetooth=Bluetooth(scanner_class=scanner_class, client_class=client_class, adapter=settings.adapter),
        )
        await gateway.run(stop or asyncio.Event())
    finally:
        await door.close()


class Gateway:
    """All parts of one gateway; construct on the event loop."""

    def __init__(
        self, settings: GatewaySettings, *, door: OutboxDoor, timekeeper: Timekeeper, bluetooth: Bluetooth
    ) -> None:
        clock = timekeeper.clock
        floor = Floor(
            spo2_below=scaled(Signal.SPO2, settings.urgent_spo2_below),
            temperature_from=scaled(Signal.TEMPERATURE, settings.urgent_temperature_from),
        )
        self._settings = settings
        self._door = door
        self.courier = Courier(door, timekeeper, _courier_plan(settings, clock, floor))
        self.intake = Intake(
            door,
            where=Place(zone=ZoneInfo(settings.site_zone), stored_after=timedelta(seconds=settings.stored_after_s)),
            floor=floor,
            on_accepted=self.courier.accepted,
        )
        self.fleet = Fleet(
            Claims(devices=settings.devices, claim_all=settings.claim_all, devices_max=settings.devices_max),
            timekeeper=timekeeper,
            take=self.intake.take,
            plan=_session_plan(settings, clock, is_bluez=bluetooth.client_class is None),
        )
        self.radio = Radio(bluetooth, self.fleet.seen)
        self.heartbeat = Heartbeat(
            Parts(
                door=door,
                intake=self.intake,
                courier=self.courier,
                fleet=self.fleet,
                radio=self.radio,
                timekeeper=timekeeper,
                set_aside=lambda: set_aside_count(settings.outbox_path),
            ),
            every_s=clock.machine_s(timedelta(seconds=settings.heartbeat_s)),
        )
        self.uplink = Uplink(
            _broker(settings),
            Listener(on_connected=self._on_connected, on_ack=self.courier.acknowledged),
            will=OFFLINE,
        )
        self.courier.uplink = self.uplink

    async def run(self, stop: asyncio.Event) -> None:
        """Run until told to stop, or until a part that must not end does."""
        log.info("gateway starts", gateway=self._settings.gateway_id, outbox=str(self._door.outbox_id))
        self.uplink.start()
        self.fleet.start(self.radio)
        radio = asyncio.create_task(self.radio.run(), name="radio")
        intake = asyncio.create_task(self.intake.run(), name="intake")
        senders = [
            asyncio.create_task(self.courier.run(), name="courier"),
            asyncio.create_task(self.heartbeat.run(self.uplink), name="heartbeat"),
        ]
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait((radio, intake, *senders, stopped), return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopped}:
                task.result()
                raise RuntimeError(f"{task.get_name()} ended")
        finally:
            log.info("gateway stops")
            await self._take_down(radio, intake, [*senders, stopped])

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
        log.info("gateway stopped")


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _courier_plan(settings: GatewaySettings, clock: ClinicalClock, floor: Floor) -> CourierPlan:
    return CourierPlan(
        flush_s=clock.machine_s(timedelta(seconds=settings.flush_s)),
        rows_max=settings.batch_rows_max,
        bounds=Bounds(
            in_flight_max=settings.in_flight_max,
            live_slots=max(1, settings.in_flight_max // 4),
            silence_s_min=settings.resend_s_min,
            silence_s_max=settings.resend_s_max,
        ),
        floor=floor,
    )


def _session_plan(settings: GatewaySettings, clock: ClinicalClock, *, is_bluez: bool) -> SessionPlan:
    """Only BlueZ repeats notifications (two D-Bus clients, a read of a notifying characteristic); others do not."""
    return SessionPlan(
        connect_s_max=settings.connect_s_max,
        stream_silence_s_max=max(SILENCE_S_MIN, clock.machine_s(timedelta(seconds=settings.stream_silence_s))),
        spot_silence_s_max=max(SILENCE_S_MIN, clock.machine_s(timedelta(seconds=settings.spot_silence_s))),
        echo_s=min(ECHO.total_seconds(), clock.machine_s(ECHO)) if is_bluez else 0.0,
    )


def _broker(settings: GatewaySettings) -> BrokerAddress:
    return BrokerAddress(
        host=settings.broker_host,
        port=settings.broker_port,
        gateway_id=settings.gateway_id,
        username=settings.broker_username,
        password=settings.broker_password.get_secret_value(),
        ca_file=settings.broker_ca_file,
        certificate_file=settings.broker_certificate_file,
        key_file=settings.broker_key_file,
        keepalive_s=settings.broker_keepalive_s,
        session_expiry_s=settings.broker_session_expiry_s,
        reconnect_s_max=settings.reconnect_s_max,
        in_flight_max=settings.in_flight_max,
    )

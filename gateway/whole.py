"""All parts of one gateway, built from its settings, each told what it needs to know of the others."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta

import structlog

from gateway.alarm.bell import Bell
from gateway.alarm.centre import Facts as CentreFacts
from gateway.alarm.files import AlarmFiles
from gateway.bluetooth.adapter import Bluetooth
from gateway.bluetooth.bluez import BlueZ
from gateway.bluetooth.radio import Radio
from gateway.bluetooth.slots import Slots
from gateway.bluetooth.stack import NoStack, Stack
from gateway.box.machine import Timekeeper
from gateway.box.watchdog import Evidence, Systemd, Watchdog
from gateway.claims.book import ClaimBook, book_path
from gateway.claims.claims import Claim
from gateway.claims.desk import ClaimDesk
from gateway.clocks.boots import Boots
from gateway.clocks.placing import Stamped
from gateway.intake.intake import Intake
from gateway.outbox.door import OutboxDoor
from gateway.outbox.outbox import set_aside_count
from gateway.plans import broker_address, courier_plan, floor_of, place_of, session_plan, shares_of
from gateway.recovery.log import RecoveryLog, recovery_path
from gateway.recovery.lookout import Watched
from gateway.recovery.rungs import Recovery
from gateway.report.heartbeat import Heartbeat, Parts
from gateway.report.status import OFFLINE, UplinkState
from gateway.report.status_file import StatusFile, status_path
from gateway.session.fleet import Fleet
from gateway.session.surroundings import Surroundings
from gateway.settings import GatewaySettings
from gateway.uplink.courier import Courier
from gateway.uplink.packing import NO_BOOTS
from gateway.uplink.uplink import Listener, Uplink

TOLD_S_MAX = 2.0

log = structlog.get_logger()


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
        self.crashes: Counter[str] = Counter()
        self.settings = settings
        self.door = door
        self._timekeeper = timekeeper
        self.changed = asyncio.Event()
        self.status_file = StatusFile(status_path(settings.outbox_path, settings.status_file))
        self._build_the_way_of_a_reading(boots)
        self._build_the_radio_side(radios)
        self.claims = ClaimDesk(
            ClaimBook(book_path(settings.outbox_path)),
            settings=settings.devices,
            devices_max=settings.devices_max,
            now=lambda: timekeeper.stamp().wall,
        )
        self.heartbeat = Heartbeat(
            self._parts(),
            every_s=timekeeper.clock.machine_s(timedelta(seconds=settings.heartbeat_s)),
            clinical_s=settings.heartbeat_s,
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

    def _build_the_way_of_a_reading(self, boots: Boots) -> None:
        settings, clock, floor = self.settings, self._timekeeper.clock, floor_of(self.settings)
        self.courier = Courier(self.door, self._timekeeper, courier_plan(settings, clock, floor), boots=boots)
        self.bell = Bell(
            settings.local_alarm,
            timekeeper=self._timekeeper,
            files=AlarmFiles(settings.outbox_path),
            facts=self._centre_facts,
            on_change=self.on_changed,
        )
        self.intake = Intake(
            self.door,
            where=place_of(settings, clock),
            floor=floor,
            on_accepted=self.courier.accepted,
            on_read=self._ring,
        )

    def _build_the_radio_side(self, radios: tuple[Bluetooth, ...]) -> None:
        settings = self.settings
        is_bluez = all(radio.scanner_class is None for radio in radios)
        self.stack: Stack = BlueZ() if is_bluez else NoStack()
        self.fleet = Fleet(
            claim_all=settings.claim_all,
            devices_max=settings.devices_max,
            crashes=self.crashes,
            on_neighbour=lambda: self.heartbeat.beat_soon(),
        )
        self.radio = Radio(radios, self.stack, self.fleet.seen)
        self.slots = Slots(self.radio, links_max=settings.links_max, shares=shares_of(settings))
        self.fleet.start(
            Surroundings(
                radio=self.radio,
                slots=self.slots,
                stack=self.stack,
                timekeeper=self._timekeeper,
                take=self.intake.take,
                plan=session_plan(settings, self._timekeeper.clock, is_bluez=is_bluez),
                crashes=self.crashes,
            )
        )
        self.recovery_log = RecoveryLog(recovery_path(settings.outbox_path))
        self.recovery = Recovery(self._watched(), self.recovery_log, tell=self._tell)

    def _watched(self) -> Watched:
        return Watched(
            stack=self.stack,
            radio=self.radio,
            slots=self.slots,
            fleet=self.fleet,
            timekeeper=self._timekeeper,
            has_broker=lambda: self.uplink.connected,
            is_safe=self._is_safe,
            may_reboot=self.settings.reboot_allowed,
        )

    def _parts(self) -> Parts:
        return Parts(
            door=self.door,
            intake=self.intake,
            courier=self.courier,
            fleet=self.fleet,
            radio=self.radio,
            slots=self.slots,
            timekeeper=self._timekeeper,
            set_aside=lambda: set_aside_count(self.settings.outbox_path),
            recovery=lambda: self.recovery.state,
            uplink=self._uplink_state,
            claims=self.claims.report,
            local_alarm=self.bell.report,
            crashes=self._crashes,
            certificate_end=lambda: self.uplink.certificate_end,
        )

    def _ring(self, rows: Sequence[Stamped]) -> None:
        """Tell the bell what was read; a bug of the alarm does not keep readings from the disk."""
        try:
            self.bell.heard(rows)
        except Exception:  # readings are accepted whatever becomes of the alarm
            self.crashes["bell"] += 1
            log.exception("the alarm crashed over readings")

    async def _tell(self) -> None:
        """Tell the centre how things are, and let the word get out: what comes next may be a reboot."""
        await self.heartbeat.beat(self.uplink)
        await self.uplink.settled(timeout_s=TOLD_S_MAX)

    def on_changed(self) -> None:
        """Tell at once what somebody may be looking for just now."""
        self.heartbeat.beat_now()
        self.changed.set()

    def claimed(self, claims: Iterable[Claim]) -> None:
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
            trouble=self.uplink.trouble,
            stored_age_s=age_s(centre.stored_at_ms),
            centre_reachable=centre.said_reachable,
            unreachable_for_s=age_s(centre.unreachable_since_ms),
        )

    def _crashes(self) -> dict[str, int]:
        """Count the crashes of each part that had some; the thread to the broker is one of them."""
        return {name: count for name, count in {**self.crashes, "uplink": self.uplink.crashes}.items() if count}

    async def _is_safe(self) -> bool:
        """Say whether all that was accepted lies on the disk, so that a reboot loses nothing."""
        return not self.intake.counts.disk_full and (await self.door.account()).is_durable

    async def _centre_facts(self) -> CentreFacts:
        account = await self.door.account()
        return CentreFacts(connected=self.uplink.connected, stored=account.stored, waiting=account.depth)

    async def _depth(self) -> int:
        return (await self.door.account()).depth

    def _on_connected(self) -> None:
        self.courier.connected()
        self.heartbeat.beat_now()

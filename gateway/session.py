"""One device's session: carries out what the table of session_states says, over plain bleak."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import structlog
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from gateway.gatt.battery import LEVEL_UUID
from gateway.gatt.decoders import PROFILES, short_uuid
from gateway.intake import Notification
from gateway.machine import Timekeeper
from gateway.radio import RADIO_ERRORS, Radio
from gateway.session_states import LINKED_STATES, Action, Event, Progress, State, action_in, moved, rest_s

FRESH_S_MAX = 5.0
OPERATION_S_MAX = 20.0
DISCONNECT_S_MAX = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """Machine seconds: how long a connect may take, and how long a link may be silent before it counts as dead."""

    connect_s_max: float
    stream_silence_s_max: float
    spot_silence_s_max: float
    echo_s: float


@dataclass(slots=True, kw_only=True)
class SessionCounts:
    """What happened to this device since the process began."""

    links: int = 0
    links_lost: int = 0
    silences: int = 0
    failures: int = 0
    echoes: int = 0
    notifications: int = 0


class Session:
    """Keeps one device read, for ever."""

    def __init__(
        self,
        address: str,
        *,
        radio: Radio,
        timekeeper: Timekeeper,
        take: Callable[[Notification], None],
        plan: SessionPlan,
    ) -> None:
        self.address = address
        self.progress = Progress()
        self.counts = SessionCounts()
        self.last_reading_at: datetime | None = None
        self._radio = radio
        self._timekeeper = timekeeper
        self._take = take
        self._plan = plan
        self._now_s = asyncio.get_running_loop().time
        self._client: BleakClient | None = None
        self._lost = asyncio.Event()
        self._last_heard_s = 0.0
        self._measured: frozenset[str] = frozenset()
        self._is_stream = False
        self._newest: dict[str, tuple[bytes, float]] = {}
        self._acts: dict[Action, Callable[[], Awaitable[Event]]] = {
            Action.AWAIT_ADVERTISEMENT: self._await_advertisement,
            Action.CONNECT: self._connect,
            Action.DISCOVER: self._discover,
            Action.SUBSCRIBE: self._subscribe,
            Action.LISTEN: self._listen,
            Action.REST: self._rest,
        }

    @property
    def is_linked(self) -> bool:
        """Whether there is a link now."""
        return self.progress.state in LINKED_STATES

    async def run(self) -> None:
        """Live the table for ever; whatever ends this leaves no link behind."""
        try:
            while True:
                event = await self._acts[action_in(self.progress.state)]()
                before, self.progress = self.progress, moved(self.progress, event)
                self._note(before.state, event)
                if self.progress.state in (State.SCAN, State.WAIT):
                    await self._drop_link()
        finally:
            await self._drop_link()

    def restart(self) -> None:
        """Begin the table anew after a crash."""
        self.progress = Progress()

    async def _await_advertisement(self) -> Event:
        await self._radio.heard(self.address)
        return Event.ADVERTISED

    async def _connect(self) -> Event:
        async with self._radio.connecting:
            sighting = self._radio.sighting(self.address)
            if sighting is None or self._now_s() - sighting.heard_s > FRESH_S_MAX:
                return Event.ADVERTISEMENT_AGED
            self._lost = asyncio.Event()
            self._client = self._radio.client(
                sighting.device, on_lost=self._lost.set, timeout_s=self._plan.connect_s_max
            )
            try:
                async with asyncio.timeout(self._plan.connect_s_max):
                    await self._client.connect()
            except RADIO_ERRORS as exc:
                await self._drop_link()  # before the next session's turn: a pending connect blocks the controller
                return self._failed("connect", exc)
        self.counts.links += 1
        return Event.CONNECTED

    async def _discover(self) -> Event:
        assert self._client is not None
        try:
            found = self._client.services
        except RADIO_ERRORS as exc:  # the link went down meanwhile
            return self._failed("discovery", exc)
        offered = {short_uuid(c.uuid) for c in found.characteristics.values()}
        services = {short_uuid(service.uuid) for service in found}
        profiles = [profile for uuid, profile in PROFILES.items() if uuid in services]
        self._measured = frozenset(uuid for p in profiles for uuid in p.subscribe if uuid in offered)
        self._is_stream = any(p.streams & self._measured for p in profiles)
        if not self._measured:
            log.warning("nothing to read on this device", device=self.address, services=sorted(services))
            return Event.NOTHING_TO_READ
        return Event.FOUND

    async def _subscribe(self) -> Event:
        assert self._client is not None
        self._newest = {}
        self._last_heard_s = self._now_s()
        try:
            characteristics = {short_uuid(c.uuid): c for c in self._client.services.characteristics.values()}
            for uuid in sorted(self._measured):
                async with asyncio.timeout(OPERATION_S_MAX):
                    await self._client.start_notify(characteristics[uuid], self._on_notification)
        except RADIO_ERRORS as exc:
            return self._failed("subscribe", exc)
        if LEVEL_UUID in characteristics:
            await self._read_battery(self._client, characteristics[LEVEL_UUID])
        return Event.SUBSCRIBED

    async def _read_battery(self, client: BleakClient, level: BleakGATTCharacteristic) -> None:
        """Read the level once and listen to it where it notifies; a device without a level that answers is no loss."""
        try:
            async with asyncio.timeout(OPERATION_S_MAX):
                self._on_notification(level, await client.read_gatt_char(level))
                if "notify" in level.properties:
                    await client.start_notify(level, self._on_notification)
        except RADIO_ERRORS as exc:
            log.info("no battery level", device=self.address, error=f"{type(exc).__name__}: {exc}")

    async def _listen(self) -> Event:
        assert self._client is not None
        bound_s = self._plan.stream_silence_s_max if self._is_stream else self._plan.spot_silence_s_max
        while (left_s := self._last_heard_s + bound_s - self._now_s()) > 0:
            try:
                async with asyncio.timeout(left_s):
                    await self._lost.wait()
            except TimeoutError:
                continue
            self.counts.links_lost += 1
            return Event.LINK_LOST
        self.counts.silences += 1
        return Event.SILENT

    async def _rest(self) -> Event:
        await asyncio.sleep(rest_s(self.progress.failures))
        return Event.RESTED

    def _on_notification(self, characteristic: BleakGATTCharacteristic, data: bytearray) -> None:
        """Pass a notification on, unless the stack only repeats the last one (BlueZ does, see `echo_s`)."""
        uuid, payload, now_s = short_uuid(characteristic.uuid), bytes(data), self._now_s()
        last_payload, last_s = self._newest.get(uuid, (b"", float("-inf")))
        self._newest[uuid] = (payload, now_s)
        if payload == last_payload and now_s - last_s < self._plan.echo_s:
            self.counts.echoes += 1
            return
        stamp = self._timekeeper.stamp()
        if uuid in self._measured:
            self._last_heard_s = now_s
            self.last_reading_at = stamp.wall
        self.counts.notifications += 1
        self._take(Notification(device=self.address, characteristic=uuid, payload=payload, stamp=stamp))

    async def _drop_link(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        try:
            async with asyncio.timeout(DISCONNECT_S_MAX):
                await client.disconnect()
        except RADIO_ERRORS as exc:
            log.info("disconnect failed", device=self.address, error=f"{type(exc).__name__}: {exc}")

    def _failed(self, what: str, exc: BaseException) -> Event:
        self.counts.failures += 1
        log.warning(f"{what} failed", device=self.address, error=f"{type(exc).__name__}: {exc}")
        return Event.FAILED

    def _note(self, before: State, event: Event) -> None:
        if self.progress.state is State.STREAM or before is State.STREAM:
            log.info("session", device=self.address, happened=event.value, state=self.progress.state.value)

"""A battery-powered device on the air: advertises, serves GATT, speaks to its one central, counts what it says."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bumble import core, hci
from bumble.core import UUID
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import Characteristic, Service
from bumble.keys import MemoryKeyStore

from firmware_stubs.announcement import Said, advertising_data, scan_response
from firmware_stubs.commands import Commands
from firmware_stubs.outlet import Outlet, Permissions, Properties, keep_secret, readable
from firmware_stubs.radio import RSSI_DBM, Air, Radio, drop_failed_pairings, quieten_bumble
from firmware_stubs.tally import Tally

LAST_WORD_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a device is: its address ("…/P" is public, else random static), its name and its label."""

    name: str
    address: str
    manufacturer: str = "Hearthwatch Stubs"
    model: str = "HS-1"
    serial: str = "0001"
    battery_percent: int = 87
    rssi_dbm: int = RSSI_DBM
    advertising_interval_ms: float = 100.0


class Peripheral(ABC):
    """Base of the devices: power, link, battery and label; a subclass gives services and says what to send.

    It advertises while it is awake and not connected. Bonds outlive its power.
    """

    advertised_uuids: Sequence[UUID] = ()
    is_awake_from_the_start = True

    def __init__(self, *, air: Air, identity: Identity) -> None:
        self.identity = identity
        self.tally = Tally()
        self.connection: Connection | None = None
        self.connected = asyncio.Event()
        self.disconnected = asyncio.Event()
        self.disconnect_reason: int | None = None
        self.may_speak = asyncio.Event()
        self.may_speak.set()
        self._in_flight = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._air = air
        self._radio: Radio | None = None
        self._device: Device | None = None
        self._is_awake = False
        self._bonds = MemoryKeyStore()
        self._commands = Commands()
        self.life: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Tell whether a central is connected now."""
        return self.connection is not None

    @property
    def stored(self) -> int:
        """Return how many measurements wait in its memory."""
        return 0

    async def power_on(self) -> None:
        """Appear on the air and start measuring."""
        quieten_bumble()
        address = hci.Address(self.identity.address)
        public_address = address if address.is_public else None
        radio = Radio(self.identity.name, self._air, public_address=public_address, rssi_dbm=self.identity.rssi_dbm)
        device = Device(
            config=DeviceConfiguration(name=self.identity.name, address=_random(address)),
            host=radio.host_side(),
        )
        device.on(Device.EVENT_CONNECTION, self._on_connection)
        device.add_services([*self.services(), _battery_service(self.identity), _label_service(self.identity)])
        for outlet in self.outlets():
            if outlet.is_secret:
                keep_secret(device.gatt_server, outlet)
        device.keystore = self._bonds
        await device.power_on()
        self._radio, self._device = radio, device
        if self.is_awake_from_the_start:
            await self.wake()
        self.life = asyncio.create_task(self.live(), name=f"device {self.identity.name}")

    async def power_off(self) -> None:
        """Vanish from the air; the central sees a supervision timeout. Harmless if already off."""
        if self.life is None or self._radio is None or self._device is None:
            return
        self._is_awake = False
        self.life.cancel()
        await asyncio.wait({self.life})
        await self._commands.settle()
        await self._device.power_off()
        self._radio.unplug()
        self.life = self._radio = self._device = None
        self._on_disconnection(hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)

    async def wake(self) -> None:
        """Advertise from now on, whenever nobody is connected."""
        self._is_awake = True
        if not self.is_connected:
            await self._commands.run(self._advertise())

    async def sleep(self) -> None:
        """Hang up and advertise no more, until woken."""
        self._is_awake = False
        await self._commands.run(self._retire())

    def forget_bonds(self) -> None:
        """Lose every bond, as a reset by a pin does."""
        self._bonds.all_keys.clear()

    async def hush(self) -> None:
        """Stop sending new measurements, staying connected; return when nothing is in flight."""
        self.may_speak.clear()
        await self._settled.wait()

    def cut(self) -> None:
        """Lose the link now, as a wall or a flat battery does; both ends get 0x08."""
        self._air.cut(self.identity.address)

    # What a subclass gives.

    @abstractmethod
    def services(self) -> list[Service]:
        """Return the services beyond battery and label."""

    @abstractmethod
    def outlets(self) -> Sequence[Outlet]:
        """Return the characteristics that speak by themselves."""

    def said(self) -> Said:
        """Return what is advertised beside the name."""
        return Said(uuids=self.advertised_uuids)

    @abstractmethod
    async def live(self) -> None:
        """Measure and send until cancelled."""

    def on_link_lost(self) -> None:
        """Forget what belonged to the link: who listened."""
        for outlet in self.outlets():
            outlet.listening.clear()

    # What a subclass uses.

    async def notify(self, outlet: Outlet, value: bytes) -> bool:
        """Send a notification; tell whether it went out."""
        if self.connection is None or self._device is None or not outlet.listening.is_set():
            return False
        self.tally.notifications += 1
        await self._device.gatt_server.notify_subscriber(self.connection, outlet.characteristic, value)
        return True

    async def indicate(self, outlet: Outlet, value: bytes) -> bool:
        """Send an indication; tell whether it was confirmed before the link or the subscription ended."""
        connection, device = self.connection, self._device
        if connection is None or device is None:
            return False
        self._in_flight += 1
        self._settled.clear()
        sending = asyncio.create_task(self._indicate(device, connection, outlet, value))
        gone = asyncio.create_task(self.disconnected.wait())
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            # A confirmation that came just before the link was lost still counts.
            await asyncio.wait({sending}, timeout=LAST_WORD_S)
        finally:
            gone.cancel()
            sending.cancel()
            await asyncio.wait({sending, gone})
            self._in_flight -= 1
            if not self._in_flight:
                self._settled.set()
        is_confirmed = not sending.cancelled() and sending.exception() is None and sending.result()
        self.tally.confirmed += is_confirmed
        return is_confirmed

    async def _indicate(self, device: Device, connection: Connection, outlet: Outlet, value: bytes) -> bool:
        if not outlet.listening.is_set():
            return False
        self.tally.notifications += 1
        # Forced: bumble would silently not send to a central that unsubscribed, as if it had confirmed.
        await device.gatt_server.indicate_subscriber(connection, outlet.characteristic, value, force=True)
        return True

    async def repeat(self, outlet: Outlet, every_real_s: float, send: Callable[[], Awaitable[bool]]) -> None:
        """Send at a steady beat for ever, only while somebody listens; missed beats are left out."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            await outlet.listening.wait()
            await self.may_speak.wait()
            due_s = max(due_s, loop.time() - every_real_s)
            await send()
            due_s += every_real_s
            await asyncio.sleep(due_s - loop.time())

    async def _advertise(self) -> None:
        device = self._device
        if device is None:
            return
        await device.start_advertising(
            own_address_type=(
                hci.OwnAddressType.PUBLIC if hci.Address(self.identity.address).is_public else hci.OwnAddressType.RANDOM
            ),
            advertising_data=advertising_data(self.said()),
            scan_response_data=scan_response(self.identity.name),
            advertising_interval_min=self.identity.advertising_interval_ms,
            advertising_interval_max=self.identity.advertising_interval_ms,
        )

    async def _retire(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(core.BaseBumbleError):
                await self.connection.disconnect()
        elif self._device is not None:
            await self._device.stop_advertising()

    def _on_connection(self, connection: Connection) -> None:
        self.connection = connection
        self.disconnected.clear()
        self.connected.set()
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        drop_failed_pairings(connection)

    def _on_disconnection(self, reason: int) -> None:
        self.connection = None
        self.disconnect_reason = reason
        self.on_link_lost()
        self.connected.clear()
        self.disconnected.set()
        if self._is_awake:
            self._commands.keep(asyncio.create_task(self._advertise()))


def _random(address: hci.Address) -> hci.Address:
    return hci.Address.ANY_RANDOM if address.is_public else address


def _battery_service(identity: Identity) -> Service:
    level = Characteristic(
        core.UUID.from_16_bits(0x2A19),
        Properties.READ | Properties.NOTIFY,
        Permissions.READABLE,
        bytes((identity.battery_percent,)),
    )
    return Service(core.UUID.from_16_bits(0x180F), [level])


def _label_service(identity: Identity) -> Service:
    label = ((0x2A29, identity.manufacturer), (0x2A24, identity.model), (0x2A25, identity.serial))
    return Service(
        core.UUID.from_16_bits(0x180A),
        [readable(core.UUID.from_16_bits(number), text.encode()) for number, text in label],
    )

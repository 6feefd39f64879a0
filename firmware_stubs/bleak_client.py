"""One link of the virtual radio as bleak sees it: connect, discover, read, write, subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble import att, core
from bumble.device import Connection
from bumble.gatt import GATT_GENERIC_ACCESS_SERVICE, Characteristic
from bumble.gatt_client import CharacteristicProxy, ServiceProxy

from firmware_stubs.adapter import Adapter

MTU_WANTED_BYTES = 517
T = TypeVar("T")

_PROPERTY_NAMES: dict[Characteristic.Properties, CharacteristicPropertyName] = {
    Characteristic.Properties.BROADCAST: "broadcast",
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
    Characteristic.Properties.AUTHENTICATED_SIGNED_WRITES: "authenticated-signed-writes",
    Characteristic.Properties.EXTENDED_PROPERTIES: "extended-properties",
}


class BumbleClient(BaseBleakClient):
    """A link to one device. `disconnected_callback` fires for every end of a link that was up."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None = None,
        timeout: float = 30.0,
        **_kwargs: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._name = address_or_ble_device.name if isinstance(address_or_ble_device, BLEDevice) else None
        self._wanted_services = services
        self._connection: Connection | None = None
        self._is_ready = False
        self._lost = asyncio.Event()

    @property
    def name(self) -> str:
        return self._name or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        return self._connection.att_mtu if self._connection else att.ATT_DEFAULT_MTU

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        if self._connection is not None:
            raise BleakError(f"{self.address} is already connected")
        timeout_s = float(kwargs.get("timeout", self._timeout))
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        connection = await self.adapter.connect(self.address, timeout_s=timeout_s)
        if connection.device.connections.get(connection.handle) is not connection:
            raise BleakError(f"{self.address} disconnected at once")
        self._connection = connection
        self._lost = asyncio.Event()
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        try:
            async with asyncio.timeout_at(deadline_s):
                await self._ask(_encrypt_if_bonded(connection))
                await self._ask(connection.gatt_client.request_mtu(MTU_WANTED_BYTES))
                if pair:
                    await self.pair()
                self.services = await self._ask(self._discover(connection))
        except BaseException:
            await asyncio.shield(self.disconnect())
            raise
        self._is_ready = True

    async def disconnect(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.disconnect()
        except (core.BaseBumbleError, asyncio.CancelledError):
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:
        await self._ask(self._link().pair())

    async def unpair(self) -> None:
        if keystore := self._link().device.keystore:
            await keystore.delete(str(self._link().peer_address))

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        cached = self._link().gatt_client.cached_values.get(characteristic.handle)
        if use_cached and cached is not None:
            return bytearray(cached[1])
        return bytearray(await self._ask(self._link().gatt_client.read_value(characteristic.handle)))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_kwargs: Any
    ) -> bytearray:
        del use_cached
        return bytearray(await self._ask(self._link().gatt_client.read_value(descriptor.handle)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        client = self._link().gatt_client
        await self._ask(client.write_value(characteristic.handle, bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        client = self._link().gatt_client
        await self._ask(client.write_value(descriptor.handle, bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_kwargs: Any
    ) -> None:
        if not {"notify", "indicate"} & set(characteristic.properties):
            raise BleakError(f"{characteristic.uuid} neither notifies nor indicates")
        client = self._link().gatt_client
        self._forget_subscriber(characteristic)

        loop = asyncio.get_running_loop()

        def on_value(value: bytes) -> None:
            # An indication is confirmed whatever the application does with it, as by BlueZ.
            loop.call_soon(callback, bytearray(value))

        await self._ask(client.subscribe(characteristic.obj, on_value))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._ask(self._link().gatt_client.unsubscribe(characteristic.obj))

    def _link(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    def _forget_subscriber(self, characteristic: BleakGATTCharacteristic) -> None:
        client = self._link().gatt_client
        client.notification_subscribers.pop(characteristic.handle, None)
        client.indication_subscribers.pop(characteristic.handle, None)

    async def _ask(self, request: Coroutine[Any, Any, T]) -> T:
        # bumble leaves a request that begins just after the link was lost waiting for its 30 s timeout.
        asking = asyncio.create_task(request)
        lost = asyncio.create_task(self._lost.wait())
        waiting: set[asyncio.Task[Any]] = {asking, lost}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            lost.cancel()
            await asyncio.wait(waiting)
        try:
            return asking.result()
        except att.ATT_Error as exc:
            raise BleakGATTProtocolError(int(exc.error_code)) from exc
        except core.BaseBumbleError as exc:
            raise BleakError(f"{self.address}: {exc}") from exc
        except asyncio.CancelledError as exc:
            raise BleakError(f"{self.address}: disconnected during a request") from exc

    async def _discover(self, connection: Connection) -> BleakGATTServiceCollection:
        client = connection.gatt_client
        found = BleakGATTServiceCollection()
        for service in await client.discover_services():
            uuid = full_uuid(service.uuid)
            if service.uuid == GATT_GENERIC_ACCESS_SERVICE:
                continue  # BlueZ keeps it to itself
            if self._wanted_services is None or uuid in self._wanted_services:
                await self._discover_service(found, service, uuid)
        return found

    async def _discover_service(self, found: BleakGATTServiceCollection, service: ServiceProxy, uuid: str) -> None:
        owner = BleakGATTService(service, service.handle, uuid)
        found.add_service(owner)
        for proxy in await service.discover_characteristics():
            characteristic = BleakGATTCharacteristic(
                proxy, proxy.handle, full_uuid(proxy.uuid), _properties(proxy), self._write_size_max, owner
            )
            found.add_characteristic(characteristic)
            for descriptor in await proxy.discover_descriptors():
                found.add_descriptor(
                    BleakGATTDescriptor(descriptor, descriptor.handle, full_uuid(descriptor.type), characteristic)
                )

    def _write_size_max(self) -> int:
        return self.mtu_size - 3

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self.services = None
        self._lost.set()
        was_ready, self._is_ready = self._is_ready, False
        if was_ready and self._disconnected_callback is not None:
            self._disconnected_callback()


async def _encrypt_if_bonded(connection: Connection) -> None:
    keystore = connection.device.keystore
    if keystore is not None and await keystore.get(str(connection.peer_address)) is not None:
        await connection.encrypt()


def full_uuid(uuid: core.UUID) -> str:
    """Write a UUID in the 128-bit lower-case form that bleak compares."""
    return str(UUID(bytes=bytes(reversed(uuid.uuid_128_bytes))))


def _properties(proxy: CharacteristicProxy[bytes]) -> list[CharacteristicPropertyName]:
    return [name for flag, name in _PROPERTY_NAMES.items() if proxy.properties & flag]

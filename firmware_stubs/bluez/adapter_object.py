"""An adapter as bluetoothd shows it: org.bluez.Adapter1, and the devices that it knows."""

from __future__ import annotations

import asyncio
import contextlib

from bumble import hci
from bumble.device import Advertisement, Connection
from bumble.keys import KeyStore
from bumble.pairing import PairingConfig
from dbus_fast import Variant

from firmware_stubs.bleak_backend import advertisement_data
from firmware_stubs.bluez.central import Central
from firmware_stubs.bluez.device_object import DeviceObject
from firmware_stubs.bluez.discovery import Discovery
from firmware_stubs.bluez.errors import bluez_error, not_ready
from firmware_stubs.bluez.faults import Cure, Member
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.monitors import Monitors
from firmware_stubs.bluez.object_tree import Call, Handler, Interface, Reply

ADAPTER = "org.bluez.Adapter1"


class AdapterObject:
    """One adapter. `gone` is set when its controller was lost, as a dongle that was pulled out."""

    def __init__(self, ground: Ground, *, name: str, transport: str, address: hci.Address) -> None:
        self.path = f"/org/bluez/{name}"
        self.gone = asyncio.Event()
        self._name = name
        self._ground = ground
        self._tree = ground.tree
        self._address = address
        self._keystore: KeyStore = ground.storage.keystore(name)
        self._devices: dict[str, DeviceObject] = {}
        self._heard: set[DeviceObject] = set()
        self._discovery = Discovery(ground.faults, adapter=name, switch=self._switch_scan)
        self._monitors = Monitors(ground.tree, switch=self._switch_scan)
        self._central = Central(
            transport,
            address=address,
            timings=ground.timings,
            on_advertisement=self._on_advertisement,
            on_lost=self.gone.set,
            is_deaf=lambda: ground.faults.is_deaf(name),
        )

    async def appear(self) -> None:
        """Power on, show the adapter and what it knows; raise NoController if its controller is not there."""
        await self._power_on()
        self._tree.add(self.path, self._shown(), self._monitors.shown())
        for known in self._ground.storage.read_devices(self._name):
            kind = hci.Address.PUBLIC_DEVICE_ADDRESS if known.is_public else hci.Address.RANDOM_DEVICE_ADDRESS
            device = self._add(hci.Address(known.address, kind))
            device.remember(known, is_bonded=await self._keystore.get(str(device.address)) is not None)

    async def vanish(self) -> None:
        """Power off and take the adapter and its devices from the bus."""
        await self._power_off()
        for device in self._devices.values():
            device.remove()
        self._devices.clear()
        self._tree.remove(self.path)

    async def forget_client(self, client: str) -> None:
        """End what a client that left the bus had asked for; its links stay."""
        if not self._tree.has(self.path):
            return
        await self._discovery.forget_client(client)
        await self._monitors.forget_client(client)
        for device in list(self._devices.values()):
            await device.link.forget_client(client)

    def _shown(self) -> Interface:
        return Interface(
            name=ADAPTER,
            properties={
                "Address": Variant("s", self._address.to_string(with_type_qualifier=False)),
                "AddressType": Variant("s", "random"),
                "Name": Variant("s", "stub"),
                "Alias": Variant("s", "stub"),
                "Class": Variant("u", 0),
                "Powered": Variant("b", True),
                "Discoverable": Variant("b", False),
                "Pairable": Variant("b", True),
                "Discovering": Variant("b", False),
                "UUIDs": Variant("as", []),
                "Roles": Variant("as", ["central", "peripheral"]),
            },
            methods={
                "SetDiscoveryFilter": ("a{sv}", self._when_powered(self._discovery.set_filter)),
                "StartDiscovery": ("", self._when_powered(self._discovery.start)),
                "StopDiscovery": ("", self._when_powered(self._discovery.stop)),
                "RemoveDevice": ("o", self._when_powered(self._remove_device)),
            },
            setters={"Powered": self._set_powered},
        )

    def _when_powered(self, handler: Handler) -> Handler:
        async def checked(call: Call) -> Reply | None:
            if not self._tree.value(self.path, ADAPTER, "Powered"):
                raise not_ready()
            return await handler(call)

        return checked

    async def _set_powered(self, wanted: bool) -> None:
        await self._ground.faults.meet(Member.SET_POWERED)
        if wanted == self._tree.value(self.path, ADAPTER, "Powered"):
            return
        if wanted:
            self._ground.faults.cure(self._name, Cure.POWER_CYCLE)
            await self._power_on()
        else:
            await self._power_off()
        self._tree.change(self.path, ADAPTER, {"Powered": Variant("b", wanted)})

    async def _power_on(self) -> None:
        await self._central.power_on(keystore=self._keystore, pairing=self._pairing)

    async def _power_off(self) -> None:
        for device in list(self._devices.values()):
            device.link.give_up()
            if device.is_temporary:
                self._forget(device)
        self._discovery.stop_all()
        await self._central.power_off()
        self._show_discovering(False)

    async def _switch_scan(self) -> None:
        is_active = self._discovery.is_on
        await self._central.discover(is_active or self._monitors.are_active, active=is_active)
        self._show_discovering(is_active)

    def _show_discovering(self, wanted: bool) -> None:
        if not wanted:
            for device in self._heard:
                device.hear_no_more()
            self._heard.clear()
        if self._tree.value(self.path, ADAPTER, "Discovering") != wanted:
            self._tree.change(self.path, ADAPTER, {"Discovering": Variant("b", wanted)})

    async def _remove_device(self, call: Call) -> None:
        device = next((found for found in self._devices.values() if found.path == call.body[0]), None)
        if device is None:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        await device.link.disconnect(call)
        with contextlib.suppress(KeyError):
            await self._keystore.delete(str(device.address))
        self._ground.faults.forget_device(device.path)
        self._forget(device)
        self._save()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        said = advertisement_data(advertisement)
        if self._discovery.wants(said.service_uuids) or self._monitors.want(_structures(advertisement)):
            device = self._devices.get(str(advertisement.address)) or self._add(advertisement.address)
            self._heard.add(device)
            device.hear(said, heard_s=asyncio.get_running_loop().time())

    def _add(self, address: hci.Address) -> DeviceObject:
        device = DeviceObject(self._ground, self._central, adapter=self.path, address=address, on_kept=self._save)
        self._devices[str(address)] = device
        asyncio.get_running_loop().call_later(self._ground.timings.forget_s, self._expire, device)
        return device

    def _expire(self, device: DeviceObject) -> None:
        if self._devices.get(str(device.address)) is not device or not device.is_temporary:
            return
        loop = asyncio.get_running_loop()
        due_s = device.heard_s + self._ground.timings.forget_s
        if due_s > loop.time():
            loop.call_at(due_s, self._expire, device)
        else:
            self._forget(device)

    def _forget(self, device: DeviceObject) -> None:
        self._devices.pop(str(device.address), None)
        self._heard.discard(device)
        device.remove()

    def _save(self) -> None:
        kept = [device.known() for device in self._devices.values() if not device.is_temporary]
        self._ground.storage.write_devices(self._name, kept)

    def _pairing(self, connection: Connection) -> PairingConfig:
        return self._devices[str(connection.peer_address)].link.security.config()


def _structures(advertisement: Advertisement) -> list[tuple[int, bytes]]:
    return [(int(kind), content) for kind, content in advertisement.data.ad_structures]

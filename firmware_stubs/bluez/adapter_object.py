"""An adapter as bluetoothd shows it: org.bluez.Adapter1, with its discovery sessions and its devices."""

from __future__ import annotations

import asyncio

from bumble import hci
from bumble.device import Advertisement, Connection
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig
from dbus_fast import Variant

from firmware_stubs.bleak_backend import advertisement_data
from firmware_stubs.bluez.central import Central
from firmware_stubs.bluez.device_object import DeviceObject
from firmware_stubs.bluez.errors import bluez_error, failed, in_progress, not_ready
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.object_tree import Call, Interface

ADAPTER = "org.bluez.Adapter1"


class AdapterObject:
    """One adapter. `gone` is set when its controller was lost, as a dongle that was pulled out."""

    def __init__(self, ground: Ground, *, name: str, transport: str, address: hci.Address) -> None:
        self.name = name
        self.path = f"/org/bluez/{name}"
        self.gone = asyncio.Event()
        self._ground = ground
        self._tree = ground.tree
        self._address = address
        self._devices: dict[str, DeviceObject] = {}
        self._discovering: dict[str, set[str]] = {}
        self._filters: dict[str, set[str]] = {}
        self._heard: set[DeviceObject] = set()
        self._central = Central(
            transport,
            address=address,
            timings=ground.timings,
            on_advertisement=self._on_advertisement,
            on_lost=self.gone.set,
        )

    async def appear(self) -> None:
        """Power on and show the adapter; raise NoController if its controller is not there."""
        await self._power_on()
        self._tree.add(self.path, self._shown())

    async def vanish(self) -> None:
        """Take the adapter and its devices from the bus."""
        self._discovering.clear()
        for device in list(self._devices.values()):
            self._forget(device)
        self._tree.remove(self.path)
        await self._central.power_off()

    async def forget_client(self, client: str) -> None:
        """End what a client that left the bus had asked for."""
        self._filters.pop(client, None)
        if client in self._discovering:
            await self._end_discovery(client)
        for device in list(self._devices.values()):
            await device.link.forget_client(client)

    @property
    def _is_powered(self) -> bool:
        return bool(self._tree.value(self.path, ADAPTER, "Powered"))

    def _shown(self) -> Interface:
        address = self._address.to_string(with_type_qualifier=False)
        return Interface(
            name=ADAPTER,
            properties={
                "Address": Variant("s", address),
                "AddressType": Variant("s", "random"),
                "Name": Variant("s", "hearthwatch-stub"),
                "Alias": Variant("s", "hearthwatch-stub"),
                "Class": Variant("u", 0),
                "Powered": Variant("b", True),
                "Discoverable": Variant("b", False),
                "Pairable": Variant("b", True),
                "Discovering": Variant("b", False),
                "UUIDs": Variant("as", []),
                "Roles": Variant("as", ["central", "peripheral"]),
            },
            methods={
                "SetDiscoveryFilter": ("a{sv}", self._set_filter),
                "StartDiscovery": ("", self._start_discovery),
                "StopDiscovery": ("", self._stop_discovery),
                "RemoveDevice": ("o", self._remove_device),
            },
            setters={"Powered": self._set_powered},
        )

    async def _power_on(self) -> None:
        await self._central.power_on(keystore=MemoryKeyStore(), pairing=_pairing)

    async def _set_powered(self, wanted: bool) -> None:
        if wanted == self._is_powered:
            return
        if wanted:
            await self._power_on()
        else:
            for device in list(self._devices.values()):
                device.link.give_up()
                if device.is_temporary:
                    self._forget(device)
            self._discovering.clear()
            await self._central.power_off()
            self._tell_discovering()
        self._tree.change(self.path, ADAPTER, {"Powered": Variant("b", wanted)})

    async def _set_filter(self, call: Call) -> None:
        self._need_power()
        uuids = call.body[0].get("UUIDs")
        wanted = set(uuids.value) if uuids else set()
        self._filters[call.sender] = wanted
        if call.sender in self._discovering:
            self._discovering[call.sender] = wanted

    async def _start_discovery(self, call: Call) -> None:
        self._need_power()
        if call.sender in self._discovering:
            raise in_progress()
        self._discovering[call.sender] = self._filters.get(call.sender, set())
        await self._central.discover(True)
        self._tell_discovering()

    async def _stop_discovery(self, call: Call) -> None:
        self._need_power()
        if call.sender not in self._discovering:
            raise failed("No discovery started")
        await self._end_discovery(call.sender)

    async def _end_discovery(self, client: str) -> None:
        del self._discovering[client]
        if not self._discovering:
            await self._central.discover(False)
            for device in self._heard:
                device.hear_no_more()
            self._heard.clear()
            self._tell_discovering()

    def _tell_discovering(self) -> None:
        wanted = bool(self._discovering)
        if self._tree.value(self.path, ADAPTER, "Discovering") != wanted:
            self._tree.change(self.path, ADAPTER, {"Discovering": Variant("b", wanted)})

    async def _remove_device(self, call: Call) -> None:
        device = next((found for found in self._devices.values() if found.path == call.body[0]), None)
        if device is None:
            raise bluez_error("DoesNotExist", "Does Not Exist")
        self._need_power()
        await device.link.disconnect(call)
        self._forget(device)

    def _need_power(self) -> None:
        if not self._is_powered:
            raise not_ready()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        said = advertisement_data(advertisement)
        if not any(not wanted or wanted & set(said.service_uuids) for wanted in self._discovering.values()):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        device = self._devices.get(address)
        if device is None:
            device = DeviceObject(self._ground, self._central, adapter=self.path, address=advertisement.address)
            self._devices[address] = device
            self._expire_later(device, self._ground.timings.forget_s)
        self._heard.add(device)
        device.hear(said, heard_s=asyncio.get_running_loop().time())

    def _expire_later(self, device: DeviceObject, delay_s: float) -> None:
        asyncio.get_running_loop().call_later(delay_s, self._expire, device)

    def _expire(self, device: DeviceObject) -> None:
        if self._devices.get(device.address) is not device or not device.is_temporary:
            return
        silent_s = asyncio.get_running_loop().time() - device.heard_s
        left_s = self._ground.timings.forget_s - silent_s
        if left_s > 0:
            self._expire_later(device, left_s)
        else:
            self._forget(device)

    def _forget(self, device: DeviceObject) -> None:
        device.link.give_up()
        self._devices.pop(device.address, None)
        self._heard.discard(device)
        device.remove()


def _pairing(_connection: Connection) -> PairingConfig:
    return PairingConfig()

"""A remote device as bluetoothd shows it: org.bluez.Device1."""

from __future__ import annotations

from typing import Any

from bleak.backends.scanner import AdvertisementData
from bumble import hci
from dbus_fast import Variant

from firmware_stubs.bluez.central import Central
from firmware_stubs.bluez.device_link import DEVICE, DeviceLink
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.object_tree import Call, Interface


class DeviceObject:
    """One device of one adapter; temporary until somebody connects to it or pairs with it: then it is kept."""

    def __init__(self, ground: Ground, central: Central, *, adapter: str, address: hci.Address) -> None:
        self.address = address.to_string(with_type_qualifier=False)
        self.path = f"{adapter}/dev_{self.address.replace(':', '_')}"
        self.is_temporary = True
        self.heard_s = 0.0
        self.link = DeviceLink(ground, central, path=self.path, address=self.address)
        self._tree = ground.tree
        self._shown = Interface(
            name=DEVICE,
            properties={
                "Address": Variant("s", self.address),
                "AddressType": Variant("s", "public" if address.is_public else "random"),
                "Alias": Variant("s", self.address.replace(":", "-")),
                "Adapter": Variant("o", adapter),
                "UUIDs": Variant("as", []),
                **{name: Variant("b", False) for name in _FLAGS},
            },
            methods={"Connect": ("", self._connect), "Disconnect": ("", self.link.disconnect)},
            setters={name: self._flag_setter(name) for name in ("Trusted", "Blocked")},
        )

    def hear(self, said: AdvertisementData, *, heard_s: float) -> None:
        """Show an advertisement: what it says anew, and the signal strength every time."""
        self.heard_s = heard_s
        told = _told(said, known_uuids=self._shown.properties["UUIDs"].value)
        if not self._tree.has(self.path):
            self._shown.properties.update(told)
            self._tree.add(self.path, self._shown)
            return
        known = self._shown.properties
        news = {name: value for name, value in told.items() if name == "RSSI" or known.get(name) != value}
        self._tree.change(self.path, DEVICE, news)

    def hear_no_more(self) -> None:
        """Take back the signal strength: nobody listens any more."""
        self._tree.change(self.path, DEVICE, {}, invalidated=("RSSI", "TxPower"))

    def remove(self) -> None:
        """Take the device and its attributes from the bus."""
        self.link.remove()
        self._tree.remove(self.path)

    async def _connect(self, call: Call) -> None:
        self.is_temporary = False
        await self.link.connect(call)

    def _flag_setter(self, name: str) -> Any:
        async def set_flag(value: bool) -> None:
            self._tree.change(self.path, DEVICE, {name: Variant("b", value)})

        return set_flag


_FLAGS = ("Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing", "Connected", "ServicesResolved")


def _told(said: AdvertisementData, *, known_uuids: list[str]) -> dict[str, Variant]:
    told = {"RSSI": Variant("n", said.rssi)}
    if said.local_name:
        told["Name"] = told["Alias"] = Variant("s", said.local_name)
    if said.tx_power is not None:
        told["TxPower"] = Variant("n", said.tx_power)
    if said.service_uuids:
        told["UUIDs"] = Variant("as", sorted({*known_uuids, *said.service_uuids}))
    if said.manufacturer_data:
        content = {number: Variant("ay", value) for number, value in said.manufacturer_data.items()}
        told["ManufacturerData"] = Variant("a{qv}", content)
    if said.service_data:
        told["ServiceData"] = Variant("a{sv}", {uuid: Variant("ay", v) for uuid, v in said.service_data.items()})
    return told

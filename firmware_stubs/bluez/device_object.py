"""A remote device as bluetoothd shows it: org.bluez.Device1."""

from __future__ import annotations

from collections.abc import Callable

from bleak.backends.scanner import AdvertisementData
from bumble import hci
from dbus_fast import Variant

from firmware_stubs.bluez.central import Central
from firmware_stubs.bluez.device_link import DEVICE, DeviceLink
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.object_tree import Interface
from firmware_stubs.bluez.storage import KnownDevice


class DeviceObject:
    """One device of one adapter; temporary until somebody connects to it or pairs with it: then it is kept.

    `on_kept` is called whenever there is something new to keep.
    """

    def __init__(
        self, ground: Ground, central: Central, *, adapter: str, address: hci.Address, on_kept: Callable[[], None]
    ) -> None:
        self.address = address
        self.path = f"{adapter}/dev_{_plain(address).replace(':', '_')}"
        self.is_temporary = True
        self.heard_s = 0.0
        self.link = DeviceLink(ground, central, path=self.path, address=_plain(address), on_kept=self._keep)
        self._on_kept = on_kept
        self._tree = ground.tree
        self._shown = Interface(
            name=DEVICE,
            properties={
                "Address": Variant("s", _plain(address)),
                "AddressType": Variant("s", "public" if address.is_public else "random"),
                "Alias": Variant("s", _plain(address).replace(":", "-")),
                "Adapter": Variant("o", adapter),
                "UUIDs": Variant("as", []),
                **{name: Variant("b", False) for name in _FLAGS},
            },
            methods={
                "Connect": ("", self.link.connect),
                "Disconnect": ("", self.link.disconnect),
                "Pair": ("", self.link.pair),
            },
            setters={"Trusted": self._trust},
        )

    def hear(self, said: AdvertisementData, *, heard_s: float) -> None:
        """Show an advertisement: what it says anew, and the signal strength every time."""
        self.heard_s = heard_s
        known = self._shown.properties
        told = _told(said, known_uuids=known["UUIDs"].value)
        if not self._tree.has(self.path):
            known.update(told)
            self._tree.add(self.path, self._shown)
            return
        news = {name: value for name, value in told.items() if name == "RSSI" or known.get(name) != value}
        self._tree.change(self.path, DEVICE, news)

    def hear_no_more(self) -> None:
        """Take back the signal strength: nobody listens any more."""
        self._tree.change(self.path, DEVICE, {}, invalidated=("RSSI", "TxPower"))

    def remember(self, known: KnownDevice, *, is_bonded: bool) -> None:
        """Show the device as it was known in a former life."""
        self.is_temporary = False
        shown = self._shown.properties
        if known.name is not None:
            shown["Name"] = shown["Alias"] = Variant("s", known.name)
        shown["UUIDs"] = Variant("as", list(known.uuids))
        shown["Trusted"] = Variant("b", known.is_trusted)
        shown["Paired"] = shown["Bonded"] = Variant("b", is_bonded)
        self._tree.add(self.path, self._shown)

    def known(self) -> KnownDevice:
        """Describe the device for the next life."""
        shown = self._shown.properties
        return KnownDevice(
            address=_plain(self.address),
            is_public=self.address.is_public,
            name=shown["Name"].value if "Name" in shown else None,
            uuids=tuple(shown["UUIDs"].value),
            is_trusted=shown["Trusted"].value,
        )

    def remove(self) -> None:
        """Take the device and its attributes from the bus."""
        self.link.give_up()
        self.link.remove()
        self._tree.remove(self.path)

    def _keep(self) -> None:
        self.is_temporary = False
        self._on_kept()

    async def _trust(self, wanted: bool) -> None:
        self._tree.change(self.path, DEVICE, {"Trusted": Variant("b", wanted)})
        self._on_kept()


_FLAGS = ("Paired", "Bonded", "Trusted", "Blocked", "LegacyPairing", "Connected", "ServicesResolved")


def _plain(address: hci.Address) -> str:
    return address.to_string(with_type_qualifier=False)


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

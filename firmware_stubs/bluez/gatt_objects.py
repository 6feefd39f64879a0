"""A device's services and their attributes on the bus, as one discovery found them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bumble import core
from bumble.gatt_client import CharacteristicProxy, ServiceProxy
from dbus_fast import Variant

from firmware_stubs.bleak_client import full_uuid
from firmware_stubs.bluez.gatt_attributes import CharacteristicObject, DescriptorObject
from firmware_stubs.bluez.ground import Ground
from firmware_stubs.bluez.link import Link
from firmware_stubs.bluez.object_tree import Interface

SERVICE = "org.bluez.GattService1"
GENERIC_ACCESS = core.UUID.from_16_bits(0x1800)


class GattObjects:
    """All attributes of one device; they stay on the bus when the link is lost, and serve the next one."""

    def __init__(self, ground: Ground, device: str) -> None:
        self._ground = ground
        self._tree = ground.tree
        self._device = device
        self._layout: list[tuple[Any, ...]] = []
        self._attributes: dict[str, CharacteristicObject | DescriptorObject] = {}

    def characteristics(self) -> Iterator[CharacteristicObject]:
        """List the characteristics."""
        return (found for found in self._attributes.values() if isinstance(found, CharacteristicObject))

    async def attach(self, link: Link, services: Sequence[ServiceProxy]) -> None:
        """Show what was discovered over a link; objects that are the same as before are not shown anew."""
        layout = _layout(services)
        is_new = layout != self._layout
        if is_new:
            self.remove()
            self._layout = layout
        shown: list[tuple[str, Interface]] = []
        for service in services:
            if service.uuid != GENERIC_ACCESS:  # BlueZ keeps it to itself
                shown += await self._attach_service(link, service)
        if is_new:
            for path, interface in shown:
                self._tree.add(path, interface)

    def detach(self) -> None:
        """Let the link go."""
        for attribute in self._attributes.values():
            attribute.detach()

    def remove(self) -> None:
        """Take all objects from the bus."""
        self._tree.remove_below(self._device)
        self._attributes.clear()
        self._layout = []

    async def _attach_service(self, link: Link, service: ServiceProxy) -> list[tuple[str, Interface]]:
        path = f"{self._device}/service{service.handle:04x}"
        properties = {
            "UUID": Variant("s", full_uuid(service.uuid)),
            "Device": Variant("o", self._device),
            "Primary": Variant("b", True),
        }
        shown = [(path, Interface(name=SERVICE, properties=properties))]
        for proxy in service.characteristics:
            characteristic = CharacteristicObject(self._ground, path, proxy)
            known = self._attributes.setdefault(characteristic.path, characteristic)
            assert isinstance(known, CharacteristicObject)
            await known.attach(link, proxy)
            shown.append((known.path, known.shown()))
            for descriptor_proxy in proxy.descriptors:
                descriptor = DescriptorObject(self._ground, known.path, descriptor_proxy)
                found = self._attributes.setdefault(descriptor.path, descriptor)
                found.link, found.handle = link, descriptor_proxy.handle
                shown.append((found.path, found.shown()))
        return shown


def _layout(services: Sequence[ServiceProxy]) -> list[tuple[Any, ...]]:
    return [
        (service.handle, bytes(service.uuid), [_shape(proxy) for proxy in service.characteristics])
        for service in services
    ]


def _shape(proxy: CharacteristicProxy[bytes]) -> tuple[Any, ...]:
    return (
        proxy.handle,
        bytes(proxy.uuid),
        int(proxy.properties),
        [descriptor.handle for descriptor in proxy.descriptors],
    )

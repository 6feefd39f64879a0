"""All adapters of the gateway, and who was heard on which of them, how strong and when."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from gateway.bluetooth.adapter import Adapter, Bluetooth
from gateway.bluetooth.stack import Stack
from gateway.drivers.driver import Seen
from gateway.gatt.decoders import short_uuid

SIGHTINGS_MAX = 256
MARKS_MAX = 64
NAME_CHARACTERS_MAX = 64
FRESH_S_MAX = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardOn:
    """The newest advertisement of a device on one adapter; `heard_s` is the event loop's time."""

    adapter: Adapter
    device: BLEDevice
    rssi: int
    heard_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What is known of one device from its advertisements: all that it ever showed, and where it was heard last."""

    seen: Seen
    on: Mapping[Adapter, HeardOn]
    heard_s: float
    rssi: int

    def fresh_on(self, *, now_s: float, after_s: float = float("-inf")) -> list[HeardOn]:
        """Give the adapters that hear the device now, and heard it after an instant."""
        return [h for h in self.on.values() if now_s - h.heard_s <= FRESH_S_MAX and h.heard_s > after_s]


OnSeen = Callable[[str, Sighting, AdvertisementData], None]


class Radio:
    """One per process; construct on the event loop. `on_seen` hears of every advertisement of anybody."""

    def __init__(self, radios: Iterable[Bluetooth], stack: Stack, on_seen: OnSeen) -> None:
        self.adapters = tuple(Adapter(bluetooth, stack, self._on_advertisement) for bluetooth in radios)
        self._on_seen = on_seen
        self._sightings: dict[str, Sighting] = {}
        self._shown: dict[str, tuple[object, ...]] = {}
        self._now_s = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Scan on all adapters for ever."""
        async with asyncio.TaskGroup() as tasks:
            for adapter in self.adapters:
                tasks.create_task(adapter.run())

    def adapter(self, name: str) -> Adapter | None:
        """Find an adapter by its name."""
        return next((adapter for adapter in self.adapters if adapter.name == name), None)

    def sighting(self, address: str) -> Sighting | None:
        """Give what is known of a device."""
        return self._sightings.get(address)

    def rescan(self, name: str = "") -> None:
        """Scan anew on one adapter, or on all."""
        for adapter in self.adapters:
            if not name or adapter.name == name:
                adapter.rescan()

    def forget_sightings(self) -> None:
        """Forget where devices were heard: the objects behind it died with the stack. What they are stays known."""
        self._sightings = {a: replace(s, on={}) for a, s in self._sightings.items()}

    def _on_advertisement(self, adapter: Adapter, device: BLEDevice, said: AdvertisementData) -> None:
        address = device.address.upper()
        known = self._sightings.pop(address, None)
        now_s = self._now_s()
        heard = HeardOn(adapter=adapter, device=device, rssi=said.rssi, heard_s=now_s)
        sighting = Sighting(
            seen=self._seen(address, known.seen if known else Seen(), device, said),
            on={**known.on, adapter: heard} if known else {adapter: heard},
            heard_s=now_s,
            rssi=said.rssi,
        )
        self._sightings[address] = sighting
        if len(self._sightings) > SIGHTINGS_MAX:
            oldest = next(iter(self._sightings))
            del self._sightings[oldest]
            self._shown.pop(oldest, None)
        self._on_seen(address, sighting, said)

    def _seen(self, address: str, known: Seen, device: BLEDevice, said: AdvertisementData) -> Seen:
        """Add what an advertisement shows to what was shown before (a scan response carries a part); mostly nothing."""
        shown = (said.local_name, device.name, *said.service_uuids, *said.service_data, *said.manufacturer_data)
        if self._shown.get(address) == shown:
            return known
        self._shown[address] = shown
        seen = Seen(
            name=(said.local_name or device.name or known.name)[:NAME_CHARACTERS_MAX],
            services=known.services | {short_uuid(uuid) for uuid in said.service_uuids},
            service_data=known.service_data | {short_uuid(uuid) for uuid in said.service_data},
            company_ids=known.company_ids | set(said.manufacturer_data),
        )
        too_much = max(len(seen.services), len(seen.service_data), len(seen.company_ids)) > MARKS_MAX
        return known if too_much or seen == known else seen

"""A bleak 3.1 backend on the virtual radio: plain BleakScanner and BleakClient, no Bluetooth hardware.

In one process with the devices (tests):

    air = Air()
    oximeter = Oximeter(air=air, identity=Identity(name="p1", address="C0:00:00:00:00:01"), clock=clock)
    await oximeter.power_on()
    scanner_class, client_class = backend(air)

or against a hub in another process (`python -m firmware_stubs hub --socket PATH`):

    scanner_class, client_class = backend("unix:PATH")

and then only bleak, as on a Raspberry Pi:

    device = await BleakScanner.find_device_by_address("C0:00:00:00:00:01", backend=scanner_class)
    async with BleakClient(device, backend=client_class) as client:
        await client.start_notify("00002a5f-0000-1000-8000-00805f9b34fb", on_measurement)

Scanner and clients of one `backend()` share one adapter: one per event loop, as one adapter per Pi.
`await client_class.adapter.close()` (or `close()` of what `backend` returned) takes every link down.
After the hub died the clients are disconnected; the next scan or connect opens the transport again.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement

from firmware_stubs.adapter import Adapter
from firmware_stubs.bleak_client import BumbleClient, full_uuid
from firmware_stubs.radio import Air

NO_TX_POWER = Advertisement.TX_POWER_NOT_AVAILABLE


class Backend(NamedTuple):
    """What `BleakScanner(backend=…)` and `BleakClient(…, backend=…)` are given; both share one adapter."""

    scanner: type[BumbleScanner]
    client: type[BumbleClient]

    async def close(self) -> None:
        """Give the adapter up: every link goes down, nothing is heard any more."""
        await self.client.adapter.close()


def backend(transport: Air | str) -> Backend:
    """Bind a scanner and a client class to an `Air`, or to "unix:PATH" (or any bumble transport name)."""
    shared = Adapter(transport)

    class Scanner(BumbleScanner):
        adapter = shared

    class Client(BumbleClient):
        adapter = shared

    return Backend(Scanner, Client)


class BumbleScanner(BaseBleakScanner):
    """Hears advertisements; every one of them calls back, as BlueZ does."""

    adapter: ClassVar[Adapter]

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode != "passive"

    async def start(self) -> None:
        self.seen_devices = {}
        await self.adapter.listen(self._on_advertisement, active=self._active)

    async def stop(self) -> None:
        await self.adapter.stop_listening(self._on_advertisement)

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        said = advertisement_data(advertisement)
        if not self.is_allowed_uuid(said.service_uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        _, before = self.seen_devices.get(address, (None, None))
        name = said.local_name or (before.local_name if before else None)
        device = self.create_or_update_device(address, address, name, advertisement.address, said)
        self.call_detection_callbacks(device, said)


def advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    """Read an advertisement (and its scan response) into bleak's words (Core Supplement Part A 1)."""
    local_name: str | None = None
    service_uuids: list[str] = []
    manufacturer_data: dict[int, bytes] = {}
    service_data: dict[str, bytes] = {}
    tx_power = None if advertisement.tx_power == NO_TX_POWER else advertisement.tx_power
    for kind, content in advertisement.data.ad_structures:
        if kind in (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME):
            local_name = content.decode("utf-8", errors="replace")
        elif kind in _UUID_WIDTHS:
            service_uuids += _uuids(content, _UUID_WIDTHS[kind])
        elif kind == AdvertisingData.MANUFACTURER_SPECIFIC_DATA and len(content) >= 2:
            manufacturer_data[int.from_bytes(content[:2], "little")] = content[2:]
        elif kind in _SERVICE_DATA_WIDTHS and len(content) >= (width := _SERVICE_DATA_WIDTHS[kind]):
            service_data[_uuids(content[:width], width)[0]] = content[width:]
        elif kind == AdvertisingData.TX_POWER_LEVEL and len(content) == 1:
            tx_power = int.from_bytes(content, "little", signed=True)
    return AdvertisementData(
        local_name=local_name,
        manufacturer_data=manufacturer_data,
        service_data=service_data,
        service_uuids=service_uuids,
        tx_power=tx_power,
        rssi=advertisement.rssi,
        platform_data=(advertisement,),
    )


_UUID_WIDTHS = {
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_SERVICE_DATA_WIDTHS = {
    AdvertisingData.SERVICE_DATA_16_BIT_UUID: 2,
    AdvertisingData.SERVICE_DATA_128_BIT_UUID: 16,
}


def _uuids(content: bytes, width: int) -> list[str]:
    whole = range(0, len(content) - width + 1, width)
    return [full_uuid(UUID.from_bytes(content[at : at + width])) for at in whole]

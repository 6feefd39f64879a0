"""The Bluetooth adapter: one scanner that is kept running, who was heard when, and clients one at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZClientArgs, BlueZScannerArgs
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from gateway.gatt.decoders import PROFILES, short_uuid

SIGHTINGS_MAX = 256
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
RADIO_ERRORS = (BleakError, TimeoutError, OSError, EOFError)
"""What bleak and D-Bus may throw at any operation: the radio's trouble, not ours."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The newest advertisement of one device; `heard_s` is the event loop's time."""

    device: BLEDevice
    name: str
    rssi: int
    is_health_device: bool
    heard_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bluetooth:
    """Which radio: None classes mean the real BlueZ, an empty adapter its default one."""

    scanner_class: type[BaseBleakScanner] | None
    client_class: type[BaseBleakClient] | None
    adapter: str


class Radio:
    """One per process: it alone scans and connects."""

    def __init__(self, bluetooth: Bluetooth, on_seen: Callable[[str, Sighting], None]) -> None:
        self.state = "starting"
        self.connecting = asyncio.Lock()
        self._bluetooth = bluetooth
        self._on_seen = on_seen
        self._sightings: dict[str, Sighting] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._now_s = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Scan for ever; a missing adapter is waited for."""
        attempt = 0
        while True:
            scanner = self._scanner()
            try:
                await scanner.start()
            except RADIO_ERRORS as exc:
                delay_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                self.state = f"unavailable: {type(exc).__name__}: {exc}"
                log.error(
                    "no Bluetooth (D-Bus, bluetoothd, adapter?), waiting for it", error=self.state, retry_s=delay_s
                )
                await asyncio.sleep(delay_s)
                continue
            self.state = "scanning"
            log.info("scanning")
            try:
                await asyncio.Event().wait()
            finally:
                await self._stop(scanner)

    def sighting(self, address: str) -> Sighting | None:
        """Give the newest advertisement of a device."""
        return self._sightings.get(address)

    async def heard(self, address: str) -> Sighting:
        """Wait for an advertisement that comes from now on."""
        waiting = self._waiting.setdefault(address, asyncio.Event())
        waiting.clear()
        await waiting.wait()
        return self._sightings[address]

    def client(self, device: BLEDevice, *, on_lost: Callable[[], None], timeout_s: float) -> BleakClient:
        """Make a client for one link."""
        options: BlueZClientArgs = {"adapter": self._bluetooth.adapter} if self._bluetooth.adapter else {}
        return BleakClient(
            device,
            disconnected_callback=lambda _client: on_lost(),
            timeout=timeout_s,
            bluez=options,
            backend=self._bluetooth.client_class,
        )

    def _scanner(self) -> BleakScanner:
        options: BlueZScannerArgs = {"adapter": self._bluetooth.adapter} if self._bluetooth.adapter else {}
        return BleakScanner(self._on_advertisement, bluez=options, backend=self._bluetooth.scanner_class)

    async def _stop(self, scanner: BleakScanner) -> None:
        self.state = "stopped"
        try:
            async with asyncio.timeout(5):
                await scanner.stop()
        except RADIO_ERRORS as exc:
            log.warning("scanner did not stop", error=f"{type(exc).__name__}: {exc}")

    def _on_advertisement(self, device: BLEDevice, said: AdvertisementData) -> None:
        address = device.address.upper()
        sighting = Sighting(
            device=device,
            name=(said.local_name or device.name or "")[:64],
            rssi=said.rssi,
            is_health_device=any(short_uuid(uuid) in PROFILES for uuid in said.service_uuids),
            heard_s=self._now_s(),
        )
        if sighting.is_health_device or address in self._waiting:
            self._sightings.pop(address, None)
            self._sightings[address] = sighting
            if len(self._sightings) > SIGHTINGS_MAX:
                del self._sightings[next(iter(self._sightings))]
            self._on_seen(address, sighting)
        if address in self._waiting:
            self._waiting[address].set()

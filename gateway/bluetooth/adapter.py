"""One Bluetooth adapter: its scanner, started once and kept running, and links made one at a time."""

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
from dbus_fast.errors import DBusFastError

from gateway.bluetooth.patience import within
from gateway.bluetooth.stack import Stack, StackError

RETRY_S = (1.0, 2.0, 5.0, 10.0)
STOP_S_MAX = 5.0
START_S_MAX = 20.0
NO_RSSI = -127
SCANNING = "scanning"
RADIO_ERRORS = (BleakError, DBusFastError, TimeoutError, OSError, EOFError, AssertionError, KeyError)
"""What bleak may throw at any operation: besides its own, D-Bus's, its asserts that it has a bus, and a KeyError where
services change under it. The radio's trouble, not ours: catch it around bleak's calls alone."""

log = structlog.get_logger()

OnAdvertisement = Callable[["Adapter", BLEDevice, AdvertisementData], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bluetooth:
    """Which radio: None classes mean the real BlueZ, an empty adapter the first that it has."""

    adapter: str = ""
    scanner_class: type[BaseBleakScanner] | None = None
    client_class: type[BaseBleakClient] | None = None


class Adapter:
    """It alone scans and connects on its adapter; construct on the event loop."""

    def __init__(self, bluetooth: Bluetooth, stack: Stack, on_advertisement: OnAdvertisement) -> None:
        self.name = bluetooth.adapter
        self._state = "starting"
        self.is_refused = False
        self.advertisement_s: float | None = None
        self.stranger_s: float | None = None
        self.connecting = asyncio.Lock()
        self._bluetooth = bluetooth
        self._stack = stack
        self._on_advertisement = on_advertisement
        self._again = asyncio.Event()
        self._now_s = asyncio.get_running_loop().time

    @property
    def state(self) -> str:
        """Say in a word how it is: SCANNING is well."""
        if not self._stack.has_bus:
            return "unavailable: no D-Bus"
        return self._state if self._stack.is_up else "unavailable: no bluetoothd"

    async def run(self) -> None:
        """Scan for ever; what is missing is waited for."""
        attempt = 0
        while True:
            self._again.clear()
            await self._stack.ready()
            scanner: BleakScanner | None = None
            try:
                self.name = self._bluetooth.adapter or await self._first()
                scanner = self._scanner()
                await within(START_S_MAX, scanner.start())
                self._state, self.is_refused, attempt = SCANNING, False, 0
                log.info("scanning", adapter=self.name)
                await self._again.wait()
            except (*RADIO_ERRORS, StackError) as exc:
                state = f"unavailable: {type(exc).__name__}: {exc}"
                if state != self._state:
                    log.error("not scanning (bluetoothd, adapter?), trying again and again", error=state)
                self._state, self.is_refused = state, True
                delay_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                attempt += 1
                await self._rest(delay_s)
            finally:
                if scanner is not None:
                    await self._stop(scanner)

    def rescan(self) -> None:
        """Stop scanning and start anew; also cuts a pause short."""
        self._again.set()

    def client(self, device: BLEDevice, *, on_lost: Callable[[], None], timeout_s: float) -> BleakClient:
        """Make a client for one link."""
        options: BlueZClientArgs = {"adapter": self.name} if self.name else {}
        return BleakClient(
            device,
            disconnected_callback=lambda _client: on_lost(),
            timeout=timeout_s,
            bluez=options,
            backend=self._bluetooth.client_class,
        )

    async def _first(self) -> str:
        """Name the stack's first adapter: bleak would take any one that is powered."""
        if self._bluetooth.scanner_class is not None:
            return ""
        found = await self._stack.adapters()
        if not found:
            raise StackError("no adapter")
        return next((adapter for adapter in found if adapter.powered), found[0]).name

    def _scanner(self) -> BleakScanner:
        options: BlueZScannerArgs = {"adapter": self.name} if self.name else {}
        return BleakScanner(self._heard, bluez=options, backend=self._bluetooth.scanner_class)

    def _heard(self, device: BLEDevice, said: AdvertisementData) -> None:
        """Pass an advertisement on. Without signal strength it is none: BlueZ has only changed what it says of it."""
        if said.rssi == NO_RSSI:
            return
        self.advertisement_s = self._now_s()
        self._on_advertisement(self, device, said)

    async def _stop(self, scanner: BleakScanner) -> None:
        try:
            await within(STOP_S_MAX, scanner.stop())
        except RADIO_ERRORS as exc:
            log.info("scanner did not stop", adapter=self.name, error=f"{type(exc).__name__}: {exc}")

    async def _rest(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._again.wait()
        except TimeoutError:
            pass

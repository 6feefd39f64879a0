"""The central's side of the virtual radio: one bumble host that scans and connects for every bleak client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from bleak.exc import BleakDeviceNotFoundError, BleakError
from bumble import core, hci
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration
from bumble.host import Host
from bumble.pairing import PairingConfig
from bumble.transport import open_transport
from bumble.transport.common import Transport

from firmware_stubs.commands import Commands
from firmware_stubs.radio import LINK_LOST, Air, Radio, drop_failed_pairings, quieten_bumble

Listener = Callable[[Advertisement], None]


class Adapter:
    """One Bluetooth adapter of a gateway; opened at first use, opened again after its transport was lost."""

    def __init__(
        self,
        transport: Air | str,
        *,
        address: hci.Address | None = None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._transport = transport
        self._address = address
        self._on_transport_lost = on_lost
        self._device: Device | None = None
        self._opened: Transport | None = None
        self._opening = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._scanning = asyncio.Lock()
        self._listeners: dict[Listener, bool] = {}
        self._known: dict[str, hci.Address] = {}
        self._commands = Commands()
        self._closers: contextlib.AsyncExitStack = contextlib.AsyncExitStack()

    async def open(self) -> Device:
        """Return the powered host, opening the transport if need be; raise BleakError if there is none."""
        async with self._opening:
            if self._device is None:
                try:
                    self._device = await self._commands.run(self._power_on())
                except (OSError, core.BaseBumbleError) as exc:
                    raise BleakError(f"no Bluetooth adapter at {self._transport}: {exc}") from exc
            return self._device

    async def close(self) -> None:
        """Give the adapter up; every link goes down."""
        self._forget_device()
        await self._closers.aclose()

    async def listen(self, listener: Listener, *, active: bool) -> None:
        """Hear advertisements from now on, asking for scan responses if `active`."""
        device = await self.open()
        self._listeners[listener] = active
        try:
            with _as_bleak_error("scanning failed"):
                await self._commands.run(self._rescan(device))
        except BaseException:
            self._listeners.pop(listener, None)
            raise

    async def stop_listening(self, listener: Listener) -> None:
        """Hear nothing more; harmless if the transport is gone."""
        self._listeners.pop(listener, None)
        if self._device is not None and not self._listeners:
            with _as_bleak_error("scanning did not stop"):
                await self._commands.run(self._rescan(self._device))

    async def address_of(self, address: str) -> hci.Address:
        """Return the full address of a device, listening for it if it was not heard yet; never gives up."""
        if address not in self._known:
            heard = asyncio.Event()

            def notice(_advertisement: Advertisement) -> None:
                if address in self._known:
                    heard.set()

            await self.listen(notice, active=False)
            try:
                await heard.wait()
            finally:
                await self.stop_listening(notice)
        return self._known[address]

    async def connect(self, address: str, *, timeout_s: float) -> Connection:
        """Open a link, one at a time; on timeout or cancellation the pending connection is cancelled."""
        give_up = asyncio.Event()
        attempt = asyncio.create_task(self._attempt(address, give_up))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(attempt)
        except BaseException as exc:
            give_up.set()
            self._commands.keep(_abandon(attempt))
            if isinstance(exc, TimeoutError) and address not in self._known:
                raise BleakDeviceNotFoundError(address, f"device {address} was not heard") from exc
            raise

    async def _attempt(self, address: str, give_up: asyncio.Event) -> Connection:
        abandoned = asyncio.create_task(give_up.wait())
        try:
            peer = await _first(self.address_of(address), abandoned)
            async with self._connecting:
                if peer is None or give_up.is_set():
                    raise BleakError(f"connection to {address} was given up")
                device = await self.open()
                pending = asyncio.ensure_future(
                    device.connect_le(peer, own_address_type=hci.OwnAddressType.RANDOM, timeout=None)
                )
                await asyncio.wait({pending, abandoned}, return_when=asyncio.FIRST_COMPLETED)
                if not pending.done():
                    await _cancel_connection(device)
                await asyncio.wait({pending})
                return _outcome(pending, address)
        finally:
            abandoned.cancel()

    async def _power_on(self) -> Device:
        quieten_bumble()
        host = await self._host()
        device = Device(
            config=DeviceConfiguration(name="gateway", address=self._address or hci.Address.generate_static_address()),
            host=host,
        )
        device.pairing_config_factory = _pairing
        device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        device.on(Device.EVENT_CONNECTION, drop_failed_pairings)
        await device.power_on()
        return device

    async def _host(self) -> Host:
        if isinstance(self._transport, Air):
            radio = Radio("gateway", self._transport)
            self._closers.callback(radio.unplug)
            return radio.host_side()
        transport: Transport = await open_transport(_moniker(self._transport))
        self._closers.push_async_callback(transport.close)
        self._opened = transport
        transport.source.terminated.add_done_callback(lambda _: self._on_lost(transport))
        return Host(transport.source, transport.sink)

    async def _rescan(self, device: Device) -> None:
        async with self._scanning:
            wanted = bool(self._listeners)
            active = any(self._listeners.values())
            if device.is_scanning and (not wanted or device.scanning_is_passive == active):
                await device.stop_scanning()
            if wanted and not device.is_scanning:
                await device.start_scanning(active=active)

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        address = advertisement.address
        self._known[address.to_string(with_type_qualifier=False)] = address
        for listener in list(self._listeners):
            listener(advertisement)

    def _on_lost(self, transport: Transport) -> None:
        if self._device is not None and transport is self._opened:
            self._forget_device()
            self._on_transport_lost()

    def _forget_device(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            for handle in list(device.connections):
                device.on_disconnection(handle, LINK_LOST)
            device.host.emit("flush")


@contextlib.contextmanager
def _as_bleak_error(what: str) -> Iterator[None]:
    try:
        yield
    except core.BaseBumbleError as exc:
        raise BleakError(f"{what}: {exc}") from exc


def _pairing(_connection: Connection) -> PairingConfig:
    # Links are made with the random address: by another one the device would not know us again.
    return PairingConfig(identity_address_type=PairingConfig.AddressType.RANDOM)


def _moniker(transport: str) -> str:
    kind, _, path = transport.partition(":")
    return f"unix-client:{path}" if kind == "unix" else transport


async def _first(wanted: Coroutine[Any, Any, hci.Address], otherwise: asyncio.Task[bool]) -> hci.Address | None:
    task = asyncio.create_task(wanted)
    await asyncio.wait({task, otherwise}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return None


async def _cancel_connection(device: Device) -> None:
    # Refused when the link came up in the meantime: then the attempt has its result already.
    with contextlib.suppress(core.BaseBumbleError):
        await device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())


def _outcome(pending: asyncio.Future[Connection], address: str) -> Connection:
    if pending.cancelled():
        raise BleakError(f"connection to {address} failed: the adapter was lost")
    error = pending.exception()
    if error is None:
        return pending.result()
    if isinstance(error, core.BaseBumbleError):
        raise BleakError(f"connection to {address} failed: {error}") from error
    raise error


def _abandon(attempt: asyncio.Task[Connection]) -> asyncio.Task[None]:
    async def drop() -> None:
        await asyncio.wait({attempt})
        if not attempt.cancelled() and attempt.exception() is None:
            with contextlib.suppress(core.BaseBumbleError):
                await attempt.result().disconnect()

    return asyncio.create_task(drop())

"""One link to one device: connect, pair, read, write, listen, hang up; each bounded in time, each fault of one kind."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.exc import BleakDBusError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from gateway.bluetooth.adapter import RADIO_ERRORS
from gateway.bluetooth.patience import within
from gateway.gatt.decoders import short_uuid
from gateway.gatt.write import Write

OPERATION_S_MAX = 20.0
BOND_S_MAX = 30.0
GOODBYE_S_MAX = 2.0
DISCONNECT_S_MAX = 5.0
_WANTS_BOND = frozenset(
    {
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
        BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    }
)
_GONE = "Not connected"
"""BlueZ's word (src/gatt-client.c) and bleak's own for an operation on a link that has gone."""
_NOT_PAIRED = ("org.bluez.Error.NotPermitted", "Not paired")

log = structlog.get_logger()


class LinkError(Exception):
    """A link can not do what it is asked; the message says what went wrong, in the radio's words."""


class MustBond(LinkError):
    """The device wants to be paired with first."""


class LinkGone(LinkError):
    """There is no link any more, whatever bluetoothd says of it elsewhere."""


class Refused(LinkError):
    """The device answered, and said no: the link stands."""


class Link:
    """A client and what it found; the session that made it is its only user."""

    def __init__(self, client: BleakClient, *, address: str) -> None:
        self.address = address
        self.services: frozenset[str] = frozenset()
        self._client = client
        self._characteristics: dict[str, BleakGATTCharacteristic] = {}
        self._told_absent: set[str] = set()

    async def connect(self, *, timeout_s: float) -> None:
        """Connect and learn what the device offers. Raises LinkError."""
        with _as_link_error("connect"):
            await within(timeout_s, self._client.connect())

    async def bond(self) -> None:
        """Pair, unless that is done already. Raises LinkError."""
        with _as_link_error("pairing"):
            await within(BOND_S_MAX, self._client.pair())

    def discover(self) -> None:
        """Look at what the device offers; of two equal characteristics the first counts. Raises LinkError."""
        with _as_link_error("discovery"):
            found = self._client.services
            by_handle = sorted(found.characteristics.values(), key=lambda c: -c.handle)
            self._characteristics = {short_uuid(c.uuid): c for c in by_handle}
            self.services = frozenset(short_uuid(service.uuid) for service in found)

    def offers(self, uuid: str, *properties: str) -> bool:
        """Say whether there is such a characteristic, with one of the properties if some are named."""
        found = self._characteristics.get(uuid)
        return found is not None and (not properties or bool(set(properties) & set(found.properties)))

    async def read(self, uuid: str) -> bytes:
        """Read a characteristic that is offered. Raises LinkError."""
        with _as_link_error(f"reading {uuid}"):
            return bytes(await within(OPERATION_S_MAX, self._client.read_gatt_char(self._characteristics[uuid])))

    async def write(self, write: Write) -> None:
        """Write, in the way the characteristic allows; what it does not have is passed over. Raises LinkError."""
        found = self._characteristics.get(write.uuid)
        if found is None:
            self._tell_absent(write.uuid)
            return
        can_both = {"write", "write-without-response"} <= set(found.properties)
        response = write.response if can_both else "write" in found.properties
        with _as_link_error(f"writing {write.uuid}"):
            await within(OPERATION_S_MAX, self._client.write_gatt_char(found, write.payload, response=response))

    async def listen(self, uuid: str, hear: Callable[[str, bytes], None]) -> None:
        """Subscribe to a characteristic that is offered. Raises LinkError."""

        def on_notification(_characteristic: BleakGATTCharacteristic, payload: bytearray) -> None:
            hear(uuid, bytes(payload))

        with _as_link_error(f"subscribing {uuid}"):
            await within(OPERATION_S_MAX, self._client.start_notify(self._characteristics[uuid], on_notification))

    async def hang_up(self, goodbye: tuple[Write, ...] = ()) -> None:
        """Say goodbye where there are words for it, and end the link; never raises, and takes a bounded time."""
        with suppress(LinkError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S_MAX):
                for write in goodbye:
                    await self.write(write)
        try:
            await within(DISCONNECT_S_MAX, self._client.disconnect())
        except RADIO_ERRORS as exc:
            log.info("disconnect failed", device=self.address, error=f"{type(exc).__name__}: {exc}")

    def _tell_absent(self, uuid: str) -> None:
        """Say once a link that it is not written there: what is asked again and again would fill the log."""
        if uuid not in self._told_absent:
            self._told_absent.add(uuid)
            log.info("not written: the device has no such characteristic", device=self.address, characteristic=uuid)


@contextmanager
def _as_link_error(what: str) -> Iterator[None]:
    """Give the radio's faults their one name."""
    try:
        yield
    except BleakGATTProtocolError as exc:
        kind = MustBond if exc.code in _WANTS_BOND else Refused
        raise kind(f"{what}: {exc}") from exc
    except RADIO_ERRORS as exc:
        raise _kind_of(exc)(f"{what}: {type(exc).__name__}: {exc}") from exc


def _kind_of(error: BaseException) -> type[LinkError]:
    if not isinstance(error, BleakDBusError):
        return LinkGone if str(error) == _GONE else LinkError
    if (error.dbus_error, error.dbus_error_details) == _NOT_PAIRED:
        return MustBond
    return LinkGone if error.dbus_error_details == _GONE else LinkError

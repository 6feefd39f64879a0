"""A driver: everything the gateway must know about one make of device, as data and short functions.

A device speaks in notifications. Its driver's framing turns them into whole frames (most devices: a notification is
a frame), `decode` turns a frame into measurements, `answer` says what to write back. Devices that only advertise give
the service data they shout as frames. Nothing here does IO: the session carries it out.

UUIDs stand in short form (`gatt.decoders.short_uuid`): four hex digits for a Bluetooth SIG number, else 128 bits in
lower case.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.gatt.decoded import Decoded
from gateway.gatt.kind import Kind as Kind  # a driver's file needs but this one import
from gateway.gatt.write import Write as Write


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a device shows of itself: its advertisement and, once linked, its services too."""

    name: str = ""
    services: frozenset[str] = frozenset()
    service_data: frozenset[str] = frozenset()
    company_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """How a device is known: every row that is given must fit; services, data and company ids fit by any one.

    A number that many makers use (FFE0, FF12, a UART service) needs the name beside it. `name_alone` is for a device
    that shows its own service only once it is linked: a name that nobody else bears tells without any other row.
    """

    services: frozenset[str] = frozenset()
    service_data: frozenset[str] = frozenset()
    company_ids: frozenset[int] = frozenset()
    name: re.Pattern[str] | None = None
    name_alone: re.Pattern[str] | None = None

    def fits(self, seen: Seen) -> bool:
        """Say whether a device is one of these."""
        if self.name_alone and self.name_alone.search(seen.name):
            return True
        marks = ((self.services, seen.services), (self.service_data, seen.service_data))
        if any(wanted and not wanted & shown for wanted, shown in marks):
            return False
        if self.company_ids and not self.company_ids & seen.company_ids:
            return False
        return self.name is None or self.name.search(seen.name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """What is written again and again while the link stands; machine seconds."""

    every_s: float
    writes: tuple[Write, ...]


class Framing(Protocol):
    """Turns the notifications of one link into whole frames; made anew for every link, bounded, never raises."""

    def feed(self, uuid: str, payload: bytes) -> Sequence[bytes]:
        """Take one notification; give the frames it completes. What is no frame is given too: decode refuses it."""


class WholePayload:
    """The framing of most devices: a notification is a frame."""

    def feed(self, uuid: str, payload: bytes) -> Sequence[bytes]:  # noqa: ARG002
        """Give the payload itself."""
        return (payload,)


def no_answer(uuid: str, frame: bytes) -> Sequence[Write]:  # noqa: ARG001
    """Write nothing back."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """One make of device.

    `subscribe` names what is listened to (at least one must be there), `streams` those of them that speak all the
    time while worn. `advertised` names service data that are frames by themselves; with nothing to subscribe the
    device is never connected to. `begin` is written after subscribing, `end` before the gateway hangs up itself.
    `keep_every_ms` thins a device that says the same thing many times a second. `bond`: pair before anything else.
    `sets_clock`: the device's clock is written at every connection (when ours is synchronised).
    `needs_clock`: the device hangs up unless it is; it gets our time also while ours is only kept (docs/time.md).
    `decode(uuid, frame)` raises DecodeError and nothing else, on any bytes.
    """

    name: str
    product: str
    kind: Kind
    recognition: Recognition
    decode: Callable[[str, bytes], Decoded]
    subscribe: tuple[str, ...] = ()
    streams: frozenset[str] = frozenset()
    advertised: frozenset[str] = frozenset()
    framing: Callable[[], Framing] = WholePayload
    begin: tuple[Write, ...] = ()
    answer: Callable[[str, bytes], Sequence[Write]] = no_answer
    poll: Poll | None = None
    end: tuple[Write, ...] = ()
    keep_every_ms: int = 0
    bond: bool = False
    sets_clock: bool = True
    needs_clock: bool = False
    wellness: bool = False
    notes: str = field(default="", compare=False)

    @property
    def connects(self) -> bool:
        """Whether the device is connected to at all."""
        return bool(self.subscribe)


def driver_for(drivers: Iterable[Driver], seen: Seen) -> Driver | None:
    """Choose the first driver, in the table's order, that knows the device."""
    return next((driver for driver in drivers if driver.recognition.fits(seen)), None)

"""Gives a decoded payload its device, its time and its acquisition: what the outbox keeps."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from gateway.device_clock import Origin, instant, made_at, origin
from gateway.gatt.decoded import Decoded, Mode
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition, Reading

# A device's time further back than this is an unset clock, not a memory: the gateway stamps, and trust is taken off.
STORED_AGE_MAX = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """When the gateway received something: clinical time, the machine's monotonic time, and how far to trust them."""

    wall: datetime
    mono_ms: int
    boot_id: int
    synchronised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A reading with what is needed to correct its time later."""

    reading: Reading
    mono_ms: int
    boot_id: int
    synchronised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the gateway stands: the zone of the devices' civil time, and from what age a timestamp means a memory.

    `speed`: clinical seconds per machine second.
    """

    zone: tzinfo
    stored_after: timedelta
    speed: float = 1.0


def place(
    decoded: Decoded, *, device: str, stamp: Stamp, place: Place, clock_offset_s: float | None = None
) -> list[Stamped]:
    """Make readings of a payload's measurements: one acquisition, and one time less what each came before it.

    `clock_offset_s`: the device's clock minus ours as this link found it, by a stamp of the same trust; None: unknown.
    """
    acquisition, measured_at, doubtful = _when(decoded, stamp, place, clock_offset_s)
    return [
        Stamped(
            reading=Reading(
                device=device,
                signal=m.signal,
                measured_at=measured_at - timedelta(milliseconds=m.before_ms),
                value=m.value,
                quality=max(m.quality, Quality.QUESTIONABLE) if doubtful else m.quality,
                reason=Reason.UNKNOWN if doubtful and m.quality < Quality.QUESTIONABLE else m.reason,
                acquisition=acquisition,
            ),
            mono_ms=stamp.mono_ms - round(m.before_ms / place.speed),
            boot_id=stamp.boot_id,
            synchronised=stamp.synchronised,
        )
        for m in decoded.measurements
    ]


def _when(
    decoded: Decoded, stamp: Stamp, place: Place, clock_offset_s: float | None
) -> tuple[Acquisition, datetime, bool]:
    """Decide acquisition, time, and whether the time is doubtful.

    A device's own time counts only for what comes from its memory: something live is stamped by the gateway.
    While the gateway's clock is not synchronised no age can be told (unless the device's clock was read on this link),
    so a device that gives a time is believed.
    """
    if decoded.mode is Mode.CONTINUOUS:
        return Acquisition.CONTINUOUS, stamp.wall, False
    if decoded.device_time is None:
        return Acquisition.SPOT, stamp.wall, False
    device_time = instant(decoded.device_time, place.zone)
    if device_time is None:
        return Acquisition.SPOT, stamp.wall, True
    if clock_offset_s is not None:
        return _when_by_its_clock(decoded, device_time, stamp, place, offset_s=clock_offset_s)
    age = stamp.wall - device_time
    if stamp.synchronised and age > STORED_AGE_MAX:
        return Acquisition.SPOT, stamp.wall, True
    if decoded.from_storage or age > place.stored_after or not stamp.synchronised:
        return Acquisition.STORED, device_time, False
    return Acquisition.SPOT, stamp.wall, False


def _when_by_its_clock(
    decoded: Decoded, device_time: datetime, stamp: Stamp, place: Place, *, offset_s: float
) -> tuple[Acquisition, datetime, bool]:
    """Decide the same where the device's clock was held against ours."""
    if not decoded.from_storage:
        came_from = origin(
            device_time,
            wall=stamp.wall,
            live_within=place.stored_after,
            offset_s=offset_s,
            may_be_set=stamp.synchronised,
        )
        if came_from is not Origin.MEMORY:
            return Acquisition.SPOT, stamp.wall, came_from is Origin.UNKNOWN
    if not stamp.synchronised:  # the age is known, but not which of the two clocks is right
        return Acquisition.STORED, device_time, False
    measured_at = made_at(device_time, wall=stamp.wall, offset_s=offset_s, can_be_fetched_again=decoded.from_storage)
    if measured_at is None or stamp.wall - measured_at > STORED_AGE_MAX:
        return Acquisition.SPOT, stamp.wall, True
    return Acquisition.STORED, measured_at, False

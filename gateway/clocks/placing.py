"""Gives a decoded payload its device, its time and its acquisition: what the outbox keeps."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from gateway.clocks.device_clock import Origin, instant, made_at, origin
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

    @property
    def wall_ms(self) -> int:
        """Clinical time as Unix milliseconds."""
        return unix_ms(self.wall)


def unix_ms(wall: datetime) -> int:
    """Give an instant as Unix milliseconds, to the nearest."""
    return round(wall.timestamp() * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A reading with what is needed to correct its time later.

    `may_be_live`: it goes out as a record, with its device's time, and may have been made just now: while our clock is
    in doubt nobody can tell.
    """

    reading: Reading
    mono_ms: int
    boot_id: int
    synchronised: bool
    may_be_live: bool = False


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
    when = _when(decoded, stamp, place, clock_offset_s)
    return [
        Stamped(
            reading=Reading(
                device=device,
                signal=m.signal,
                measured_at=when.measured_at - timedelta(milliseconds=m.before_ms),
                value=m.value,
                quality=max(m.quality, when.trust),
                reason=Reason.UNKNOWN if m.quality < when.trust else m.reason,
                acquisition=when.acquisition,
            ),
            mono_ms=stamp.mono_ms - round(m.before_ms / place.speed),
            boot_id=stamp.boot_id,
            synchronised=stamp.synchronised,
            may_be_live=when.may_be_live,
        )
        for m in decoded.measurements
    ]


def as_heard(row: Stamped) -> Stamped:
    """Give a row as an alarm has to take it: what may have been made just now, was."""
    return replace(row, reading=replace(row.reading, acquisition=Acquisition.SPOT)) if row.may_be_live else row


@dataclass(frozen=True, slots=True, kw_only=True)
class _When:
    """What is known of a payload's time; no measurement in it is of better quality than `trust`."""

    acquisition: Acquisition
    measured_at: datetime
    trust: Quality = Quality.GOOD
    may_be_live: bool = False


def _when(decoded: Decoded, stamp: Stamp, place: Place, clock_offset_s: float | None) -> _When:
    """Decide acquisition and time, and how far the time is to be trusted.

    A device's own time counts only for what comes from its memory: something live is stamped by the gateway.
    While the gateway's clock is not synchronised no age can be told (unless the device's clock was read on this link),
    so a device that gives a time is believed.
    """
    if decoded.mode is Mode.CONTINUOUS:
        return _When(acquisition=Acquisition.CONTINUOUS, measured_at=stamp.wall)
    if decoded.device_time is None:
        return _without_time(decoded, stamp) if decoded.from_storage else _made_now(stamp)
    device_time = instant(decoded.device_time, place.zone)
    if device_time is None:
        return _without_time(decoded, stamp)
    if clock_offset_s is not None:
        return _when_by_its_clock(decoded, device_time, stamp, place, offset_s=clock_offset_s)
    if not stamp.synchronised:
        return replace(_from_memory(device_time), may_be_live=not decoded.from_storage)
    age = stamp.wall - device_time
    if age > STORED_AGE_MAX:
        return _without_time(decoded, stamp)
    if decoded.from_storage or age > place.stored_after:
        return _from_memory(device_time)
    return _made_now(stamp)


def _when_by_its_clock(
    decoded: Decoded, device_time: datetime, stamp: Stamp, place: Place, *, offset_s: float
) -> _When:
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
            return _made_now(stamp, trust=Quality.QUESTIONABLE if came_from is Origin.UNKNOWN else Quality.GOOD)
    if not stamp.synchronised:  # the age is known, but not which of the two clocks is right
        return _from_memory(device_time)
    measured_at = made_at(device_time, wall=stamp.wall, offset_s=offset_s, can_be_fetched_again=decoded.from_storage)
    if measured_at is None or stamp.wall - measured_at > STORED_AGE_MAX:
        return _without_time(decoded, stamp)
    return _from_memory(measured_at)


def _made_now(stamp: Stamp, *, trust: Quality = Quality.GOOD) -> _When:
    return _When(acquisition=Acquisition.SPOT, measured_at=stamp.wall, trust=trust)


def _from_memory(measured_at: datetime) -> _When:
    return _When(acquisition=Acquisition.STORED, measured_at=measured_at)


def _without_time(decoded: Decoded, stamp: Stamp) -> _When:
    """What the device itself calls a record is old, nobody knows how old; all else may have been made just now."""
    if decoded.from_storage:
        return replace(_from_memory(stamp.wall), trust=Quality.INVALID)
    return _made_now(stamp, trust=Quality.QUESTIONABLE)

"""A device's own clock held against the gateway's: how far it is off, and when its records were really made.

Normative: CLINICAL 6.4 (over 5 s warn, over 60 s the time is not taken as it stands). The offset is the device's clock
minus the gateway's, as a link found it before it set that clock. Three things a record may be:

- made just now, by the clock as it was found: its age by that clock is small;
- made just now, by the clock as the link has set it: its time is our time. A clock that ran behind can not have shown
  that time before; one that ran ahead can, when the record is as old as the clock was ahead: then nobody can tell
  (but no record is older than `OFFSET_MAX`: then our own clock was unset when the device's was read, and is right now);
- from the memory. What a device sends once, and forgets, is moved by the offset when the clock was wrong. What can be
  fetched again keeps the device's time, wrong or not: it is the record's identity, and moved twice by two offsets it
  would be two fevers. An offset beyond `OFFSET_MAX` is a clock that was never set and says nothing of a memory.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum

WARN_AFTER = timedelta(seconds=5)
WRONG_AFTER = timedelta(seconds=60)
OFFSET_MAX = timedelta(days=400)


class Verdict(StrEnum):
    """What an offset means."""

    OK = "ok"
    WARN = "warn"
    WRONG = "wrong"
    UNSET = "unset"


class Origin(StrEnum):
    """Where a timed measurement comes from."""

    LIVE = "live"
    MEMORY = "memory"
    UNKNOWN = "unknown"


def decide(offset_s: float) -> Verdict:
    """Judge a clock's offset."""
    apart_s = abs(offset_s)
    limits = ((WARN_AFTER, Verdict.OK), (WRONG_AFTER, Verdict.WARN), (OFFSET_MAX, Verdict.WRONG))
    return next((verdict for most, verdict in limits if apart_s <= most.total_seconds()), Verdict.UNSET)


def instant(device_time: datetime, zone: tzinfo) -> datetime | None:
    """Give a device's civil time as UTC; None where the calendar ends."""
    try:
        return device_time.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return None


def offset_s(device_time: datetime, *, wall: datetime, zone: tzinfo) -> float | None:
    """Measure a device's clock, read just now, against ours; None where it shows no time of this calendar."""
    shown = instant(device_time, zone)
    return None if shown is None else (shown - wall).total_seconds()


def origin(
    device_time: datetime, *, wall: datetime, live_within: timedelta, offset_s: float, may_be_set: bool
) -> Origin:
    """Say whether a measurement was made just now; see the module's text for what can not be told.

    `may_be_set`: the link may have set the device's clock since it was read (it does where ours is synchronised).
    """
    own_age = wall - device_time
    if -WARN_AFTER <= own_age + timedelta(seconds=offset_s) <= live_within:
        return Origin.LIVE
    if may_be_set and -WARN_AFTER <= own_age <= live_within:
        could_be_old = 0 <= offset_s <= (OFFSET_MAX + live_within).total_seconds()
        return Origin.UNKNOWN if could_be_old else Origin.LIVE
    return Origin.MEMORY


def made_at(device_time: datetime, *, wall: datetime, offset_s: float, can_be_fetched_again: bool) -> datetime | None:
    """Give the time of a record from the memory; None where it can not be believed."""
    verdict = decide(offset_s)
    if verdict is Verdict.UNSET:
        return None
    if can_be_fetched_again or verdict is not Verdict.WRONG:
        return device_time
    try:
        corrected = device_time - timedelta(seconds=offset_s)
    except OverflowError:
        return None
    return corrected if timedelta() <= wall - corrected <= OFFSET_MAX else None

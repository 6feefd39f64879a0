"""When a patient's nights begin and end, by the clock on the wall (core)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from alerting.zones import zone_of

BEGINS, ENDS = time(21), time(9)
"""A night, local time. Source: D; wide enough for early and late sleepers. It is no setting of the profile, as nothing
is decided by it: what is not recorded counts for nothing, so the night may be longer than the sleep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalNight:
    """One night, named by the date of its evening."""

    date: date
    begins_at: datetime
    ends_at: datetime


def night_of(evening: date, zone: str) -> LocalNight:
    """Give the night that begins on an evening; where clocks are turned in it, it is an hour shorter or longer."""
    there = zone_of(zone)
    begins_at = datetime.combine(evening, BEGINS, there)
    ends_at = datetime.combine(evening + timedelta(days=1), ENDS, there)
    return LocalNight(date=evening, begins_at=begins_at, ends_at=ends_at)


def newest_night(now: datetime, zone: str) -> LocalNight:
    """Give the newest night that has begun."""
    local = now.astimezone(zone_of(zone))
    return night_of(local.date() if local.time() >= BEGINS else local.date() - timedelta(days=1), zone)


def last_nights(now: datetime, zone: str, count: int) -> list[LocalNight]:
    """Give the newest nights that have begun, the newest first."""
    newest = newest_night(now, zone)
    return [night_of(newest.date - timedelta(days=days), zone) for days in range(count)]

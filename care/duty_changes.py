"""What people may say of the roster: overrides, swaps, leave; and why something of that is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from care.registry import DutyRole, PersonRole

LONGEST = timedelta(days=366)
"""So long a change may last, and so far ahead it may begin."""

SWAP_MOST = timedelta(days=62)
REASON_CHARACTERS_MAX = 500
COUNTY_WIDE = frozenset({PersonRole.COUNTY_EXPERT, PersonRole.OPERATIONS})
"""Roles that look after the whole county, wherever in it they are employed."""

MAY_HOLD: Mapping[DutyRole, frozenset[PersonRole]] = {
    DutyRole.TOWNSHIP_DUTY: frozenset({PersonRole.DUTY, PersonRole.FAMILY_DOCTOR}),
    DutyRole.COUNTY_EXPERT: frozenset({PersonRole.COUNTY_EXPERT}),
    DutyRole.OPERATIONS: frozenset({PersonRole.OPERATIONS, PersonRole.TECHNICIAN}),
    DutyRole.REFERRAL_DESK: frozenset({PersonRole.REFERRAL_DESK}),
    DutyRole.TRANSPORT: frozenset({PersonRole.DISPATCHER}),
    DutyRole.AUTHORITY: frozenset({PersonRole.AUTHORITY}),
}
"""Who may be put on which duty by a change; the registry file is not held to it."""

KEEPS_ROSTER = frozenset({PersonRole.COORDINATOR, PersonRole.ADMIN})
"""Who may say it of others, in their organisation and below."""

STANDS_IN = frozenset({PersonRole.FAMILY_DOCTOR, PersonRole.DUTY})
"""Who may stand in as family doctor."""


class Obstacle(StrEnum):
    """Why a change of the roster is not possible."""

    PAST = "past"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    NO_SUCH_TIME = "no_such_time"
    NO_ORGANISATION = "no_organisation"
    NO_PERSON = "no_person"
    WRONG_ROLE = "wrong_role"
    OUT_OF_REACH = "out_of_reach"
    ON_LEAVE = "on_leave"
    SAME_PERSON = "same_person"
    NOT_ON_DUTY = "not_on_duty"
    NO_CHANGE = "no_change"
    NOT_WAITING = "not_waiting"
    NOT_ASKED = "not_asked"
    OVER = "over"


class DutyRefused(Exception):
    """A change of the roster is not possible; `obstacle` says why, the message names the offending value."""

    def __init__(self, obstacle: Obstacle, value: str) -> None:
        super().__init__(f"{obstacle.value}: {value}")
        self.obstacle = obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A half-open time [since, until) in aware UTC."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """Somebody holds a duty in a time, in place of one person, or (None) of whoever the roster names. Keys."""

    organisation: str
    duty_role: DutyRole
    person: str
    span: Span
    in_place_of: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Somebody is away in a time; `substitute` stands in for him as family doctor. Keys."""

    person: str
    span: Span
    substitute: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Two people exchange two times of one duty: `other` takes `span`, who asks takes `other_span`. Keys."""

    organisation: str
    duty_role: DutyRole
    person: str
    span: Span
    other: str
    other_span: Span
    reason: str = ""


def instant_of(said: datetime, zone: str, *, ends: bool = False) -> datetime:
    """Give the UTC instant of a time as people say it: without an offset it is local to the organisation.

    Of an hour that comes twice, a change begins with the first and ends with the second: rather two on duty than
    nobody. Raises DutyRefused for a time that a change of clocks leaves out, or that no calendar has.
    """
    try:
        local = said if said.tzinfo is not None else said.replace(tzinfo=ZoneInfo(zone), fold=int(ends))
        found = local.astimezone(UTC)
    except (OverflowError, ValueError, KeyError, OSError) as exc:  # of the time; of a zone that this machine has not
        raise DutyRefused(Obstacle.NO_SUCH_TIME, f"{said.isoformat()} in {zone!r}") from exc
    if said.tzinfo is not None:
        return found
    if found.astimezone(local.tzinfo).replace(tzinfo=None) != said.replace(fold=0):
        raise DutyRefused(Obstacle.NO_SUCH_TIME, f"{said:%F %H:%M} does not exist in {zone}: the clocks go forward")
    return found


def span_of(since: datetime | None, until: datetime, zone: str, *, now: datetime) -> Span:
    """Give the time that somebody said; without a beginning it is from now on. Raises DutyRefused."""
    begin = now if since is None else instant_of(since, zone)
    return checked(Span(since=begin, until=instant_of(until, zone, ends=True)), now=now)


def checked(span: Span, *, now: datetime) -> Span:
    """Give a time back that lies ahead and is not too long. Raises DutyRefused."""
    if span.since < now:
        raise DutyRefused(Obstacle.PAST, f"{span.since:%F %H:%M} UTC is past: say no beginning for 'from now on'")
    if span.until <= span.since:
        raise DutyRefused(Obstacle.EMPTY, f"it would end at {span.until:%F %H:%M} UTC, not after it begins")
    if span.until - span.since > LONGEST or span.since - now > LONGEST:
        raise DutyRefused(Obstacle.TOO_LONG, f"until {span.until:%F %H:%M} UTC: {LONGEST.days} days at most")
    return span


def check_holder(key: str, role: PersonRole, duty_role: DutyRole, *, is_above: bool, same_county: bool) -> None:
    """See that somebody may hold a duty at an organisation: his role, and that he may see its patients.

    `is_above`: it is his own organisation or below it. Raises DutyRefused.
    """
    if role not in MAY_HOLD[duty_role]:
        able = ", ".join(sorted(MAY_HOLD[duty_role]))
        raise DutyRefused(Obstacle.WRONG_ROLE, f"{key} is {role}; {duty_role} is held by: {able}")
    check_reach(key, role, is_above=is_above, same_county=same_county)


def check_reach(key: str, role: PersonRole, *, is_above: bool, same_county: bool) -> None:
    """See that somebody may see the patients of an organisation. Raises DutyRefused."""
    if not (is_above or (role in COUNTY_WIDE and same_county)):
        raise DutyRefused(Obstacle.OUT_OF_REACH, f"{key} is employed elsewhere and can not see the patients there")

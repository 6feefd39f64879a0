"""Silences that people set: of what, by whom, for how long at most, and why one is refused (core).

A silence stops pages. It closes nothing, clears nothing, and stops no deadline (CLINICAL section 4): the episode is
open, stands in the inbox and goes its way; what is unanswered when the silence ends rings from the beginning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from alerting.profile.profile import Consequence, Priority

REASON_CHARACTERS_MAX = 500


class Target(StrEnum):
    """What a silence is of."""

    PATIENT = "patient"
    GATEWAY = "gateway"
    DEVICE = "device"
    ORGANISATION = "organisation"


class Obstacle(StrEnum):
    """Why a silence is refused."""

    HIGH = "high"
    OPENS_CASE = "opens_case"
    UNKNOWN_RULE = "unknown_rule"
    NOT_OF_THIS = "not_of_this"
    NO_TARGET = "no_target"
    NOT_YOURS = "not_yours"
    NO_REASON = "no_reason"
    BACKWARDS = "backwards"
    TOO_LONG = "too_long"
    TOO_FAR = "too_far"
    ENDED = "ended"


class SilenceRefused(ValueError):
    """A silence can not be set or lifted: `obstacle` says why, the message names the value and the way out."""

    def __init__(self, obstacle: Obstacle, detail: str) -> None:
        super().__init__(detail)
        self.obstacle = obstacle


TECHNICAL_LONGEST = timedelta(days=7)
LONGEST: Mapping[Priority, timedelta] = {Priority.LOW: timedelta(hours=72), Priority.MEDIUM: timedelta(hours=12)}
"""How long a physiological rule may be silent, by its priority; what is not here can not be silenced at all.
(D; an alarm that is off needs a reason and an end, at most 12 h: CLINICAL section 4. For what is low it is three days,
the longest interval of follow-up; for machines a week, which a move or a repair may take.)"""

AHEAD_MOST = timedelta(days=30)
"""How far ahead one may be set: a planned power cut is announced."""

_DOCTORS = frozenset({"family_doctor", "duty", "county_expert"})
_ORGANISERS = frozenset({"coordinator", "operations"})
MAY_SILENCE: Mapping[tuple[Target, bool], frozenset[str]] = {
    (Target.PATIENT, False): _DOCTORS,
    (Target.PATIENT, True): _DOCTORS | _ORGANISERS,
    (Target.GATEWAY, True): _ORGANISERS | {"family_doctor", "technician"},
    (Target.DEVICE, True): _ORGANISERS | {"family_doctor", "technician"},
    (Target.ORGANISATION, True): _ORGANISERS,
}
"""Roles that may, by target and whether the rule is technical. What is not here is possible for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants silent: `name` is the target's key. `rule` '': all technical ones. `since` None: from now."""

    target: Target
    name: str
    rule: str
    until: datetime
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What is silenced: from when, up to which priority."""

    technical: bool
    priority: Priority
    since: datetime
    until: datetime
    reason: str


def grant(wish: Wish, consequence: Consequence | None, *, role: str, now: datetime) -> Granted:
    """Judge a wish; `consequence` is the rule's for this target, None where all technical ones are meant.

    Raises SilenceRefused.
    """
    technical, priority = (
        (True, Priority.MEDIUM) if consequence is None else (consequence.technical, consequence.priority)
    )
    _check_rule(wish, consequence)
    if (wish.target, technical) not in MAY_SILENCE:
        raise SilenceRefused(
            Obstacle.NOT_OF_THIS, f"{wish.rule} of a {wish.target}: silence it of one patient, by the patient's key"
        )
    if role not in MAY_SILENCE[wish.target, technical]:
        able = ", ".join(sorted(MAY_SILENCE[wish.target, technical]))
        raise SilenceRefused(Obstacle.NOT_YOURS, f"role {role}: ask one of {able}")
    reason = wish.reason.strip()
    if not reason or len(reason) > REASON_CHARACTERS_MAX:
        raise SilenceRefused(
            Obstacle.NO_REASON, f"a reason has 1 to {REASON_CHARACTERS_MAX} characters, not {len(reason)}"
        )
    since = max(wish.since or now, now)
    _check_span(wish, since, longest_of(technical=technical, priority=priority), now)
    return Granted(technical=technical, priority=priority, since=since, until=wish.until, reason=reason)


HOURS_OFFERED = (1, 4, 12, 24, 72, 168)


def offered_hours(target: Target, consequence: Consequence, role: str) -> tuple[int, ...]:
    """Give the lengths that a person in this role may choose for an alarm of this consequence; none: not at all."""
    longest = longest_of(technical=consequence.technical, priority=consequence.priority)
    opens_case = consequence.tier3 and not consequence.technical
    if longest is None or consequence.emergency or opens_case or not may(role, target, technical=consequence.technical):
        return ()
    return tuple(hours for hours in HOURS_OFFERED if timedelta(hours=hours) <= longest)


def may(role: str | None, target: Target, *, technical: bool) -> bool:
    """Say whether somebody in this role may silence such rules of such a target, and lift such silences."""
    return role in MAY_SILENCE.get((target, technical), frozenset())


def target_of(subject: str | None) -> Target:
    """Say what a silence of an alarm would be of: a patient where the alarm has no subject of its own."""
    if subject is None:
        return Target.PATIENT
    kind = subject.partition(":")[0]
    return Target(kind) if kind in (Target.GATEWAY, Target.DEVICE) else Target.ORGANISATION


def longest_of(*, technical: bool, priority: Priority) -> timedelta | None:
    """Say for how long at most a rule may be silent; None: not at all."""
    if priority not in LONGEST:
        return None
    return TECHNICAL_LONGEST if technical else LONGEST[priority]


def _check_rule(wish: Wish, consequence: Consequence | None) -> None:
    if consequence is None:
        return
    if consequence.emergency or longest_of(technical=consequence.technical, priority=consequence.priority) is None:
        raise SilenceRefused(
            Obstacle.HIGH,
            f"{wish.rule} is {consequence.priority}: take the alarm on, decide, or have its limit changed",
        )
    if consequence.tier3:
        raise SilenceRefused(
            Obstacle.OPENS_CASE, f"{wish.rule} opens a case of tier 3, which the county's team decides"
        )


def _check_span(wish: Wish, since: datetime, longest: timedelta | None, now: datetime) -> None:
    assert longest is not None, "what is high was refused"
    if wish.until <= since:
        raise SilenceRefused(Obstacle.BACKWARDS, f"until {wish.until:%F %R %Z} is not after {since:%F %R %Z}")
    if since > now + AHEAD_MOST:
        raise SilenceRefused(Obstacle.TOO_FAR, f"from {since:%F %R %Z}: at most {AHEAD_MOST.days} days ahead")
    if wish.until - since > longest:
        hours = longest.total_seconds() / 3600
        raise SilenceRefused(Obstacle.TOO_LONG, f"until {wish.until:%F %R %Z}: at most {hours:g} h, then say it again")

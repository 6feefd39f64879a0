"""How a patient stands: who may change it to what, and what has to be said with it (core; hazard 31)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from care.registry import PersonRole

REASON_CHARACTERS_MAX = 500


class Status(StrEnum):
    """How a patient stands. `discharged`: no longer looked after at home; not a hospital's discharge."""

    ACTIVE = "active"
    AWAY = "away"
    ADMITTED = "admitted"
    DISCHARGED = "discharged"
    DEAD = "dead"


KEEPERS = frozenset({PersonRole.COORDINATOR, PersonRole.ADMIN, PersonRole.FAMILY_DOCTOR})
"""Who keeps the patients of the organisations in his scope."""

_ADMIN = frozenset({PersonRole.ADMIN})

TRANSITIONS: dict[tuple[Status, Status], frozenset[PersonRole]] = {
    (Status.ACTIVE, Status.AWAY): KEEPERS,
    (Status.ACTIVE, Status.ADMITTED): KEEPERS,
    (Status.ACTIVE, Status.DISCHARGED): KEEPERS,
    (Status.ACTIVE, Status.DEAD): KEEPERS,
    (Status.AWAY, Status.ACTIVE): KEEPERS,
    (Status.AWAY, Status.AWAY): KEEPERS,  # he is back later
    (Status.AWAY, Status.ADMITTED): KEEPERS,
    (Status.AWAY, Status.DISCHARGED): KEEPERS,
    (Status.AWAY, Status.DEAD): KEEPERS,
    (Status.ADMITTED, Status.ACTIVE): KEEPERS,
    (Status.ADMITTED, Status.ADMITTED): KEEPERS,  # in another hospital
    (Status.ADMITTED, Status.DISCHARGED): KEEPERS,
    (Status.ADMITTED, Status.DEAD): KEEPERS,
    (Status.DISCHARGED, Status.ACTIVE): KEEPERS,
    (Status.DISCHARGED, Status.DEAD): KEEPERS,
    (Status.DEAD, Status.ACTIVE): _ADMIN,  # somebody was mistaken
}
"""From, to: the roles that may say so. What is not here is not possible."""


class StatusRefused(ValueError):
    """A change of status is not possible; the message names the offending value and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of status that somebody says. `at`: from when it holds; `until`: away, when he is back."""

    to: Status
    at: datetime
    reason: str
    until: datetime | None = None
    place: str = ""


def possible(now_is: Status, role: str) -> list[Status]:
    """List what somebody in this role may say of a patient who stands so."""
    return [to for to in Status if role in TRANSITIONS.get((now_is, to), frozenset())]


def check(change: Change, *, was: Status, since: datetime | None, role: str, now: datetime) -> None:
    """Say whether a change may be made of a patient who has stood so `since`. Raises StatusRefused."""
    may = TRANSITIONS.get((was, change.to))
    if may is None:
        ways = ", ".join(to for (come, to) in TRANSITIONS if come is was)
        raise StatusRefused(f"who is {was} can not become {change.to}: from there it goes to {ways}")
    if role not in may:
        raise StatusRefused(f"{role} may not say {change.to} of who is {was}; {', '.join(sorted(may))} may")
    if not change.reason.strip():
        raise StatusRefused(f"{change.to} needs a reason: say in a few words how it is known")
    if change.at > now:
        raise StatusRefused(f"{change.at.isoformat()} is yet to come: say it when it has happened")
    if since is not None and change.at < since:
        raise StatusRefused(f"{change.at.isoformat()} is before {since.isoformat()}, since when he is {was}")
    if change.until is not None and change.to is not Status.AWAY:
        raise StatusRefused(f"only somebody away has a day when he is back, and not who is {change.to}")
    if change.until is not None and change.until <= now:
        raise StatusRefused(f"{change.until.isoformat()} has passed: say when he will be back, or nothing")
    if (change.to is Status.ADMITTED) != bool(change.place.strip()):
        wanted = "name the hospital" if change.to is Status.ADMITTED else "leave the place out"
        raise StatusRefused(f"{change.to} with place {change.place!r}: {wanted}")

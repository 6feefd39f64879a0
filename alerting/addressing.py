"""Whom a technical alarm goes to: a table from the audiences of the escalation to those whom its kind concerns (core).

The escalation's table (alerting/episodes.py) speaks of a patient: family doctor, household, township duty, county
experts. A technical alarm goes "household, village, IT" (CLINICAL 3.1): no expert of medicine is woken for a battery.
Silence of a patient's device (`no_data`) stays as the escalation has it: somebody may be in danger.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from alerting.episodes import Audience
from alerting.profile.profile import Consequence
from alerting.profile.technical import Family
from care.registry import PersonRole

_HOUSE, _DOCTOR = Audience.HOUSEHOLD, Audience.FAMILY_DOCTOR
_DUTY, _EXPERT, _OPERATIONS = Audience.TOWNSHIP_DUTY, Audience.COUNTY_EXPERT, Audience.OPERATIONS
_DESK, _CARS, _AUTHORITY = Audience.RECEIVER, Audience.TRANSPORT, Audience.AUTHORITY


class Kind(StrEnum):
    """Whose alarm it is, as far as that decides who is told and what they read."""

    PERSON = "person"
    DEVICE = "device"
    SITE = "site"
    SOMEBODY = "somebody"
    UNWATCHED = "unwatched"
    ROSTER = "roster"


KINDS: Mapping[str, Kind] = {
    Family.SPOT_OVERDUE: Kind.DEVICE,
    Family.BATTERY: Kind.DEVICE,
    Family.GATEWAY: Kind.SITE,
    Family.ADAPTER: Kind.SITE,
    Family.CLOCK: Kind.SITE,
    Family.BACKLOG: Kind.SITE,
    Family.INGEST: Kind.SITE,
    Family.BROKER: Kind.SITE,
    Family.UNATTRIBUTED: Kind.SITE,
    Family.UNBOUND_LOW: Kind.SOMEBODY,
    Family.UNJUDGED: Kind.UNWATCHED,
    Family.ROSTER: Kind.ROSTER,
    Family.STORM: Kind.SITE,
}
"""Families that are not a patient's condition; all others are PERSON."""

_TOLD: Mapping[Kind, Mapping[Audience, tuple[Audience, ...]]] = {
    Kind.DEVICE: {_EXPERT: (_DUTY,)},
    Kind.SITE: {_DOCTOR: (_OPERATIONS,), _HOUSE: (), _EXPERT: (_OPERATIONS, _DUTY)},
    Kind.SOMEBODY: {_DOCTOR: (_DUTY,), _HOUSE: ()},
    Kind.ROSTER: {_DOCTOR: (_OPERATIONS,), _HOUSE: (), _EXPERT: (_OPERATIONS, _DUTY)},
    Kind.UNWATCHED: {_DOCTOR: (_DOCTOR, _OPERATIONS), _EXPERT: (_EXPERT, _OPERATIONS)},
}
_FALLBACKS: Mapping[Kind, Mapping[Audience, Audience]] = {
    Kind.PERSON: {
        _DOCTOR: _DUTY,
        _DUTY: _EXPERT,
        _EXPERT: _OPERATIONS,
        _OPERATIONS: _DUTY,
        _DESK: _EXPERT,
        _CARS: _EXPERT,
        _AUTHORITY: _OPERATIONS,
    },
    Kind.DEVICE: {_DOCTOR: _DUTY, _DUTY: _OPERATIONS},
    Kind.SITE: {_OPERATIONS: _DUTY, _DUTY: _EXPERT},
    Kind.ROSTER: {_OPERATIONS: _DUTY, _DUTY: _EXPERT},
    Kind.SOMEBODY: {_DUTY: _EXPERT, _EXPERT: _OPERATIONS},
    Kind.UNWATCHED: {_DOCTOR: _DUTY, _DUTY: _EXPERT, _EXPERT: _OPERATIONS},
}


AS_PAGED = {
    PersonRole.FAMILY_DOCTOR: _DOCTOR,
    PersonRole.DUTY: _DUTY,
    PersonRole.COUNTY_EXPERT: _EXPERT,
    PersonRole.REFERRAL_DESK: _DESK,
    PersonRole.DISPATCHER: _CARS,
    PersonRole.AUTHORITY: _AUTHORITY,
}
"""As whom a person is paged by what he is, where no alarm says it; the others as operations."""


def audience_of(role: str) -> Audience:
    """Say as whom somebody is told of what is no alarm: a test of paging, a change of duty."""
    return AS_PAGED.get(PersonRole(role), _OPERATIONS)


def kind_of(consequence: Consequence) -> Kind:
    """Say whose an alarm of this family is."""
    return KINDS.get(consequence.family, Kind.PERSON)


def told(kind: Kind, audiences: Iterable[Audience]) -> tuple[Audience, ...]:
    """Give whom a move pages, each once, in order."""
    here = _TOLD.get(kind, {})
    return tuple(dict.fromkeys(each for audience in audiences for each in here.get(audience, (audience,))))


def instead(kind: Kind, audience: Audience, *, asked: Iterable[Audience]) -> Audience | None:
    """Give whom to ask where nobody holds a duty; None where all who are left have been asked."""
    found = _FALLBACKS[kind].get(audience)
    return None if found in set(asked) else found

"""Decides what a raise does: opens an episode, alarms anew, or only counts; and how urgent it is for this patient."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from alerting.episodes import State
from alerting.profile.patient import PatientFacts
from alerting.profile.profile import Consequence, Priority
from care.registry import SpecialGroup

UNANSWERED = frozenset({State.UNACK, State.T3_UNACK, State.EXHAUSTED})
SPECIAL_GROUPS = frozenset({SpecialGroup.INFANT, SpecialGroup.CHILD, SpecialGroup.PREGNANT})


class WhoseAlarm(Protocol):
    """What of a patient changes an alarm's urgency."""

    @property
    def risk_colour(self) -> str:
        """Risk colour: green, yellow, red."""

    @property
    def special_groups(self) -> list[str]:
        """Special groups by name."""


class OpenEpisode(Protocol):
    """What of an open episode a new raise is held against."""

    @property
    def priority(self) -> str:
        """Alarm priority."""

    @property
    def emergency(self) -> bool:
        """The emergency flag."""

    @property
    def tier3(self) -> bool:
        """Whether tier 3 is to be reached."""

    @property
    def condition(self) -> str:
        """present, cleared or unknown."""

    @property
    def state(self) -> str:
        """Where it stands."""


class Basis(StrEnum):
    """How a condition was judged; the same rule id may be judged in two ways."""

    SUSTAINED = "sustained"
    REPEAT = "repeat"
    FEVER = "fever"
    SILENCE = "silence"
    RECHECK = "recheck"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """A rule's raise. `past`: it was over before it was known (late data): to the worklist, nobody is paged.

    `patient_id` None: a technical alarm that is no patient's.
    """

    patient_id: int | None
    rule: str
    basis: Basis
    since: datetime
    raised_at: datetime
    key: str
    evidence: dict[str, Any] = field(default_factory=dict)
    past: bool = False


NOT_MEASURED = frozenset({Basis.RECHECK, Basis.REPORTED})
"""Nothing measured holds by these: there is nothing to be over by itself, and nothing to be looked at again."""


class Effect(StrEnum):
    """What a raise does to what is already open."""

    OPEN = "raised"
    ALARM_ANEW = "raised_anew"
    COUNT = "raised_again"


def effect_of(found: OpenEpisode | None, consequence: Consequence, *, past: bool, looked_again: bool = False) -> Effect:
    """Decide: one open episode per family; a higher rank, or a new raise after it was over, alarms anew.

    So does one of the same rank that reaches tier 3, where the open one does not: a lasting fever on its third day.
    A lesser raise after it was over only counts while nobody has answered: what is still ringing is not turned down.
    `looked_again`: this very episode's condition was to be looked at again, and is still there.
    """
    if found is None:
        return Effect.OPEN
    open_rank = replace(consequence, priority=Priority(found.priority), emergency=found.emergency).rank
    worse = consequence.rank < open_rank or (consequence.rank == open_rank and consequence.tier3 and not found.tier3)
    lesser_and_ringing = consequence.rank > open_rank and found.state in UNANSWERED
    if looked_again and found.state not in UNANSWERED:
        return Effect.ALARM_ANEW
    if not past and (worse or (found.condition == "cleared" and not lesser_and_ringing)):
        return Effect.ALARM_ANEW
    return Effect.COUNT


def for_patient(consequence: Consequence, patient: WhoseAlarm, *, past: bool) -> Consequence:
    """Give a rule's consequence for this patient; what is past goes to the worklist and pages nobody."""
    if past:
        return replace(consequence, priority=Priority.LOW, emergency=False, tier3=False)
    if consequence.special_priority and is_special(patient):
        special = replace(consequence, priority=consequence.special_priority)
        return min(consequence, special, key=lambda each: each.rank)  # a variant may hold him to more urgent ones
    return consequence


def facts_of(born_on: date, special_groups: Iterable[str]) -> PatientFacts:
    """Give what the registry says of a patient as what decides his limits, without orders or baseline."""
    groups = frozenset(special_groups)
    return PatientFacts(born_on=born_on, special_groups=groups, on_oxygen=SpecialGroup.HOME_OXYGEN in groups)


def is_special(patient: WhoseAlarm) -> bool:
    """Say whether this patient is red, a child or pregnant."""
    return patient.risk_colour == "red" or bool(SPECIAL_GROUPS & set(patient.special_groups))


def reaches_tier3_at_once(consequence: Consequence, patient: WhoseAlarm) -> bool:
    """Say whether tier 3 is told at t0: a high alarm of a special patient (CLINICAL 6.2)."""
    return consequence.priority is Priority.HIGH and is_special(patient)

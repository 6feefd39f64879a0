"""What a changed profile would page otherwise for one patient: missed, newly, more quietly, sooner or later.

Pages of one family are held against each other by their spells: where a page's spell has an instant in common with
that of a page of the other profile, somebody is told by both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from alerting.rehearsal.paged import Page


class Decided(StrEnum):
    """What people made of an alarm in the stored record."""

    REAL = "real"
    FALSE_ALARM = "false_alarm"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision of a person on a recorded episode, Unix ms; `act` as the record names it."""

    at_ms: int
    act: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An episode of the record: from when its condition began until a person closed it (None: it is open)."""

    episode_id: int
    family: str
    since_ms: int
    closed_ms: int | None
    decisions: Sequence[Decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A page, with what the record says of its time; `episode_id` None: there was no episode."""

    page: Page
    decided: Decided
    episode_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two lists of pages held against each other.

    `missed`: of the standing profile, where the new pages nobody. `quieter`: where it pages nobody as urgently.
    `newly`: of the new, where the standing paged nobody. `later_ms`: of each spell that both page for, by how much the
    new is later (negative: sooner).
    """

    missed: Sequence[Judged]
    quieter: Sequence[Judged]
    newly: Sequence[Judged]
    both: Sequence[Page]
    later_ms: Sequence[int]


def difference(
    standing: Sequence[Page], new: Sequence[Page], recorded: Sequence[Recorded], *, from_ms: int = 0
) -> Difference:
    """Hold the pages of one patient under two profiles against each other; those before `from_ms` only cover."""
    met = [(page, [other for other in new if _is_same(page, other)]) for page in standing if page.at_ms >= from_ms]
    judged = {id(page): _judged(page, recorded) for page in [*standing, *new]}
    return Difference(
        missed=[judged[id(page)] for page, others in met if not others],
        quieter=[
            judged[id(page)]
            for page, others in met
            if others and min(other.consequence.rank for other in others) > page.consequence.rank
        ],
        newly=[
            judged[id(page)]
            for page in new
            if page.at_ms >= from_ms and not any(_is_same(page, other) for other in standing)
        ],
        both=[page for page, others in met if others],
        later_ms=[
            min(other.at_ms for other in others if other.is_first) - page.at_ms
            for page, others in met
            if page.is_first and any(other.is_first for other in others)
        ],
    )


def _is_same(page: Page, other: Page) -> bool:
    return page.family == other.family and page.meets(other.since_ms, other.until_ms)


def _judged(page: Page, recorded: Sequence[Recorded]) -> Judged:
    """Take the episode of the family that was open then, and the first decision on it from the page on."""
    found = [each for each in recorded if each.family == page.family and page.meets(each.since_ms, each.closed_ms)]
    if not found:
        return Judged(page=page, decided=Decided.UNDECIDED, episode_id=None)
    decisions = sorted((d.at_ms, e.episode_id, d.act) for e in found for d in e.decisions if d.at_ms >= page.at_ms)
    if not decisions:
        return Judged(page=page, decided=Decided.UNDECIDED, episode_id=found[0].episode_id)
    _, episode_id, act = decisions[0]
    decided = Decided.FALSE_ALARM if act == Decided.FALSE_ALARM else Decided.REAL
    return Judged(page=page, decided=decided, episode_id=episode_id)

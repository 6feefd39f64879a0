"""The times that a rule's condition held, judged over the stored measurements of one patient.

Such measurements are few and often late (a thermometer's memory), so the whole recent history is judged each time one
arrives, in event time. The same history gives the same spells, in whatever order it came.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby


class How(StrEnum):
    """What a measurement was: one by itself, or what came of a spot session."""

    SINGLE = "single"
    STABLE = "stable"
    UNSTABLE = "unstable"
    REMAINDER = "remainder"
    OPEN = "open"
    DERIVED = "derived"  # nobody measured it: made from another signal (alerting/derived)


class Why(StrEnum):
    """What made a condition raise."""

    REPEATED = "repeated"
    NO_REPEAT = "no_repeat"
    AT_ONCE = "at_once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One stored value: event time in Unix ms, the signal's scaled value.

    `trusted`: it was measured well. `exerted`: it was measured after activity.
    """

    t_ms: int
    value: int
    trusted: bool = True
    exerted: bool = False
    how: How = How.SINGLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """One time that a rule's condition held. Exactly one of `raised_ms` and `due_ms` is set.

    `due_ms`: still waiting for a repeat until then; absence raises. `cleared_ms`: over. `worst` and `count` are
    over its breaching values, `begun` and `how` are the first one's and the newest's; `data_gap` says that a whole
    block held no reading at all.
    """

    rule: str
    since_ms: int
    raised_ms: int | None
    due_ms: int | None
    cleared_ms: int | None
    newest_ms: int
    worst: int
    count: int
    why: Why | None = None
    begun: How = How.SINGLE
    how: How = How.SINGLE
    data_gap: bool = False


class Building:
    """A spell while it is being judged."""

    def __init__(self, first: Measurement, *, low: bool) -> None:
        self.beyond = [first]
        self.low = low
        self.raised_ms: int | None = None
        self.why: Why | None = None
        self.well = 0
        self.data_gap = False

    @property
    def since_ms(self) -> int:
        """When it began."""
        return self.beyond[0].t_ms

    @property
    def is_derived(self) -> bool:
        """Say whether nobody has measured any of it."""
        return all(at.how is How.DERIVED for at in self.beyond)

    def raise_at(self, t_ms: int, why: Why | None = None) -> None:
        """Note that it is confirmed."""
        self.raised_ms, self.why = t_ms, why

    def freeze(self, rule: str, *, cleared_ms: int | None = None, due_ms: int | None = None) -> Spell:
        """Give it as a value."""
        values = [at.value for at in self.beyond]
        return Spell(
            rule=rule,
            since_ms=self.since_ms,
            raised_ms=self.raised_ms,
            due_ms=due_ms,
            cleared_ms=cleared_ms,
            newest_ms=self.beyond[-1].t_ms,
            worst=min(values) if self.low else max(values),
            count=len(values),
            why=self.why,
            begun=self.beyond[0].how,
            how=self.beyond[-1].how,
            data_gap=self.data_gap,
        )


def in_order(history: Iterable[Measurement], *, low: bool) -> list[Measurement]:
    """Sort by time; of several at one instant one counts: a trusted one, and of those the worst."""

    def worst_first(at: Measurement) -> tuple[bool, int, bool, str]:
        return (not at.trusted, at.value if low else -at.value, not at.exerted, at.how)

    ordered = sorted(history, key=lambda at: at.t_ms)
    return [min(same, key=worst_first) for _, same in groupby(ordered, key=lambda at: at.t_ms)]

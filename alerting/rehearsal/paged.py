"""Which raises page somebody: chosen by the service's own decision, one open episode a family.

Nobody closes an episode here. A raise opens the family's first episode, or alarms anew where it is worse or the
family's condition was over; any other raise only counts on what is open.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from alerting.episodes import State
from alerting.profile.profile import Consequence
from alerting.raising import Effect, effect_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Raising:
    """A raise as paging looks at it, Unix ms; `cleared_ms` None: it held as far as is known."""

    rule: str
    consequence: Consequence
    since_ms: int
    at_ms: int
    cleared_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A raise that pages. Its spell is the time its family's condition was present: until `until_ms` (None: it is).

    `is_first`: nobody had been paged in this spell before.
    """

    rule: str
    consequence: Consequence
    since_ms: int
    at_ms: int
    until_ms: int | None
    is_first: bool

    @property
    def family(self) -> str:
        """The family of episodes it belongs to."""
        return self.consequence.family

    def meets(self, since_ms: int, until_ms: int | None) -> bool:
        """Say whether its spell has an instant in common with a time."""
        return self.since_ms <= _end(until_ms) and since_ms <= max(_end(self.until_ms), self.at_ms)


def pages_of(raisings: Iterable[Raising], *, state: State = State.ACK) -> list[Page]:
    """Choose the raises that page, in order of time.

    `state` is where every episode stands: answered, or (UNACK) still ringing, so that a lesser raise after it was over
    only counts. Of two raises of one instant the more urgent comes first.
    """
    open_ones: dict[str, _Open] = {}
    over: list[Page] = []
    for each in sorted(raisings, key=lambda raising: (raising.at_ms, raising.consequence.rank)):
        family = each.consequence.family
        found = open_ones.get(family)
        if found is not None:
            found.condition = "cleared" if found.over_ms <= each.at_ms else "present"
        effect = effect_of(found, each.consequence, past=False)
        if found is None or (effect is not Effect.COUNT and found.condition == "cleared"):
            over += found.pages() if found else []
            open_ones[family] = _Open(each, state)
        elif effect is Effect.COUNT:
            found.over_ms = max(found.over_ms, _end(each.cleared_ms))
        else:
            found.take(each)
    pages = [*over, *(page for found in open_ones.values() for page in found.pages())]
    return sorted(pages, key=lambda page: (page.at_ms, page.consequence.rank))


class _Open:
    """A family's episode in one spell of its condition: what a new raise is held against."""

    def __init__(self, first: Raising, state: State) -> None:
        self.raised: list[Raising] = []
        self.over_ms = -math.inf
        self.tier3 = False
        self.condition = "present"
        self.state: str = state
        self.take(first)

    def take(self, raised: Raising) -> None:
        self.raised.append(raised)
        self.priority: str = raised.consequence.priority
        self.emergency = raised.consequence.emergency
        self.tier3 = self.tier3 or raised.consequence.tier3
        self.over_ms = max(self.over_ms, _end(raised.cleared_ms))

    def pages(self) -> list[Page]:
        until_ms = None if math.isinf(self.over_ms) else int(self.over_ms)
        return [
            Page(
                rule=each.rule,
                consequence=each.consequence,
                since_ms=each.since_ms,
                at_ms=each.at_ms,
                until_ms=until_ms,
                is_first=number == 0,
            )
            for number, each in enumerate(self.raised)
        ]


def _end(at_ms: int | None) -> float:
    return math.inf if at_ms is None else at_ms

"""What the outbox gives up when it is full, in this order (docs/outbox.md says why).

A row is *ordinary* unless it is evidence of an episode (`evidence.py`). The newest ten minutes are spared until nothing
else is left: what came in them may yet turn out to be evidence. The batch just accepted is never thinned.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal

NEWEST_S = 600.0
"""How long a row counts as new, by the machine's clock."""

RANGES_MAX = 1_000
"""Ranges of thinned rows kept; at the bound the two with the fewest rows between them become one."""


class Kind(StrEnum):
    """What a thinned row was."""

    EXTRAS = "extras"
    PULSE = "pulse"
    EVERY_SECOND = "every_second"
    CONTINUOUS = "continuous"
    SINGLE = "single"
    EVIDENCE = "evidence"
    NEWEST = "newest"
    UNREADABLE = "unreadable"
    """Of a signal, quality or reason that this version does not know; found when it is to be sent, not at the bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the order: which rows it takes, oldest first."""

    kind: Kind
    signals: frozenset[Signal] = frozenset(Signal)
    acquisitions: frozenset[Acquisition] = frozenset(Acquisition)
    only_spare: bool = False
    spares_evidence: bool = True
    spares_newest: bool = True


_EXTRAS = frozenset({Signal.BATTERY, Signal.STEPS, Signal.PERFUSION_INDEX, Signal.RR_INTERVAL})
_STREAM = frozenset({Acquisition.CONTINUOUS})

STAGES = (
    Stage(kind=Kind.EXTRAS, signals=_EXTRAS),
    Stage(kind=Kind.PULSE, signals=frozenset({Signal.PULSE}), acquisitions=_STREAM),
    Stage(kind=Kind.EVERY_SECOND, acquisitions=_STREAM, only_spare=True),
    Stage(kind=Kind.CONTINUOUS, acquisitions=_STREAM),
    Stage(kind=Kind.SINGLE),
    Stage(kind=Kind.EVIDENCE, spares_evidence=False),
    Stage(kind=Kind.NEWEST, spares_evidence=False, spares_newest=False),
)


def codes(signals: Iterable[Signal]) -> list[int]:
    """Give the signals' codes in ascending order."""
    return sorted(SIGNALS[signal].code for signal in signals)


@dataclass(frozen=True, slots=True, order=True)
class Thinned:
    """Of the row numbers from `first` up to but not including `end`, so many rows were thinned."""

    first: int
    end: int
    rows: int


def with_thinned(known: Iterable[Thinned], more: Thinned, *, ranges_max: int = RANGES_MAX) -> list[Thinned]:
    """Enter a range, joining what overlaps or touches; at the bound the nearest two are joined too."""
    result: list[Thinned] = []
    for current in sorted([*known, more]):
        if result and current.first <= result[-1].end:
            result[-1] = _joined(result[-1], current)
        else:
            result.append(current)
    while len(result) > ranges_max:
        at = min(range(1, len(result)), key=lambda index: result[index].first - result[index - 1].end)
        result[at - 1 : at + 1] = [_joined(result[at - 1], result[at])]
    return result


def _joined(left: Thinned, right: Thinned) -> Thinned:
    return Thinned(min(left.first, right.first), max(left.end, right.end), left.rows + right.rows)

"""A rehearsal as pictures: bars of pages a patient's day by rule, and each patient's pages on a line of time (core).

Numbers only; the page gives words and colours. What a colour says, a shape says too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WIDTH = 360
"""Of every picture, in its own units: a phone's."""

INSET = 10
BAR, BETWEEN, LINE = 11, 3, 26
"""Heights: of a bar, between the two of a rule, of a patient's line of time."""

MARKS = ("both", "missed", "newly")
_PAINTED = ("both", "newly", "missed")
"""In this order: what is missed lies on top."""

_SHAPES = {
    "both": "M{x} {y}m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "missed": "M{left} {top}H{right}L{x} {bottom}z",
    "newly": "M{x} {top}L{right} {bottom}H{left}z",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rule's two bars: lengths in the picture's units, and what is written behind them."""

    rule: str
    standing: float
    new: float
    standing_rate: float
    new_rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One page on a line of time: which shape, where, and of what it is."""

    mark: str
    path: str
    rule: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One patient: his marks, and how many of each kind there are."""

    patient: str
    marks: Sequence[Mark]
    counts: Mapping[str, int]


def bars_of(document: Mapping[str, Any]) -> list[Bar]:
    """Draw the pages a patient's day, the rule with most of them first; the longest bar leaves room for its number."""
    rates = [
        (line["rule"], *(line[side]["per_patient_day"] for side in ("standing", "new"))) for line in document["by_rule"]
    ]
    most = max((rate for _, *sides in rates for rate in sides), default=0.0) or 1.0
    room = WIDTH - 60
    return [
        Bar(rule=rule, standing=room * old / most, new=room * new / most, standing_rate=old, new_rate=new)
        for rule, old, new in sorted(rates, key=lambda each: (-max(each[1:]), each[0]))
    ]


def timelines_of(document: Mapping[str, Any]) -> list[Timeline]:
    """Draw each patient's pages, those first of whom most is missed, then of whom most is new."""
    begin, end = (datetime.fromisoformat(document[key]) for key in ("from", "until"))
    found = [
        Timeline(
            patient=one["patient"],
            marks=[_mark(each, begin, end) for each in sorted(one["marks"], key=lambda m: _PAINTED.index(m["mark"]))],
            counts={mark: sum(each["mark"] == mark for each in one["marks"]) for mark in MARKS},
        )
        for one in document["per_patient"]
        if one["marks"]
    ]
    return sorted(found, key=lambda line: (-line.counts["missed"], -line.counts["newly"], line.patient))


def shape(mark: str, x: float, y: float) -> str:
    """Draw a mark about a point as an SVG path."""
    places = {"x": x, "y": y, "left": x - 5, "right": x + 5, "top": y - 4.5, "bottom": y + 4.5}
    return _SHAPES[mark].format(**{name: f"{place:.1f}" for name, place in places.items()})


def days_of(document: Mapping[str, Any]) -> list[float]:
    """Give where on a line of time each whole day from its beginning ends."""
    begin, end = (datetime.fromisoformat(document[key]) for key in ("from", "until"))
    count = (end - begin).days
    return [INSET + (WIDTH - 2 * INSET) * day / count for day in range(1, count)] if count else []


def _mark(each: Mapping[str, Any], begin: datetime, end: datetime) -> Mark:
    at = datetime.fromisoformat(each["at"])
    x = INSET + (WIDTH - 2 * INSET) * ((at - begin) / (end - begin))
    return Mark(mark=each["mark"], path=shape(each["mark"], x, LINE / 2), rule=each["rule"], at=at)

"""The National Early Warning Score 2, as charted by the Royal College of Physicians in 2017 (CLINICAL 2.2).

The chart is the College's and stands here unmodified; from which score on somebody is told is the profile's. An item
that is not known is missing, never 0: without all seven there is no total. It is for people over 16 and not for
pregnancy: whom it is not for has no such rules (the profile's variants).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from vitals.signals import SIGNALS, Signal


class Item(StrEnum):
    """What the score is made of."""

    RESPIRATORY_RATE = "respiratory_rate"
    SPO2 = "spo2"
    OXYGEN = "oxygen"
    SYSTOLIC = "systolic"
    PULSE = "pulse"
    CONSCIOUSNESS = "consciousness"
    TEMPERATURE = "temperature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of an item: a signal's scaled value; oxygen 1 or on air 0; alert 0 or CVPU 1.

    `settled`: it is no single measurement that a repeat might correct (a stream's median). `elsewhere`: it is beyond
    a limit of its own signal, so another rule raises by it.
    """

    value: int
    at_ms: int
    settled: bool = False
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A score, of a complete set or of part of one. `total` None: something is missing.

    `taken` says when each part was measured (Unix ms), `settled` which parts are no single measurements, `elsewhere`
    which are another rule's matter.
    """

    total: int | None
    parts: Mapping[Item, int]
    missing: tuple[Item, ...]
    taken: Mapping[Item, int]
    settled: frozenset[Item] = frozenset()
    elsewhere: frozenset[Item] = frozenset()

    @property
    def highest(self) -> int:
        """The highest score of a single item."""
        return max(self.parts.values(), default=0)

    @property
    def of_seven(self) -> int:
        """How many of the seven items are known."""
        return len(self.parts)


SIGNAL_OF = {
    Item.RESPIRATORY_RATE: Signal.RESPIRATORY_RATE,
    Item.SPO2: Signal.SPO2,
    Item.SYSTOLIC: Signal.SYSTOLIC,
    Item.PULSE: Signal.PULSE,
    Item.TEMPERATURE: Signal.TEMPERATURE,
}
"""The items that are measured; oxygen and consciousness are no signals."""

Bands = tuple[tuple[float, int], ...]
"""(Highest value of the band, its score), upwards; the last band has no end."""

_BEYOND = float("inf")
CHART: Mapping[Item, Bands] = {
    Item.RESPIRATORY_RATE: ((8, 3), (11, 1), (20, 0), (24, 2), (_BEYOND, 3)),
    Item.SPO2: ((91, 3), (93, 2), (95, 1), (_BEYOND, 0)),
    Item.OXYGEN: ((0, 0), (_BEYOND, 2)),
    Item.SYSTOLIC: ((90, 3), (100, 2), (110, 1), (219, 0), (_BEYOND, 3)),
    Item.PULSE: ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (_BEYOND, 3)),
    Item.CONSCIOUSNESS: ((0, 0), (_BEYOND, 3)),
    Item.TEMPERATURE: ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (_BEYOND, 2)),
}
SCALE_2_ON_AIR: Bands = ((83, 3), (85, 2), (87, 1), (_BEYOND, 0))
SCALE_2_ON_OXYGEN: Bands = ((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (_BEYOND, 3))
"""SpO2 where a clinician has set a target of 88-92 % (scale 2)."""

STEPS_OF_A_UNIT = {Item.TEMPERATURE: 10}
"""The chart's bands are of whole numbers, but for temperature's tenths of a degree."""


def score(known: Mapping[Item, Known], *, at_ms: int, within_ms: int, spo2_scale: int = 1) -> Score:
    """Score what is known at an instant; what is older than `within_ms`, or later, is missing."""
    counted = {item: each for item, each in known.items() if 0 <= at_ms - each.at_ms <= within_ms}
    fresh = {item: each.value for item, each in counted.items()}
    scored = {item: _part(item, value, fresh, spo2_scale) for item, value in fresh.items()}
    parts = {item: part for item in Item if (part := scored.get(item)) is not None}
    missing = tuple(item for item in Item if item not in parts)
    return Score(
        total=None if missing else sum(parts.values()),
        parts=parts,
        missing=missing,
        taken={item: counted[item].at_ms for item in parts},
        settled=frozenset(item for item in parts if counted[item].settled),
        elsewhere=frozenset(item for item in parts if counted[item].elsewhere),
    )


def bands_of(item: Item, *, spo2_scale: int, on_oxygen: bool | None) -> tuple[Bands, ...]:
    """Give the bands of an item: both of scale 2's, where nobody knows whether there is oxygen."""
    if item is not Item.SPO2 or spo2_scale == 1:
        return (CHART[item],)
    either = {True: (SCALE_2_ON_OXYGEN,), False: (SCALE_2_ON_AIR,), None: (SCALE_2_ON_AIR, SCALE_2_ON_OXYGEN)}
    return either[on_oxygen]


def _part(item: Item, value: int, fresh: Mapping[Item, int], spo2_scale: int) -> int | None:
    """Score one item; None where it can not be said."""
    oxygen = fresh.get(Item.OXYGEN)
    bands = bands_of(item, spo2_scale=spo2_scale, on_oxygen=None if oxygen is None else oxygen > 0)
    said = {max(_points(one, at) for at in _charted(item, value)) for one in bands}
    return said.pop() if len(said) == 1 else None


def _charted(item: Item, value: int) -> Iterable[float]:
    """Give the values of the chart that a scaled value lies between: SpO2 is floored, of others the worse counts."""
    signal = SIGNAL_OF.get(item)
    if signal is None:
        return (value,)
    steps = STEPS_OF_A_UNIT.get(item, 1)
    width = SIGNALS[signal].scale // steps
    below = value // width
    above = below if SIGNALS[signal].floor else -(-value // width)
    return (below / steps, above / steps)


def _points(bands: Bands, value: float) -> int:
    return next(points for highest, points in bands if value <= highest)

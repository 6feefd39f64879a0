"""The truth of a simulated night, by its noise-free blood: falls that must be found, and whether an alert was right.

A true fall is a stretch in which the noise-free saturation lies below 93 for at least 600 s. An alert is true when what
decided it, from `since` to `at`, has a second in common with one, seen or not. It is right by rule when the rule was
right all the same by its own limit: of the seconds of its window at `at`, as the engine cuts it, at least the rule's
share lay beyond the limit in the blood, measured or not, or in the blood as an oximeter without any error would show
it: in whole per cent, as limits are stated. (A real fall that is soon over; somebody who sleeps at 94.) Every other one
is false. What a fall that lost its signal is
raised by is held against the window at the moment of raising, like any other.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from alerting.engine.layout import Ints
from hearthwatch.bench.cohort.judging import Raised, counted
from hearthwatch.bench.cohort.physiology import ARTEFACTS, Cause, Floats, Night
from vitals.quality import Quality
from vitals.reading import NO_VALUE
from vitals.sustained import SustainedRule

LOW_PERCENT, FALL_S = 93.0, 600
"""The definition of a true fall (CLINICAL 2.1 and 3.4); a yardstick of the bench, no rule."""

CRITICAL_PERCENT = 88.0
"""At and below this a fall is critical (CLINICAL 3.1)."""


class Truth(StrEnum):
    """What an alert was."""

    TRUE = "true"
    RIGHT_BY_RULE = "right_by_rule"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """One stretch below the yardstick, in seconds of the night."""

    row: int
    begin_s: int
    end_s: int
    lowest: float
    seen_share: float
    critical_from_s: int | None
    """Its first second at or below 88; None where it does not come so low."""
    critical_s: int
    """How many of its seconds are so low."""

    @property
    def is_seen(self) -> bool:
        """Say whether at least half of it was measured well."""
        return self.seen_share >= 0.5

    def meets(self, begin_s: float, end_s: float) -> bool:
        """Say whether it has a second in common with a time."""
        return begin_s < self.end_s and end_s >= self.begin_s


def falls_of(night: Night, row: int) -> list[Fall]:
    """Find the true falls of one patient's night, seen or not."""
    blood = night.blood[row]
    good = (night.quality[row] == Quality.GOOD) & (night.values[row] != NO_VALUE)
    seen = good & ~np.isin(night.cause[row], [int(cause) for cause in ARTEFACTS])
    return [
        _fall(row, begin, blood[begin:end], float(seen[begin:end].mean()))
        for begin, end in _stretches(blood < LOW_PERCENT)
        if end - begin >= FALL_S
    ]


def truth_of(raised: Raised, night: Night, falls: list[Fall]) -> Truth:
    """Say what an alert was, by its patient's true falls and his blood."""
    if any(fall.meets(raised.since_s, raised.at_s) for fall in falls):
        return Truth.TRUE
    blood = night.blood[raised.row]
    shown = (blood, np.round(blood))
    return Truth.RIGHT_BY_RULE if any(was_right(raised.by, each, raised.at_s) for each in shown) else Truth.FALSE


def was_right(rule: SustainedRule, blood: Floats, at_s: float) -> bool:
    """Say whether the blood lay beyond the rule's limit for its share of its window, up to and with this second."""
    bucket_s, window_s = rule.grain.bucket_ms // 1000, rule.window_ms // 1000
    end = int(at_s) + 1
    begin = max(int(at_s) // bucket_s * bucket_s - window_s, 0)
    scaled = np.rint(blood[begin:end] * 100)
    beyond = scaled < rule.limit.breach if rule.low else scaled > rule.limit.breach
    return bool(np.count_nonzero(beyond) * 100 >= rule.share_percent * len(beyond))


def cause_of(raised: Raised, night: Night, quality: Ints) -> str:
    """Name what made a raise that is of no true fall: the commonest cause of the seconds that read low meanwhile.

    Of what its rule looked at, with the quality as it was believed. "By rounding": in whole per cent, as the device
    shows it, the blood itself was beyond the limit for long enough.
    """
    where = slice(max(int(raised.since_s), 0), int(raised.at_s) + 1)
    said, cause = night.values[raised.row, where], night.cause[raised.row, where]
    looked_at = counted(raised.trust, said, quality[raised.row, where])
    low = cause[looked_at & (said <= np.median(said[looked_at]))] if looked_at.any() else cause[:0]
    name = Cause(int(np.bincount(low).argmax())).name.lower() if len(low) else "nothing"
    blood = night.blood[raised.row]
    by_rounding = was_right(raised.by, np.round(blood), raised.at_s) and not was_right(raised.by, blood, raised.at_s)
    return name + ", signal lost" * raised.is_lost + ", by rounding" * by_rounding


def _fall(row: int, begin: int, blood: Floats, seen_share: float) -> Fall:
    critical = np.flatnonzero(blood <= CRITICAL_PERCENT)
    return Fall(
        row=row,
        begin_s=begin,
        end_s=begin + len(blood),
        lowest=float(blood.min()),
        seen_share=seen_share,
        critical_from_s=begin + int(critical[0]) if len(critical) else None,
        critical_s=len(critical),
    )


def _stretches(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

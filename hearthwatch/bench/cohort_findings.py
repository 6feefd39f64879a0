"""What a cohort's nights say of the rules: true falls found or missed and how soon, alarms that were of no fall.

A true fall is a stretch in which the noise-free saturation lies below 93 for at least 600 s and at least half of whose
seconds were measured well. It is found when a high alarm raised by its end covers part of it (from the alarm's `since`
until it cleared), or within `LOST_S` after it, as silence raises a fall that lost its signal.

An alert is a raise that would page somebody: one that opens an episode of its family, or alarms anew (as everybody's
who answers in time; nobody closes one at night). It is false when what decided it, from `since` to `at`, has no second
in common with a true fall, seen or not: also where the rule is right by its own limit. Its cause is the commonest
cause of the seconds that read low then.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alerting.episodes import State
from alerting.profile.profile import Priority
from alerting.raising import Effect, effect_of
from hearthwatch.bench.cohort_judging import Judged, Raised
from hearthwatch.bench.cohort_physiology import ARTEFACTS, Cause, Night
from vitals.quality import Quality
from vitals.reading import NO_VALUE

LOW_PERCENT, FALL_S = 93.0, 600
"""The definition of a true fall (CLINICAL 2.1 and 3.4); a yardstick of the bench, no rule."""

LOST_S = 240
"""How long after its end a fall that lost its signal may still be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """One stretch below the yardstick, in seconds of the night."""

    row: int
    begin_s: int
    end_s: int
    lowest: float
    seen_share: float

    @property
    def is_seen(self) -> bool:
        """Say whether at least half of it was measured well."""
        return self.seen_share >= 0.5

    def meets(self, begin_s: float, end_s: float) -> bool:
        """Say whether it has a second in common with a time."""
        return begin_s < self.end_s and end_s >= self.begin_s


@dataclass(slots=True)
class Findings:
    """Summed up over nights."""

    nights: int = 0
    falls: int = 0
    unseen: int = 0
    missed: list[Fall] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    """Of the falls that an alarm was raised in: from the fall's first second to the first such alarm."""
    standing: int = 0
    """Falls found only because an alarm, of whatever, still held when they began: its episode is open."""
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By priority and rule."""
    false: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By priority, rule and cause."""
    silences: Counter[str] = field(default_factory=Counter)
    played_again: int = 0

    def take(self, night: Night, judged: Judged) -> None:
        """Add a night."""
        falls = [fall for row in range(len(night.blood)) for fall in falls_of(night, row)]
        by_row: dict[int, list[Fall]] = {}
        for fall in falls:
            by_row.setdefault(fall.row, []).append(fall)
        raises: dict[int, list[Raised]] = {}
        for each in sorted(judged.raises, key=lambda raised: raised.at_s):
            raises.setdefault(each.row, []).append(each)
        for row, of_row in raises.items():
            for each in alerts_of(of_row):
                priority = each.consequence.priority.value
                self.alerts[priority, each.rule] += 1
                if not any(fall.meets(each.since_s, each.at_s) for fall in by_row.get(row, ())):
                    self.false[priority, each.rule, cause_of(night, each)] += 1
        self.nights += len(night.blood)
        self.silences.update(judged.silences)
        self.played_again += judged.played_again
        for fall in falls:
            self._hold(fall, raises.get(fall.row, ()))

    def a_night(self, *priorities: Priority) -> float:
        """Give the false alerts of some priorities a patient's night."""
        counted = sum(count for (priority, _, _), count in self.false.items() if priority in priorities)
        return counted / max(self.nights, 1)

    def _hold(self, fall: Fall, raises: Sequence[Raised]) -> None:
        if not fall.is_seen:
            self.unseen += 1
            return
        self.falls += 1
        found = [
            each.at_s - fall.begin_s
            for each in raises
            if each.consequence.priority is Priority.HIGH
            and each.at_s <= fall.end_s + LOST_S
            and fall.meets(each.since_s, fall.end_s if each.cleared_s is None else each.cleared_s)
        ]
        raised = [delay_s for delay_s in found if delay_s >= 0]
        if raised:
            self.delays_s.append(min(raised))
        elif found:
            self.standing += 1
        else:
            self.missed.append(fall)


def falls_of(night: Night, row: int) -> list[Fall]:
    """Find the true falls of one patient's night, seen or not."""
    blood = night.blood[row]
    good = (night.quality[row] == Quality.GOOD) & (night.values[row] != NO_VALUE)
    seen = good & ~np.isin(night.cause[row], [int(cause) for cause in ARTEFACTS])
    return [
        Fall(
            row=row,
            begin_s=begin,
            end_s=end,
            lowest=float(blood[begin:end].min()),
            seen_share=float(seen[begin:end].mean()),
        )
        for begin, end in _stretches(blood < LOW_PERCENT)
        if end - begin >= FALL_S
    ]


@dataclass(slots=True)
class _Episode:
    """An open episode of a family, answered: what a new raise is held against."""

    priority: str
    emergency: bool
    over_s: float = 0.0
    condition: str = "present"
    state: str = State.ACK


def alerts_of(raises: Sequence[Raised]) -> list[Raised]:
    """Choose a patient's raises, in order of time, that would page somebody, by the service's own decision."""
    paging = []
    open_ones: dict[str, _Episode] = {}
    for each in raises:
        family = each.consequence.family
        episode = open_ones.get(family)
        if episode is not None:
            episode.condition = "cleared" if episode.over_s < each.at_s else "present"
        effect = effect_of(episode, each.consequence, past=False)
        over_s = math.inf if each.cleared_s is None else each.cleared_s
        if effect is not Effect.COUNT:
            paging.append(each)
            before_s = 0.0 if episode is None or episode.condition == "cleared" else episode.over_s
            open_ones[family] = _Episode(
                priority=each.consequence.priority, emergency=each.consequence.emergency, over_s=max(over_s, before_s)
            )
        elif episode is not None:
            episode.over_s = max(episode.over_s, over_s)
    return paging


def cause_of(night: Night, raised: Raised) -> str:
    """Name what made a false raise: the commonest cause of the seconds that read low while it was decided."""
    where = slice(max(int(raised.since_s), 0), int(raised.at_s) + 1)
    said, cause = night.values[raised.row, where], night.cause[raised.row, where]
    median = np.median(said[said != NO_VALUE]) if (said != NO_VALUE).any() else 0
    low = cause[(said != NO_VALUE) & (said <= median)]
    return Cause(int(np.bincount(low).argmax())).name.lower() if len(low) else "nothing"


def _stretches(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

"""What a cohort's nights say of the rules: true falls found or missed and how soon, alerts that were of no fall.

A fall (truth.py) of which at least half was measured well is found when a high alarm raised by its end covers
part of it (from the alarm's `since` until it cleared), or within `LOST_S` after it, as silence raises a fall that lost
its signal. An alert is a raise that would page somebody: one that opens an episode of its family, or alarms anew (as
everybody's who answers in time; nobody closes one at night).
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from alerting.episodes import State
from alerting.profile.profile import Priority
from alerting.raising import Effect, effect_of
from hearthwatch.bench.cohort.judging import Judged, Raised
from hearthwatch.bench.cohort.physiology import Night
from hearthwatch.bench.cohort.truth import Fall, Truth, cause_of, falls_of, truth_of

LOST_S = 240
"""How long after its end a fall that lost its signal may still be said."""

CRITICAL_RULE = "SPO2-CRIT"


@dataclass(slots=True)
class Critical:
    """Of seen falls that came to 88 and below: what the critical rule itself said of them."""

    falls: int = 0
    delays_s: list[float] = field(default_factory=list)
    """From the first second at or below 88 to the rule's first raise after it, within the fall."""
    standing: int = 0
    """Where the rule held already, of whatever."""
    untold_s: list[int] = field(default_factory=list)
    """Of those it did not speak of: how many seconds they were so low."""
    first_high_s: list[float] = field(default_factory=list)
    """From the same second to the first high alarm of any rule in the fall: below 0 where it was there before."""


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
    critical: Critical = field(default_factory=Critical)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By priority and rule."""
    untrue: Counter[tuple[Truth, str, str, str]] = field(default_factory=Counter)
    """Alerts of no true fall: by what they were, priority, rule and cause."""
    silences: Counter[str] = field(default_factory=Counter)
    played_again: int = 0

    def take(self, night: Night, judged: Judged) -> None:
        """Add a night."""
        by_row = [falls_of(night, row) for row in range(len(night.blood))]
        raises: dict[int, list[Raised]] = {}
        for each in sorted(judged.raises, key=lambda raised: raised.at_s):
            raises.setdefault(each.row, []).append(each)
        for row, of_row in raises.items():
            for each in alerts_of(of_row):
                priority = each.consequence.priority.value
                self.alerts[priority, each.rule] += 1
                truth = truth_of(each, night, by_row[row])
                if truth is not Truth.TRUE:
                    self.untrue[truth, priority, each.rule, cause_of(each, night, judged.quality)] += 1
        self.nights += len(night.blood)
        self.silences.update(judged.silences)
        self.played_again += judged.played_again
        for falls in by_row:
            for fall in falls:
                self._hold(fall, raises.get(fall.row, ()))

    def a_night(self, truths: Sequence[Truth], priorities: Sequence[Priority]) -> float:
        """Give the alerts of no true fall a patient's night, of some kinds and priorities."""
        counted = sum(
            n for (truth, priority, *_), n in self.untrue.items() if truth in truths and priority in priorities
        )
        return counted / max(self.nights, 1)

    def _hold(self, fall: Fall, raises: Sequence[Raised]) -> None:
        if not fall.is_seen:
            self.unseen += 1
            return
        self.falls += 1
        found = [each for each in raises if each.consequence.priority is Priority.HIGH and _covers(each, fall)]
        raised = [each.at_s - fall.begin_s for each in found if each.at_s >= fall.begin_s]
        if raised:
            self.delays_s.append(min(raised))
        elif found:
            self.standing += 1
        else:
            self.missed.append(fall)
        if fall.critical_from_s is not None:
            self._hold_critical(fall, fall.critical_from_s, found)

    def _hold_critical(self, fall: Fall, from_s: int, found: Sequence[Raised]) -> None:
        told = self.critical
        told.falls += 1
        told.first_high_s += [min(each.at_s for each in found) - from_s] if found else []
        own = [each for each in found if each.rule == CRITICAL_RULE]
        after = [each.at_s - from_s for each in own if each.at_s >= from_s]
        if any(each.at_s < from_s and (each.cleared_s is None or each.cleared_s >= from_s) for each in own):
            told.standing += 1
        elif after:
            told.delays_s.append(min(after))
        else:
            told.untold_s.append(fall.critical_s)


def _covers(raised: Raised, fall: Fall) -> bool:
    return raised.at_s <= fall.end_s + LOST_S and fall.meets(
        raised.since_s, fall.end_s if raised.cleared_s is None else raised.cleared_s
    )


@dataclass(slots=True)
class _Episode:
    """An open episode of a family, answered: what a new raise is held against."""

    priority: str
    emergency: bool
    tier3: bool
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
            tier3 = each.consequence.tier3 or (episode is not None and episode.tier3)
            before_s = 0.0 if episode is None or episode.condition == "cleared" else episode.over_s
            open_ones[family] = _Episode(
                priority=each.consequence.priority,
                emergency=each.consequence.emergency,
                tier3=tier3,
                over_s=max(over_s, before_s),
            )
        elif episode is not None:
            episode.over_s = max(episode.over_s, over_s)
    return paging

"""The times that a NEWS2 rule's condition held, over the scores of one patient in order of time.

A complete set from `total_from` on raises; so does a single item from `single_from` on, also of a partial set. It is
over when what raised it has been measured again and is below: a single item by that item, a total by another total.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

from alerting.profile.singles import News2Rule
from alerting.spot.news2 import Item, Score
from alerting.spot.spells import Spell, Why
from vitals.sustained import BUCKET_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSpell:
    """A spell of a score, with the worst score in it and whether that was a total."""

    spell: Spell
    worst: Score


def score_spells(scores: Mapping[int, Score], rule: News2Rule) -> list[ScoreSpell]:
    """Judge the scores by their instants (Unix ms)."""
    spells: list[ScoreSpell] = []
    building: _Building | None = None
    for t_ms, each in sorted(scores.items()):
        if _meets(each, rule):
            building = building or _Building(t_ms)
            building.add(t_ms, each, rule)
        elif building:
            building.lift(each, rule)
            if building.is_over:
                spells.append(building.freeze(rule.rule, cleared_ms=t_ms))
                building = None
    return [*spells, *([building.freeze(rule.rule)] if building else [])]


def stream_value(samples: Sequence[tuple[int, int]], *, until_ms: int, rule: News2Rule) -> int | None:
    """Give the median of a stream's good (Unix ms, value), where enough of the time has any."""
    window = [(t_ms, value) for t_ms, value in samples if 0 <= until_ms - t_ms < rule.stream_ms]
    filled = {(until_ms - t_ms) // BUCKET_MS for t_ms, _ in window}
    if not window or len(filled) * BUCKET_MS * 100 < rule.coverage_percent * rule.stream_ms:
        return None
    return median_low([value for _, value in window])


class _Building:
    def __init__(self, since_ms: int) -> None:
        self.since_ms = self.newest_ms = since_ms
        self.count = 0
        self.by_total = False
        self.items: set[Item] = set()
        self.worst: Score | None = None

    def add(self, t_ms: int, each: Score, rule: News2Rule) -> None:
        self.newest_ms, self.count = t_ms, self.count + 1
        self.lift(each, rule)
        self.by_total |= each.total is not None and each.total >= rule.total_from
        self.items |= _single(each, rule)
        self.worst = max(filter(None, (self.worst, each)), key=_urgency)

    def lift(self, each: Score, rule: News2Rule) -> None:
        """Take away what was measured again and is below."""
        self.items -= each.parts.keys() - _single(each, rule)
        self.by_total = self.by_total and each.total is None

    @property
    def is_over(self) -> bool:
        return not self.items and not self.by_total

    def freeze(self, rule: str, *, cleared_ms: int | None = None) -> ScoreSpell:
        assert self.worst is not None, "a spell begins with a score"
        spell = Spell(
            rule=rule,
            since_ms=self.since_ms,
            raised_ms=self.since_ms,
            due_ms=None,
            cleared_ms=cleared_ms,
            newest_ms=self.newest_ms,
            worst=_urgency(self.worst)[1],
            count=self.count,
            why=Why.AT_ONCE,
        )
        return ScoreSpell(spell=spell, worst=self.worst)


def _meets(each: Score, rule: News2Rule) -> bool:
    return (each.total is not None and each.total >= rule.total_from) or bool(_single(each, rule))


def _single(each: Score, rule: News2Rule) -> set[Item]:
    if rule.single_from is None:
        return set()
    return {item for item, points in each.parts.items() if points >= rule.single_from}


def _urgency(each: Score) -> tuple[bool, int]:
    """A total before a part; then the higher."""
    return (each.total is not None, each.highest if each.total is None else each.total)

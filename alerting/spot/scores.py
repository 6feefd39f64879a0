"""The times that a NEWS2 rule's condition held, over the scores of one patient in order of time.

A complete set from `total_from` on raises at once, and so does a single item from `single_from` on of a complete set or
of a stream. Of a partial set such an item waits as a first value beyond any limit does: measured again within
`complete_within_ms` it confirms or ends it, and absence raises. Of a partial set an item that is beyond a limit of its
own signal does not count: that rule raises by it, and nobody is paged twice for one measurement. A condition is over
when what raised it has been measured again and is below: a single item by that item, a total by another total.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from alerting.profile.profile import Confirm, RepeatRule, Trust
from alerting.profile.singles import News2Rule
from alerting.spot.news2 import SIGNAL_OF, Item, Known, Score
from alerting.spot.spells import Spell, Why
from vitals.sustained import BUCKET_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSpell:
    """A spell of a score, with the worst score in it, and which items are beyond by themselves at its end."""

    spell: Spell
    worst: Score
    beyond: frozenset[Item] = frozenset()


def score_spells(scores: Mapping[int, Score], rule: News2Rule) -> list[ScoreSpell]:
    """Judge the scores by their instants (Unix ms)."""
    spells: list[ScoreSpell] = []
    building: _Building | None = None
    for t_ms, each in sorted(scores.items()):
        building = building or (_Building(rule) if _meets(each, rule) else None)
        if building is None:
            continue
        building.take(t_ms, each)
        if building.is_over:
            if building.raised_ms is not None:
                spells.append(building.freeze(cleared_ms=t_ms))
            building = None
    return [*spells, *([building.freeze()] if building else [])]


def settled_at(scores: Mapping[int, Score], rule: News2Rule, before_ms: int | None, *, from_ms: int) -> int | None:
    """Give the newest instant (from one on, before another), if nothing known since then scores enough by itself.

    For a recorded condition that no spell is any more: each item counts as it was measured last.
    """
    newest: dict[Item, bool] = {}
    by_total, at_ms = False, None
    for t_ms, each in sorted(scores.items()):
        if t_ms < from_ms or (before_ms is not None and t_ms >= before_ms):
            continue
        single = _single(each, rule)
        newest |= {item: item in single for item in each.parts}
        by_total = each.total >= rule.total_from if each.total is not None else by_total
        at_ms = t_ms
    return None if by_total or any(newest.values()) else at_ms


def stream_value(samples: Sequence[tuple[int, int]], *, until_ms: int, rule: News2Rule) -> int | None:
    """Give the median of a stream's good (Unix ms, value), where enough of the time has any."""
    window = [(t_ms, value) for t_ms, value in samples if 0 <= until_ms - t_ms < rule.stream_ms]
    filled = {(until_ms - t_ms) // BUCKET_MS for t_ms, _ in window}
    if not window or len(filled) * BUCKET_MS * 100 < rule.coverage_percent * rule.stream_ms:
        return None
    return median_low([value for _, value in window])


def known_of(
    points: Sequence[tuple[int, int]], stream: Sequence[tuple[int, int]], *, at_ms: int, rule: News2Rule
) -> Known | None:
    """Take what is newer at an instant: the last measurement of (Unix ms, value) in order, or a stream's median."""
    flowing = stream_value(stream, until_ms=at_ms, rule=rule)
    newest = next((point for point in reversed(points) if point[0] <= at_ms), None)
    if newest and (flowing is None or newest[0] == at_ms):
        return Known(value=newest[1], at_ms=newest[0])
    return None if flowing is None else Known(value=flowing, at_ms=at_ms, settled=True)


def marked_elsewhere(known: Mapping[Item, Known], rules: Iterable[RepeatRule]) -> dict[Item, Known]:
    """Mark what is beyond a limit of its own signal whose rule raises by that value, repeated or not."""
    raising = [
        r for r in rules if r.trust is Trust.GOOD and r.confirm is not Confirm.ONLY_REPEAT and not r.after_activity
    ]
    return {
        item: replace(each, elsewhere=any(r.signal is SIGNAL_OF.get(item) and r.is_breach(each.value) for r in raising))
        for item, each in known.items()
    }


def deciding(standard: Sequence[RepeatRule], own: Sequence[RepeatRule]) -> list[RepeatRule]:
    """Give the rules by which a value is another rule's matter, of the standard patient's and this one's, in one order.

    Where a doctor's order or a variant has moved a limit, what is beyond the standard one is a matter of his own limit,
    even where that lets it pass: the chart knows nothing of it and would undo it.
    """
    return [*own, *(rule for rule, his in zip(standard, own, strict=True) if rule.holds and rule.limit != his.limit)]


class _Building:
    def __init__(self, rule: News2Rule) -> None:
        self.rule = rule
        self.beyond: dict[Item, int] = {}  # since when each single item is, by its measurements
        self.by_total = False
        self.seen: list[tuple[int, Score]] = []
        self.raised_ms: int | None = None
        self.why: Why | None = None

    def take(self, t_ms: int, each: Score) -> None:
        """See the score of an instant."""
        if self.raised_ms is None and self.beyond and t_ms > self.due_ms:
            self.raised_ms, self.why = self.due_ms, Why.NO_REPEAT
        if _meets(each, self.rule):
            self.seen.append((t_ms, each))
        self.by_total = each.total >= self.rule.total_from if each.total is not None else self.by_total
        single = _single(each, self.rule)
        again = {item for item in single & self.beyond.keys() if each.taken[item] > self.beyond[item]}
        for item, points in each.parts.items():
            if self.rule.single_from is None or points < self.rule.single_from:
                self.beyond.pop(item, None)
        for item in single:
            self.beyond.setdefault(item, each.taken[item])
        if self.raised_ms is None and self.beyond and not self.by_total:
            self.seen = [(at_ms, seen) for at_ms, seen in self.seen if at_ms >= min(self.beyond.values())]
        if self.raised_ms is None and (self.by_total or again or _is_settled(each, single)):
            self.raised_ms = t_ms
            self.why = Why.AT_ONCE if self.by_total or not again else Why.REPEATED

    @property
    def due_ms(self) -> int:
        return min(self.beyond.values()) + self.rule.complete_within_ms

    @property
    def is_over(self) -> bool:
        return not self.beyond and not self.by_total

    def freeze(self, *, cleared_ms: int | None = None) -> ScoreSpell:
        worst = max((each for _, each in self.seen), key=_urgency)
        spell = Spell(
            rule=self.rule.rule,
            since_ms=self.seen[0][0],
            raised_ms=self.raised_ms,
            due_ms=self.due_ms if self.raised_ms is None else None,
            cleared_ms=cleared_ms,
            newest_ms=self.seen[-1][0],
            worst=_urgency(worst)[1],
            count=len(self.seen),
            why=self.why,
        )
        return ScoreSpell(spell=spell, worst=worst, beyond=frozenset(self.beyond))


def _is_settled(each: Score, single: set[Item]) -> bool:
    """Say whether a single item needs no repeat: the set is complete, or it is a stream's."""
    return bool(single) and (each.total is not None or bool(single & each.settled))


def _meets(each: Score, rule: News2Rule) -> bool:
    return (each.total is not None and each.total >= rule.total_from) or bool(_single(each, rule))


def _single(each: Score, rule: News2Rule) -> set[Item]:
    if rule.single_from is None:
        return set()
    others = each.elsewhere if each.total is None else frozenset()
    return {item for item, points in each.parts.items() if points >= rule.single_from} - others


def _urgency(each: Score) -> tuple[bool, int]:
    """A total before a part; then the higher."""
    return (each.total is not None, each.highest if each.total is None else each.total)

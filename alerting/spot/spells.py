"""Rules judged over stored readings: single measurements with their repeats, and fever that lasts for days.

Such readings are few and often late (a thermometer's memory), so the whole recent history of one patient is judged
each time one arrives, in event time. The same history gives the same spells, in whatever order it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.profile.profile import FeverRule, RepeatRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One good stored value: event time in Unix ms, the signal's scaled value."""

    t_ms: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """One time that a rule's condition held. Exactly one of `raised_ms` and `due_ms` is set.

    `due_ms`: still waiting for a repeat until then; absence raises. `cleared_ms`: over. `worst` and `count` are
    over its breaching values; `data_gap` says that a whole block held no reading at all.
    """

    rule: str
    since_ms: int
    raised_ms: int | None
    due_ms: int | None
    cleared_ms: int | None
    newest_ms: int
    worst: int
    count: int
    data_gap: bool = False


def repeat_spells(history: Sequence[Measurement], rule: RepeatRule) -> list[Spell]:
    """Judge single measurements in order of time (CLINICAL 3.1): a second breach in time confirms, as does silence."""
    spells: list[Spell] = []
    spell: _Spell | None = None
    for at in sorted(history, key=lambda m: m.t_ms):
        if spell and spell.raised_ms is None:
            if at.t_ms > spell.since_ms + rule.repeat_until_ms:
                spell.raised_ms = spell.since_ms + rule.repeat_until_ms
            elif at.t_ms < spell.since_ms + max(rule.repeat_from_ms, 1):
                continue
            elif rule.is_breach(at.value):
                spell.raised_ms = at.t_ms
            else:
                spell = None
                continue
        if spell is None:
            if rule.is_breach(at.value):
                spell = _Spell(at)
            continue
        if rule.is_breach(at.value):
            spell.add(at, low=rule.low)
        spell.well = spell.well + 1 if rule.is_well(at.value) else 0
        if spell.well >= rule.clear_repeats:
            spells.append(spell.freeze(rule.rule, cleared_ms=at.t_ms))
            spell = None
    if spell:
        due_ms = spell.since_ms + rule.repeat_until_ms if spell.raised_ms is None else None
        spells.append(spell.freeze(rule.rule, due_ms=due_ms))
    return spells


def fever_spells(history: Sequence[Measurement], rule: FeverRule) -> list[Spell]:
    """Judge a fever that lasts (CLINICAL 3.3).

    It starts with the first value above the limit and lives while such values are at most one block apart; dips
    between them do not end it, nor does a block without any reading (`data_gap`). It raises at the first high
    value more than `longer_than_ms` after the start, and ends after `clear_ms` of values at or under `clear_at`.
    """
    spells: list[Spell] = []
    spell: _Spell | None = None
    last_high_ms = cool_since_ms = newest_ms = -1
    for at in sorted(history, key=lambda m: m.t_ms):
        if at.value > rule.above:
            apart = spell is not None and at.t_ms - last_high_ms > rule.block_ms
            if spell and apart and newest_ms > last_high_ms and spell.raised_ms is None:
                spell = None
            if spell is None:
                spell = _Spell(at)
            else:
                spell.data_gap |= apart and newest_ms == last_high_ms
                spell.add(at, low=False)
            last_high_ms, cool_since_ms = at.t_ms, -1
            if spell.raised_ms is None and at.t_ms - spell.since_ms > rule.longer_than_ms:
                spell.raised_ms = at.t_ms
        elif at.value > rule.clear_at:
            cool_since_ms = -1
        elif spell:
            cool_since_ms = at.t_ms if cool_since_ms < 0 else cool_since_ms
            if at.t_ms - cool_since_ms >= rule.clear_ms:
                if spell.raised_ms is not None:
                    spells.append(spell.freeze(rule.rule, cleared_ms=at.t_ms))
                spell, cool_since_ms = None, -1
        newest_ms = at.t_ms
    if spell and spell.raised_ms is not None:
        spells.append(spell.freeze(rule.rule))
    return spells


class _Spell:
    def __init__(self, first: Measurement) -> None:
        self.since_ms = self.newest_ms = first.t_ms
        self.worst, self.count = first.value, 1
        self.raised_ms: int | None = None
        self.well = 0
        self.data_gap = False

    def add(self, at: Measurement, *, low: bool) -> None:
        self.newest_ms = at.t_ms
        self.count += 1
        self.worst = min(self.worst, at.value) if low else max(self.worst, at.value)

    def freeze(self, rule: str, *, cleared_ms: int | None = None, due_ms: int | None = None) -> Spell:
        return Spell(
            rule=rule,
            since_ms=self.since_ms,
            raised_ms=self.raised_ms,
            due_ms=due_ms,
            cleared_ms=cleared_ms,
            newest_ms=self.newest_ms,
            worst=self.worst,
            count=self.count,
            data_gap=self.data_gap,
        )

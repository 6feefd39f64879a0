"""Fever that lasts for days, judged over stored temperatures (CLINICAL 3.3)."""

from collections.abc import Sequence

from alerting.profile.profile import FeverRule
from alerting.spot.spells import Building, Measurement, Spell, in_order


def fever_spells(history: Sequence[Measurement], rule: FeverRule) -> list[Spell]:
    """Judge a patient's temperatures, in whatever order they are given.

    A fever starts with the first value above the limit and lives while such values are at most one block apart; dips
    between them do not end it, nor does a block without any reading (`data_gap`). It raises at the first high
    value more than `longer_than_ms` after the start, and ends after `clear_ms` of values at or under `clear_at`.
    """
    spells: list[Spell] = []
    spell: Building | None = None
    last_high_ms = cool_since_ms = newest_ms = -1
    for at in in_order((m for m in history if m.trusted), low=False):
        if at.value > rule.above:
            apart = spell is not None and at.t_ms - last_high_ms > rule.block_ms
            if spell and apart and newest_ms > last_high_ms and spell.raised_ms is None:
                spell = None
            if spell is None:
                spell = Building(at, low=False)
            else:
                spell.data_gap |= apart and newest_ms == last_high_ms
                spell.beyond.append(at)
            last_high_ms, cool_since_ms = at.t_ms, -1
            if spell.raised_ms is None and at.t_ms - spell.since_ms > rule.longer_than_ms:
                spell.raise_at(at.t_ms)
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

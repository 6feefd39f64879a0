"""Fever that lasts for days, judged over stored temperatures (CLINICAL 3.3)."""

from collections.abc import Sequence
from itertools import takewhile

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


def cool_at(history: Sequence[Measurement], rule: FeverRule, before_ms: int | None) -> int | None:
    """Give the instant of the newest value (of those before an instant), if it has been cool for long enough by then.

    For a recorded fever that no spell is any more.
    """
    trusted = (m for m in history if m.trusted and (before_ms is None or m.t_ms < before_ms))
    ordered = in_order(trusted, low=False)
    cool = list(takewhile(lambda m: m.value <= rule.clear_at, reversed(ordered)))
    return cool[0].t_ms if cool and cool[0].t_ms - cool[-1].t_ms >= rule.clear_ms else None

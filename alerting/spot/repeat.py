"""Limits on single measurements, and what confirms that one is broken (CLINICAL 3.1, 3.5).

A first value beyond the limit waits: the next one from `repeat_from_ms` to `repeat_until_ms` later confirms or ends
it, an earlier one decides nothing. Where none comes in time, `repeat` raises, and `only_repeat` forgets the first
value, not those after it. `at_once` does not wait. A rule on questionable values begins with a low one of bad
quality; a good one, whatever it says, is the answer.

A derived value confirms and is confirmed like any other, but it is not a measurement: that none follows says nothing,
and that it is well neither ends nor answers what somebody has measured.
"""

from collections.abc import Sequence

from alerting.profile.profile import Confirm, RepeatRule, Trust
from alerting.spot.spells import Building, How, Measurement, Spell, Why, in_order


def repeat_spells(history: Sequence[Measurement], rule: RepeatRule) -> list[Spell]:
    """Judge a patient's measurements of the rule's signal, in whatever order they are given."""
    spells: list[Spell] = []
    spell: Building | None = None
    for at in in_order((m for m in history if _is_seen(m, rule)), low=rule.low):
        beyond = _is_beyond(at, rule)
        if spell and at.how is How.DERIVED and not beyond and not spell.is_derived:
            continue
        if spell and spell.raised_ms is None:
            spell, decided = _await(spell, at, rule, beyond=beyond)
            if decided:
                continue
        if spell is None:
            spell = _begin(at, rule) if beyond else None
            continue
        if beyond:
            spell.beyond.append(at)
        spell.well = spell.well + 1 if at.trusted and rule.is_well(at.value) else 0
        if spell.well >= rule.clear_repeats:
            spells.append(spell.freeze(rule.rule, cleared_ms=at.t_ms))
            spell = None
    if spell and spell.raised_ms is not None:
        spells.append(spell.freeze(rule.rule))
    elif spell and rule.confirm is Confirm.REPEAT and not spell.is_derived:
        spells.append(spell.freeze(rule.rule, due_ms=spell.since_ms + rule.repeat_until_ms))
    return spells


def well_at(history: Sequence[Measurement], rule: RepeatRule, before_ms: int | None) -> int | None:
    """Give the instant of the newest value (of those before an instant), if the newest would end any condition.

    For a recorded condition that no spell is any more. What nobody measured says so only where nobody measured.
    """
    seen = [m for m in history if _is_seen(m, rule) and (before_ms is None or m.t_ms < before_ms)]
    measured = [m for m in seen if m.how is not How.DERIVED] or seen
    newest = in_order(measured, low=rule.low)[-rule.clear_repeats :]
    is_over = len(newest) == rule.clear_repeats and all(m.trusted and rule.is_well(m.value) for m in newest)
    return newest[-1].t_ms if is_over else None


def _is_seen(at: Measurement, rule: RepeatRule) -> bool:
    """Good values always; one of bad quality by the rules that ask for it, where it is low."""
    return at.trusted or (rule.trust is Trust.QUESTIONABLE and rule.is_breach(at.value))


def _is_beyond(at: Measurement, rule: RepeatRule) -> bool:
    return at.trusted is (rule.trust is not Trust.QUESTIONABLE) and rule.is_breach(at.value)


def _begin(at: Measurement, rule: RepeatRule) -> Building | None:
    if rule.after_activity and not at.exerted:
        return None
    spell = Building(at, low=rule.low)
    if rule.confirm is Confirm.AT_ONCE:
        spell.raise_at(at.t_ms, Why.AT_ONCE)
        spell.well = 0
    return spell


def _await(spell: Building, at: Measurement, rule: RepeatRule, *, beyond: bool) -> tuple[Building | None, bool]:
    """Let a spell that waits see a value; gives what it is now, and whether the value has done its work."""
    due_ms = spell.since_ms + rule.repeat_until_ms
    if at.t_ms > due_ms:
        if rule.confirm is not Confirm.ONLY_REPEAT and not spell.is_derived:
            spell.raise_at(due_ms, Why.NO_REPEAT)
            return spell, False
        spell.beyond = [m for m in spell.beyond if at.t_ms - m.t_ms <= rule.repeat_until_ms]
        if not spell.beyond:
            return None, False
    if at.how is How.OPEN:  # what has not ended confirms nothing yet
        return spell, True
    if at.t_ms < spell.since_ms + rule.repeat_from_ms:
        if beyond:
            spell.beyond.append(at)
        return spell, True
    if not beyond:
        return None, True
    spell.raise_at(at.t_ms, Why.REPEATED)
    return spell, False

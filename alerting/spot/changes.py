"""What is new about a rule's condition: its spells by the newest judgement, held against what the record says holds.

A recorded condition ends with the spell that it is, or, where no spell is it any more (a limit was changed, a late
value answered its first one), once the newest values are well by themselves. Late values never end it: a later spell
that was known before shows that it goes on. What begins behind its end is told by itself, so that the same measurements
tell the same, in whatever batches they come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from alerting.spot.spells import Spell


class Kind(StrEnum):
    """What to record."""

    OVER = "over"  # the condition that the record holds has ended
    RAISED = "raised"  # a condition holds that the record does not
    PAST = "past"  # a condition was over before anybody knew of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, at an instant in Unix ms; `spell` is what was raised, None where the recorded one ended.

    `follows`: the record held the condition until just before, so nobody can have been told of this one.
    """

    kind: Kind
    at_ms: int
    spell: Spell | None = None
    follows: bool = False


WellAt = Callable[[int | None], int | None]
"""(before an instant, or of all) -> the instant of the newest value there, if the newest are well by themselves."""


def changes(spells: Sequence[Spell], *, holds_ms: int | None, known_ms: int, well_at: WellAt) -> list[Change]:
    """Say what is new, in order of time.

    `holds_ms`: since when the record holds the condition, or None. `known_ms`: the newest value that was known before
    what has come now.
    """
    if holds_ms is None:
        return _told(spells, follows=False)
    before = [spell for spell in spells if spell.cleared_ms is not None and spell.cleared_ms < holds_ms]
    over_ms = _over_ms(spells[len(before) :], holds_ms=holds_ms, known_ms=known_ms, well_at=well_at)
    if over_ms is None:
        return _told(before, follows=False)
    after = [spell for spell in spells[len(before) :] if spell.since_ms > over_ms]
    return [*_told(before, follows=False), Change(kind=Kind.OVER, at_ms=over_ms), *_told(after, follows=True)]


def _over_ms(spells: Sequence[Spell], *, holds_ms: int, known_ms: int, well_at: WellAt) -> int | None:
    """Say when the recorded condition ended; None: it goes on."""
    its_own = [spell for spell in spells if spell.since_ms <= max(holds_ms, known_ms)]
    if its_own:
        return its_own[-1].cleared_ms
    well_ms = well_at(spells[0].since_ms if spells else None)
    if well_ms is not None:
        return max(well_ms, holds_ms)
    return spells[0].cleared_ms if spells else None


def _told(spells: Sequence[Spell], *, follows: bool) -> list[Change]:
    """What was raised: the newest may hold, those before it are past."""
    return [
        Change(
            kind=Kind.RAISED if spell.cleared_ms is None else Kind.PAST,
            at_ms=spell.raised_ms,
            spell=spell,
            follows=follows,
        )
        for spell in spells
        if spell.raised_ms is not None
    ]

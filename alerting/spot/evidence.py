"""What decided a raise by single measurements: the values, the limit or the score's parts, how often, how long."""

from typing import Any

from alerting.profile.patient import Held
from alerting.profile.profile import FeverRule, Profile, RepeatRule
from alerting.profile.singles import News2Rule
from alerting.profile.tags import tags_of
from alerting.spot.scores import ScoreSpell
from alerting.spot.spells import Spell
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal


def evidence_of(profile: Profile, held: Held, rule: RepeatRule | FeverRule, spell: Spell) -> dict[str, Any]:
    """Write the evidence of a limit on single measurements, or of a fever."""
    signal = Signal.TEMPERATURE if isinstance(rule, FeverRule) else rule.signal
    tags = tags_of(profile, rule.rule, spell.worst)
    baseline = held.baseline if signal is Signal.SPO2 else None
    return {
        "signal": signal,
        "unit": SIGNALS[signal].unit,
        "worst": unscaled(signal, spell.worst),
        "limit": unscaled(signal, rule.above if isinstance(rule, FeverRule) else rule.limit),
        "session": spell.how,
        **({"baseline": unscaled(signal, baseline)} if baseline is not None else {}),
        **({"data_gap": spell.data_gap} if isinstance(rule, FeverRule) else {}),
        **({"tags": list(tags)} if tags else {}),
        **_of_spell(spell),
    }


def score_evidence(found: ScoreSpell, rule: News2Rule) -> dict[str, Any]:
    """Write what a doctor is told of a score: its parts, and what is missing."""
    worst = found.worst
    single = worst.total is None or worst.total < rule.total_from
    return {
        "signal": "news2",
        "unit": "",
        "worst": found.spell.worst,
        "limit": rule.single_from if single else rule.total_from,
        "single": single,
        "parts": dict(worst.parts),
        "missing": list(worst.missing),
        "of_seven": worst.of_seven,
        **_of_spell(found.spell),
    }


def _of_spell(spell: Spell) -> dict[str, Any]:
    return {
        "readings_beyond": spell.count,
        "hours": round((spell.newest_ms - spell.since_ms) / 3_600_000, 1),
        **({"why": spell.why} if spell.why else {}),
    }

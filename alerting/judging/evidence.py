"""What a raise by single measurements carries: the values that decided, the limit, and what the patient is held to."""

from alerting.desk import Desk, instant
from alerting.profile.patient import Held
from alerting.profile.profile import FeverRule, RepeatRule
from alerting.profile.tags import tags_of
from alerting.spot.spells import Spell
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal


def evidence_of(desk: Desk, held: Held, rule: RepeatRule | FeverRule, spell: Spell) -> dict[str, object]:
    """Write the evidence of a limit on single measurements, or of a fever."""
    signal = Signal.TEMPERATURE if isinstance(rule, FeverRule) else rule.signal
    limit = rule.above if isinstance(rule, FeverRule) else rule.limit
    tags = tags_of(desk.profile, rule.rule, spell.worst)
    own = {"baseline": unscaled(signal, held.baseline)} if signal is Signal.SPO2 and held.baseline is not None else {}
    return (
        {
            "signal": signal,
            "unit": SIGNALS[signal].unit,
            "worst": unscaled(signal, spell.worst),
            "limit": unscaled(signal, limit),
            "session": spell.how,
        }
        | own
        | ({"data_gap": spell.data_gap} if isinstance(rule, FeverRule) else {})
        | ({"tags": list(tags)} if tags else {})
        | of_spell(held, spell)
    )


def of_spell(held: Held, spell: Spell) -> dict[str, object]:
    """Write what every spell has: since when, how often, and under which profile it was judged."""
    return {
        "since": instant(spell.since_ms).isoformat(),
        "readings_beyond": spell.count,
        "hours": round((spell.newest_ms - spell.since_ms) / 3_600_000, 1),
        "profile": held.name,
        "profile_hash": held.hash,
        **({"why": spell.why} if spell.why else {}),
    }

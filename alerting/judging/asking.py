"""Notes what somebody at home is to be asked to do. Nobody is told of it yet: the rows are what there is to tell."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from alerting.desk import Desk, instant, json
from alerting.spot.spells import How, Spell
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal

AGAIN_AFTER = timedelta(hours=1)
"""How soon a worn thermometer may ask again: it streams."""

_SESSIONS_OF_THEIR_OWN = frozenset({How.UNSTABLE, How.REMAINDER, How.OPEN})


class Reason(StrEnum):
    """Why somebody is asked."""

    REPEAT = "repeat"  # a first value beyond a limit: measure again
    WORN_FEVER = "worn_fever"  # a wearable says fever: take a thermometer
    FEVER_SIGNS = "fever_signs"  # a fever of days: measure SpO2, breathing and pulse now
    DATA_GAP = "data_gap"  # a fever of which a whole block is not known: measure


def ask_for_repeat(desk: Desk, patient_id: int, waiting: Spell, *, due_ms: int) -> None:
    """Ask for a second measurement. (A clip that did not come to rest asks by its session.)"""
    if waiting.begun not in _SESSIONS_OF_THEIR_OWN:
        detail = {"due_at": instant(due_ms).isoformat()}
        _save(desk, patient_id, Reason.REPEAT, rule=waiting.rule, at=instant(waiting.since_ms), detail=detail)


def ask_about_fever(desk: Desk, patient_id: int, spell: Spell) -> None:
    """Ask for the other signs with a fever of days, and for readings where some of it is not known."""
    at = instant(spell.raised_ms if spell.raised_ms is not None else spell.newest_ms)
    signs = {"measure": [Signal.SPO2, Signal.RESPIRATORY_RATE, Signal.PULSE]}
    _save(desk, patient_id, Reason.FEVER_SIGNS, rule=spell.rule, at=at, detail=signs)
    if spell.data_gap:
        _save(desk, patient_id, Reason.DATA_GAP, rule=spell.rule, at=at, detail={"measure": [Signal.TEMPERATURE]})


def ask_for_thermometer(desk: Desk, patient_id: int, value: int, at: datetime) -> None:
    """Ask for a thermometer's reading where a wearable says fever: by itself it raises nothing (CLINICAL 2.4, 3.3)."""
    if value > min((rule.above for rule in desk.profile.fever), default=value):
        said = {"worn": unscaled(Signal.TEMPERATURE, value), "unit": SIGNALS[Signal.TEMPERATURE].unit}
        _save(desk, patient_id, Reason.WORN_FEVER, rule="", at=at, detail=said, not_within=AGAIN_AFTER)


def _save(
    desk: Desk,
    patient_id: int,
    reason: Reason,
    *,
    rule: str,
    at: datetime,
    detail: Mapping[str, object],
    not_within: timedelta = timedelta(0),
) -> None:
    desk.run(
        "save_prompt",
        patient_id=patient_id,
        reason=reason,
        rule=rule,
        at=at,
        now=desk.now,
        detail=json(detail),
        not_within=not_within,
    )

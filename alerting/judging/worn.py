"""Looks at what wearables say of a temperature: it raises nothing, and may ask for a thermometer (CLINICAL 3.3)."""

from datetime import datetime

from alerting.desk import Desk, instant
from alerting.judging.asking import AGAIN_AFTER, ask_for_thermometer
from alerting.judging.measured import held_now, measurements
from alerting.profile.patient import Held
from alerting.profile.profile import Profile, RepeatRule
from vitals.signals import Signal


def look_at_worn(desk: Desk, patient_id: int, value: int, *, t_ms: int, received_by: datetime) -> None:
    """Ask for a thermometer where a worn one is above the patient's own limit, and none has spoken of late."""
    if value <= _lowest_of_anybody(desk.profile):
        return
    held = held_now(desk, patient_id, on=received_by)
    if held is None or value <= min(_fever_limits(held), default=value):
        return
    at = instant(t_ms)
    told = measurements(desk, patient_id, Signal.TEMPERATURE, start=at - AGAIN_AFTER, received_by=received_by)
    if not any(each.trusted for each in told):
        ask_for_thermometer(desk, patient_id, value, at)


def _fever_limits(held: Held) -> list[int]:
    """Give the limits above which this patient has a fever of any kind."""
    once = [rule.limit for rule in held.repeat if _is_fever(rule) and rule.holds]
    return [*once, *(fever.above for fever in held.fever if fever.rule not in held.off)]


def _lowest_of_anybody(profile: Profile) -> int:
    """Give the lowest limit that a fever has for any patient but by an order: beneath it nobody's own need be read."""
    rules = {rule.rule for rule in profile.fever} | {rule.rule for rule in profile.repeat if _is_fever(rule)}
    rows = [profile.limits[rule].limit for rule in rules]
    moved = [each.limit for variant in profile.variants for each in variant.overrides if each.rule in rules]
    return min((limit.breach for limit in [*rows, *moved] if limit is not None), default=0)


def _is_fever(rule: RepeatRule) -> bool:
    return rule.signal is Signal.TEMPERATURE and not rule.low

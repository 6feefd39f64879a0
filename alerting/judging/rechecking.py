"""Says whether a condition that somebody called a false alarm is there again, by what was measured since."""

from datetime import datetime

from alerting.derived.breathing import counts
from alerting.desk import Desk, unix_ms
from alerting.judging.history import course
from alerting.judging.measured import held_now, measurements
from alerting.judging.scoring import scored
from alerting.profile.patient import Held
from alerting.profile.profile import Trust
from alerting.raising import Basis
from alerting.spot.news2 import SIGNAL_OF
from alerting.spot.spells import Measurement
from vitals.signals import Signal


def is_beyond_since(desk: Desk, patient_id: int, rule: str, basis: Basis, *, since: datetime) -> bool:
    """Say whether a rule that holds by the record may be called present: a value since an instant has broken its limit.

    Without any value since, it may: silence is no all-clear.
    """
    held = held_now(desk, patient_id, on=desk.now)
    if held is None:
        return True
    if basis is Basis.SUSTAINED:
        return _streamed_beyond(desk, patient_id, rule, held, since)
    if any(each.rule == rule for each in held.news2):
        return _scores_since(desk, patient_id, rule, held, since)
    for each in held.repeat if basis is Basis.REPEAT else ():
        if each.rule == rule:
            doubted = each.trust is Trust.QUESTIONABLE
            values = _values_since(desk, patient_id, each.signal, since)
            return not values or any(each.is_breach(m.value) and m.trusted is not doubted for m in values)
    for fever in held.fever if basis is Basis.FEVER else ():
        if fever.rule == rule:
            values = [m for m in _values_since(desk, patient_id, Signal.TEMPERATURE, since) if m.trusted]
            return not values or any(m.value > fever.above for m in values)
    return True


def _streamed_beyond(desk: Desk, patient_id: int, rule: str, held: Held, since: datetime) -> bool:
    for channel, rules in desk.profile.sustained.items():
        for sustained, limit in zip(rules, held.limits[channel], strict=True):
            if sustained.rule == rule:
                _, values = course(desk, channel, patient_id, start=since, received_by=desk.now)
                return not len(values) or any(sustained.is_breach(value, limit) for value in values.tolist())
    return True


def _values_since(desk: Desk, patient_id: int, signal: Signal, since: datetime) -> list[Measurement]:
    values = measurements(desk, patient_id, signal, start=since, received_by=desk.now)
    if signal is Signal.RESPIRATORY_RATE:
        values += counts(desk, patient_id, start=since, received_by=desk.now)
    return [each for each in values if each.t_ms > unix_ms(since)]


def _scores_since(desk: Desk, patient_id: int, rule: str, held: Held, since: datetime) -> bool:
    measured = any(_values_since(desk, patient_id, signal, since) for signal in SIGNAL_OF.values())
    spells = scored(desk, patient_id, held, received_by=desk.now)[rule].spells
    return not measured or any(each.spell.newest_ms > unix_ms(since) for each in spells)

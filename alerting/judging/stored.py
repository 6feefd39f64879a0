"""Judges a patient's stored single measurements and fever, each time one arrives or what he is held to changes.

Batch by batch of the log: what is told does not depend on how many of them one turn judges. A household is asked once,
behind the last of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from alerting.derived.breathing import counts, derive_breathing
from alerting.desk import Desk, instant, unix_ms
from alerting.engine.partition import Partition
from alerting.isolation import isolated
from alerting.judging.asking import Awaited, ask_about_fever, ask_for_repeats
from alerting.judging.clips import form_spot_sessions
from alerting.judging.conditions import Condition, keep_waiting, record_conditions, record_ends
from alerting.judging.measured import beginning, held_now, instants_after_activity, measurements
from alerting.judging.scoring import NOT_SCORED, Scored, scored
from alerting.judging.well_streams import end_what_streams_end, over_by_streams
from alerting.judging.worn import look_at_worn
from alerting.profile.patient import Held
from alerting.profile.profile import FeverRule, RepeatRule
from alerting.profile.singles import News2Rule
from alerting.raising import Basis
from alerting.spot.arrivals import NEVER_JUDGED, Devices, arrivals
from alerting.spot.changes import WellAt
from alerting.spot.evidence import evidence_of, score_evidence
from alerting.spot.fever import cool_at, fever_spells
from alerting.spot.news2 import SIGNAL_OF
from alerting.spot.repeat import repeat_spells, well_at
from alerting.spot.scores import settled_at
from alerting.spot.spells import How, Measurement, Spell
from ingest.feed import from_payload
from vitals.signals import Signal
from vitals.sustained import NEVER_MS

_SCORED = frozenset(SIGNAL_OF.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """What has come now: measurements by their instants, rates derived of beats from an instant on; Unix ms."""

    instants: frozenset[int] = frozenset()
    derived_from_ms: int | None = None

    def known_ms(self, history: Sequence[Measurement]) -> int:
        """Give the newest measurement that was known before."""
        return max((m.t_ms for m in history if not self._has(m)), default=NEVER_MS)

    def _has(self, at: Measurement) -> bool:
        if at.how is How.DERIVED:
            return self.derived_from_ms is not None and at.t_ms >= self.derived_from_ms
        return at.t_ms in self.instants


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patient:
    """Whom to judge, as of what was received by an instant; `only_ends`: nothing came, so nothing can be raised."""

    patient_id: int
    held: Held
    received_by: datetime
    came: _Came
    only_ends: bool = False
    awaited: list[Awaited] = field(default_factory=list)


def judge_arrivals(desk: Desk, state: Partition, batches: Sequence[Any], devices: Devices) -> None:
    """Judge everybody whose single measurements are in these batches of the log, in the caller's transaction.

    A stream that has been well for long enough ends what was raised by measurements of its signal.
    """
    awaited, received_by = dict[tuple[int, Signal | None], list[Awaited]](), None
    for batch in batches:
        received_by = max(batch.received_at, received_by or batch.received_at)
        rows = from_payload(batch.payload)
        arrived = arrivals(rows, devices)
        for patient_id, (value, t_ms) in arrived.worn.items():
            with isolated(desk, patient_id, since=instant(t_ms)):
                look_at_worn(desk, patient_id, value, t_ms=t_ms, received_by=received_by)
        beats = {patient_id: instant(t_ms) for patient_id, t_ms in arrived.beats.items()}
        for patient_id in derive_breathing(desk, beats, received_by, earliest=beats) if beats else ():
            came = _Came(derived_from_ms=arrived.beats[patient_id])
            with isolated(desk, patient_id, since=beats[patient_id]):
                awaited |= _judge(desk, patient_id, {Signal.RESPIRATORY_RATE: came}, received_by, scores=False)
        for patient_id, single in arrived.single.items():
            signals = {signal: _Came(instants=instants) for signal, instants in single.items()}
            with isolated(desk, patient_id, since=instant(min(min(instants) for instants in single.values()))):
                awaited |= _judge(desk, patient_id, signals, received_by, scores=bool(_SCORED & signals.keys()))
        end_what_streams_end(desk, state, rows, received_by=received_by)
    for patient_id in sorted({patient_id for patient_id, _ in awaited}):
        of_patient = [each for (whose, _), of in awaited.items() if whose == patient_id for each in of]
        with isolated(desk, patient_id, since=min((instant(each.since_ms) for each in of_patient), default=desk.now)):
            ask_for_repeats(desk, patient_id, of_patient)


def judge_stored(desk: Desk, patient_id: int, *, received_by: datetime, since: datetime) -> None:
    """Judge all of a patient's measurements since an instant as if they came now, in the caller's transaction."""
    form_spot_sessions(desk, patient_id, since=since, received_by=received_by)
    came = {}
    for signal in Signal:
        if signal not in NEVER_JUDGED:
            found = measurements(desk, patient_id, signal, start=since, received_by=received_by)
            if found or signal is Signal.RESPIRATORY_RATE:
                instants = frozenset(m.t_ms for m in found)
                came[signal] = _Came(instants=instants, derived_from_ms=unix_ms(since))
    awaited = _judge(desk, patient_id, came, received_by, scores=bool(_SCORED & came.keys()))
    ask_for_repeats(desk, patient_id, [each for of in awaited.values() for each in of])


def end_what_holds_no_more(desk: Desk, partition: int, patients: Sequence[int], *, received_by: datetime) -> None:
    """End what holds or waits for a repeat by these patients' measurements, and does not under the limits of now.

    In the caller's transaction.
    """
    whose = list(patients)
    holding = desk.all("held_by_measurements", partition=partition, patients=whose)
    rows = [*holding, *desk.all("waiting_for_a_repeat", patients=whose)]
    for patient_id in dict.fromkeys(row.patient_id for row in rows):
        rules = {row.rule for row in rows if row.patient_id == patient_id}
        with isolated(desk, patient_id, since=received_by):
            _end_what_holds_no_more(desk, patient_id, rules, received_by)


def _end_what_holds_no_more(desk: Desk, patient_id: int, rules: set[str], received_by: datetime) -> None:
    desk.run("lock_patient", patient_id=patient_id)
    held = held_now(desk, patient_id, on=received_by)
    if held is None:
        return
    of = _Patient(patient_id=patient_id, held=held, received_by=received_by, came=_Came(), only_ends=True)
    for signal in sorted({rule.signal for rule in held.repeat if rule.rule in rules}):
        _judge_limits(desk, of, signal)
    if rules & {fever.rule for fever in held.fever}:
        _judge_limits(desk, of, Signal.TEMPERATURE)
    if rules & {rule.rule for rule in desk.profile.news2}:
        _judge_scores(desk, of)


def _judge(
    desk: Desk, patient_id: int, came: Mapping[Signal, _Came], received_by: datetime, *, scores: bool
) -> dict[tuple[int, Signal | None], list[Awaited]]:
    """Run every stored rule of these signals over the patient's recent history; gives what now waits for a repeat."""
    held = held_now(desk, patient_id, on=received_by)
    if held is None:
        return {}
    desk.run("lock_patient", patient_id=patient_id)
    signals = dict(came)
    clip = signals.get(Signal.SPO2)
    if clip is not None:
        since = instant(min(clip.instants))
        if form_spot_sessions(desk, patient_id, since=since, received_by=received_by):  # a session has a pulse, too
            pulse = signals.get(Signal.PULSE, _Came())
            signals[Signal.PULSE] = _Came(instants=pulse.instants | clip.instants)
    awaited: dict[tuple[int, Signal | None], list[Awaited]] = {}
    of = _Patient(patient_id=patient_id, held=held, received_by=received_by, came=_Came())
    for signal, each in signals.items():
        of_signal = replace(of, came=each, awaited=[])
        _judge_limits(desk, of_signal, signal)
        awaited[patient_id, signal] = of_signal.awaited
    if scores:
        everything = frozenset(t_ms for each in signals.values() for t_ms in each.instants)
        of_scores = replace(of, came=_Came(instants=everything), awaited=[])
        _judge_scores(desk, of_scores)
        awaited[patient_id, None] = of_scores.awaited
    return awaited


def _judge_limits(desk: Desk, of: _Patient, signal: Signal) -> None:
    fevers = of.held.fever if signal is Signal.TEMPERATURE else ()
    repeats = [rule for rule in of.held.repeat if rule.signal is signal]
    if not fevers and not repeats:
        return
    rules = [*(rule.rule for rule in fevers), *(rule.rule for rule in repeats)]
    start = beginning(desk, of.patient_id, signal, rules=rules, received_by=of.received_by)
    history = measurements(desk, of.patient_id, signal, start=start, received_by=of.received_by)
    if signal is Signal.RESPIRATORY_RATE:
        history += counts(desk, of.patient_id, start=start, received_by=of.received_by)
    exerted = _exerted(desk, of, history, repeats)
    over = over_by_streams(desk, of.patient_id) if history else {}
    conditions = [_of_fever(desk, of, fever, history) for fever in fevers]
    for repeat in repeats:
        seen = exerted if repeat.after_activity else history
        conditions.append(_of_limit(desk, of, repeat, [m for m in seen if m.t_ms > over.get(repeat.rule, NEVER_MS)]))
    _record(desk, of, conditions)
    if of.only_ends:
        _end_waits(desk, conditions[len(fevers) :])
        return
    for condition in conditions[: len(fevers)]:
        for spell, _ in condition.judged[-1:]:
            ask_about_fever(desk, of.patient_id, spell)
    for repeat, condition in zip(repeats, conditions[len(fevers) :], strict=True):
        if waiting := keep_waiting(desk, of.patient_id, repeat.rule, condition.judged):
            of.awaited.append(_awaited(waiting, (signal,), from_ms=waiting.since_ms + repeat.repeat_from_ms))


def _of_fever(desk: Desk, of: _Patient, fever: FeverRule, history: Sequence[Measurement]) -> Condition:
    return Condition(
        patient_id=of.patient_id,
        rule=fever.rule,
        basis=Basis.FEVER,
        judged=_judged(desk, of.held, fever, fever_spells(history, fever)),
        known_ms=of.came.known_ms(history),
        well_at=_unless_off(of, fever.rule, partial(cool_at, history, fever)),
    )


def _of_limit(desk: Desk, of: _Patient, rule: RepeatRule, history: Sequence[Measurement]) -> Condition:
    return Condition(
        patient_id=of.patient_id,
        rule=rule.rule,
        basis=Basis.REPEAT,
        judged=_judged(desk, of.held, rule, repeat_spells(history, rule)),
        known_ms=of.came.known_ms(history),
        well_at=_unless_off(of, rule.rule, partial(well_at, history, rule)),
    )


def _judge_scores(desk: Desk, of: _Patient) -> None:
    found = scored(desk, of.patient_id, of.held, received_by=of.received_by) if of.held.news2 else {}
    conditions = [_of_score(desk, of, rule, found.get(rule.rule, NOT_SCORED)) for rule in desk.profile.news2]
    _record(desk, of, conditions)
    if of.only_ends:
        _end_waits(desk, conditions)
        return
    for condition in conditions:
        if waiting := keep_waiting(desk, of.patient_id, condition.rule, condition.judged):
            beyond = found[condition.rule].spells[-1].beyond
            signals = tuple(signal for item, signal in SIGNAL_OF.items() if item in beyond)
            of.awaited.append(_awaited(waiting, signals, from_ms=waiting.since_ms))


def _of_score(desk: Desk, of: _Patient, rule: News2Rule, found: Scored) -> Condition:
    begun = desk.one("oldest_active", patient_id=of.patient_id, rules=[rule.rule])
    from_ms = unix_ms(begun.since) if begun and begun.since else NEVER_MS
    return Condition(
        patient_id=of.patient_id,
        rule=rule.rule,
        basis=Basis.REPEAT,
        judged=[(each.spell, score_evidence(each, rule) | _judged_by(of.held, each.spell)) for each in found.spells],
        known_ms=max((t_ms for t_ms in found.scores if t_ms not in of.came.instants), default=NEVER_MS),
        well_at=_unless_off(of, rule.rule, partial(settled_at, found.scores, rule, from_ms=from_ms)),
    )


def _unless_off(of: _Patient, rule: str, found: WellAt) -> WellAt:
    """A rule that holds for him no more is over with what has come now."""
    off_ms = unix_ms(of.received_by)
    return (lambda _: off_ms) if rule in of.held.off else found


def _end_waits(desk: Desk, conditions: Sequence[Condition]) -> None:
    """Nothing came: what still waits goes on as it was, and nothing begins to."""
    over = [each for each in conditions if not each.judged or each.judged[-1][0].due_ms is None]
    places = [{"patient_id": each.patient_id, "rule": each.rule, "basis": Basis.REPEAT} for each in over]
    desk.write("drop_pending", places)


def _record(desk: Desk, of: _Patient, conditions: Sequence[Condition]) -> None:
    record = record_ends if of.only_ends else record_conditions
    record(desk, conditions, received_by=of.received_by)


def _awaited(waiting: Spell, signals: tuple[Signal, ...], *, from_ms: int) -> Awaited:
    assert waiting.due_ms is not None, "what waits has an end"
    return Awaited(
        rule=waiting.rule,
        signals=signals,
        since_ms=waiting.since_ms,
        from_ms=from_ms,
        due_ms=waiting.due_ms,
        begun=waiting.begun,
    )


def _exerted(desk: Desk, of: _Patient, history: list[Measurement], repeats: Sequence[RepeatRule]) -> list[Measurement]:
    if not any(rule.after_activity for rule in repeats):
        return history
    times = [m.t_ms for m in history if m.trusted]
    after = instants_after_activity(desk, of.patient_id, times, rule=desk.profile.activity, received_by=of.received_by)
    return [replace(m, exerted=m.t_ms in after) for m in history]


def _judged(
    desk: Desk, held: Held, rule: RepeatRule | FeverRule, spells: Sequence[Spell]
) -> list[tuple[Spell, dict[str, object]]]:
    return [(spell, evidence_of(desk.profile, held, rule, spell) | _judged_by(held, spell)) for spell in spells]


def _judged_by(held: Held, spell: Spell) -> dict[str, object]:
    """Since when a spell is, and under which profile: what alerting's own evidence has beside what decided."""
    return {"since": instant(spell.since_ms).isoformat(), "profile": held.name, "profile_hash": held.hash}

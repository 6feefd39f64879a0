"""Judges a patient's stored single measurements and fever, and records what is new about them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerting.desk import Desk, instant, json, unix_ms
from alerting.profile.profile import FeverRule, RepeatRule, Trust
from alerting.raising import Basis, Raise
from alerting.recording import record_clear, record_raise
from alerting.spot.spells import Measurement, Spell, fever_spells, repeat_spells
from vitals.reading import Acquisition, unscaled
from vitals.signals import SIGNALS, Signal

SPO2_SPAN = timedelta(days=2)
TEMPERATURE_SPAN = timedelta(days=14)


def judge_stored(desk: Desk, patient_id: int, signal: Signal, *, received_by: datetime) -> None:
    """Run every stored rule of this signal over the patient's recent history, in the caller's transaction."""
    history = _history(desk, patient_id, signal, received_by=received_by)
    if signal is Signal.TEMPERATURE:
        for fever in desk.profile.fever:
            _record(desk, patient_id, fever, Basis.FEVER, fever_spells(history, fever))
    for repeat in desk.profile.repeat:
        if repeat.signal is signal and repeat.trust is Trust.GOOD and not repeat.after_activity:
            _record(desk, patient_id, repeat, Basis.REPEAT, repeat_spells(history, repeat))


def _history(desk: Desk, patient_id: int, signal: Signal, *, received_by: datetime) -> list[Measurement]:
    if signal is Signal.TEMPERATURE:
        rows = desk.all(
            "temperature_history",
            patient_id=patient_id,
            start=received_by - TEMPERATURE_SPAN,
            received_by=received_by,
        )
        return [Measurement(t_ms=unix_ms(r.measured_at), value=r.temperature) for r in rows]
    rows = desk.all(
        "spo2_history",
        patient_id=patient_id,
        start=received_by - SPO2_SPAN,
        received_by=received_by,
        acquisitions=[int(Acquisition.SPOT), int(Acquisition.STORED)],
    )
    return [Measurement(t_ms=unix_ms(r.measured_at), value=r.spo2) for r in rows]


def _record(desk: Desk, patient_id: int, rule: RepeatRule | FeverRule, basis: Basis, spells: Sequence[Spell]) -> None:
    """Record what is new: a spell that has begun or ended, or one of the past that nobody knew of.

    The history's window slides, and late readings move a spell's beginning: a condition that is recorded as holding
    goes on as the newest spell, whenever that is now said to have begun.
    """
    newest = spells[-1] if spells else None
    holding = desk.one("active_since", patient_id=patient_id, rule=rule.rule, basis=basis)
    for spell in spells:
        if spell.raised_ms is None:
            continue
        raised = _raise(patient_id, rule, basis, spell, raised_ms=spell.raised_ms)
        if spell.cleared_ms is None:
            if holding is None and spell is newest:
                record_raise(desk, raised)
        elif holding is not None and instant(spell.cleared_ms) >= holding.since and not _holds_after(spells, spell):
            record_clear(desk, patient_id=patient_id, rule=rule.rule, basis=basis, at=instant(spell.cleared_ms))
            holding = None
        elif not _is_known(desk, patient_id, rule, spell):
            record_raise(desk, raised)
    if basis is Basis.REPEAT:
        _wait(desk, patient_id, rule, newest if newest and newest.due_ms is not None else None)


def _holds_after(spells: Sequence[Spell], spell: Spell) -> bool:
    """Say whether a later spell has been raised and is not over: then the condition goes on."""
    return any(s.since_ms > spell.since_ms and s.raised_ms is not None and s.cleared_ms is None for s in spells)


def _is_known(desk: Desk, patient_id: int, rule: RepeatRule | FeverRule, spell: Spell) -> bool:
    known = desk.one(
        "overlapping_episode",
        patient_id=patient_id,
        family=desk.profile.consequences[rule.rule].family,
        since=instant(spell.since_ms),
        until=instant(spell.cleared_ms or spell.newest_ms),
    )
    return known is not None and bool(known.known)


def _wait(desk: Desk, patient_id: int, rule: RepeatRule | FeverRule, waiting: Spell | None) -> None:
    if waiting is None or waiting.due_ms is None:
        desk.run("drop_pending", patient_id=patient_id, rule=rule.rule, basis=Basis.REPEAT)
        return
    desk.run(
        "save_pending",
        patient_id=patient_id,
        rule=rule.rule,
        basis=Basis.REPEAT,
        since=instant(waiting.since_ms),
        due_at=instant(waiting.due_ms),
        evidence=json(_evidence(rule, waiting)),
    )


def _raise(patient_id: int, rule: RepeatRule | FeverRule, basis: Basis, spell: Spell, *, raised_ms: int) -> Raise:
    return Raise(
        patient_id=patient_id,
        rule=rule.rule,
        basis=basis,
        since=instant(spell.since_ms),
        raised_at=instant(raised_ms),
        key=raise_key(patient_id, rule.rule, basis, instant(spell.since_ms)),
        evidence=_evidence(rule, spell),
        past=spell.cleared_ms is not None,
    )


def raise_key(patient_id: int, rule: str, basis: str, since: datetime) -> str:
    """Name the raise of a condition that began then: the clock and the next reading must not both raise it."""
    return f"{patient_id}:{rule}:{basis}:{unix_ms(since)}"


def _evidence(rule: RepeatRule | FeverRule, spell: Spell) -> dict[str, object]:
    signal = Signal.TEMPERATURE if isinstance(rule, FeverRule) else rule.signal
    limit = rule.above if isinstance(rule, FeverRule) else rule.limit
    return {
        "signal": signal,
        "unit": SIGNALS[signal].unit,
        "worst": unscaled(signal, spell.worst),
        "limit": unscaled(signal, limit),
        "readings_beyond": spell.count,
        "hours": round((spell.newest_ms - spell.since_ms) / 3_600_000, 1),
        "data_gap": spell.data_gap,
    }

"""Judges a patient's stored single measurements and fever, and records what is new about them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from alerting.derived.breathing import counts, derive_breathing
from alerting.desk import Desk, instant, json, unix_ms
from alerting.judging.asking import ask_about_fever, ask_for_repeat, ask_for_thermometer
from alerting.judging.clips import form_spot_sessions
from alerting.judging.measured import beginning, held_now, instants_after_activity, measurements, read_devices
from alerting.judging.scoring import score_evidence, scored
from alerting.judging.told import was_told
from alerting.profile.patient import Held
from alerting.profile.profile import FeverRule, RepeatRule
from alerting.profile.tags import tags_of
from alerting.raising import Basis, Raise
from alerting.recording import record_clear, record_raise
from alerting.spot.arrivals import arrivals
from alerting.spot.fever import fever_spells
from alerting.spot.news2 import SIGNAL_OF
from alerting.spot.repeat import repeat_spells
from alerting.spot.spells import Measurement, Spell
from ingest.feed import from_payload
from vitals.reading import unscaled
from vitals.signals import SIGNALS, Signal

Judged = Sequence[tuple[Spell, Mapping[str, object]]]
"""A rule's spells, each with the evidence a raise of it carries."""

_SCORED = frozenset(SIGNAL_OF.values())


def judge_arrivals(desk: Desk, batches: Sequence[Any], *, received_by: datetime) -> None:
    """Judge everybody whose single measurements are in these batches of the log, once, in the caller's transaction."""
    arrived = arrivals(from_payload(b"".join(batch.payload for batch in batches)), read_devices(desk))
    for patient_id, (value, t_ms) in arrived.worn.items():
        ask_for_thermometer(desk, patient_id, value, instant(t_ms))
    beats = {patient_id: instant(t_ms) for patient_id, t_ms in arrived.beats.items()}
    for patient_id in derive_breathing(desk, beats, received_by, earliest=beats) if beats else ():
        if (held := held_now(desk, patient_id, on=received_by)) is not None:
            _judge_limits(desk, patient_id, Signal.RESPIRATORY_RATE, held, received_by)
    for (patient_id, signal), t_ms in arrived.single.items():
        judge_stored(desk, patient_id, signal, received_by=received_by, since=instant(t_ms))


def judge_stored(
    desk: Desk, patient_id: int, signal: Signal, *, received_by: datetime, since: datetime, held: Held | None = None
) -> None:
    """Run every stored rule of this signal over the patient's recent history, in the caller's transaction.

    `since` is the earliest of what arrived. `held`: what the patient is held to; None: read anew.
    """
    held = held or held_now(desk, patient_id, on=received_by)
    if held is None:
        return
    signals = [signal]
    if signal is Signal.SPO2 and form_spot_sessions(desk, patient_id, since=since, received_by=received_by):
        signals.append(Signal.PULSE)  # a session has one, too
    for each in signals:
        _judge_limits(desk, patient_id, each, held, received_by)
    if signal in _SCORED:
        _judge_scores(desk, patient_id, held, received_by)


def _judge_limits(desk: Desk, patient_id: int, signal: Signal, held: Held, received_by: datetime) -> None:
    fevers = held.fever if signal is Signal.TEMPERATURE else ()
    repeats = [rule for rule in held.repeat if rule.signal is signal]
    if not fevers and not repeats:
        return
    rules = [*(rule.rule for rule in fevers), *(rule.rule for rule in repeats)]
    start = beginning(desk, patient_id, signal, rules=rules, received_by=received_by)
    history = measurements(desk, patient_id, signal, start=start, received_by=received_by)
    if signal is Signal.RESPIRATORY_RATE:
        history += counts(desk, patient_id, start=start, received_by=received_by)
    for fever in fevers:
        feverish = fever_spells(history, fever)
        _record(desk, patient_id, fever.rule, Basis.FEVER, [(s, _evidence(desk, held, fever, s)) for s in feverish])
        for spell in feverish[-1:]:
            ask_about_fever(desk, patient_id, spell)
    exerted = _exerted(desk, patient_id, history, repeats, received_by)
    for repeat in repeats:
        spells = repeat_spells(exerted if repeat.after_activity else history, repeat)
        judged = [(s, _evidence(desk, held, repeat, s)) for s in spells]
        _record(desk, patient_id, repeat.rule, Basis.REPEAT, judged)
        _wait(desk, patient_id, repeat.rule, judged, asks=repeat)


def _judge_scores(desk: Desk, patient_id: int, held: Held, received_by: datetime) -> None:
    if not held.news2:
        return
    found = scored(desk, patient_id, held, received_by=received_by)
    for rule in held.news2:
        judged = [(each.spell, score_evidence(each, rule) | _of_spell(held, each.spell)) for each in found[rule.rule]]
        _record(desk, patient_id, rule.rule, Basis.REPEAT, judged)
        _wait(desk, patient_id, rule.rule, judged)


def _exerted(
    desk: Desk, patient_id: int, history: list[Measurement], repeats: Sequence[RepeatRule], received_by: datetime
) -> list[Measurement]:
    if not any(rule.after_activity for rule in repeats):
        return history
    times = [m.t_ms for m in history if m.trusted]
    after = instants_after_activity(desk, patient_id, times, rule=desk.profile.activity, received_by=received_by)
    return [replace(m, exerted=m.t_ms in after) for m in history]


def _record(desk: Desk, patient_id: int, rule: str, basis: Basis, judged: Judged) -> None:
    """Record what is new: a spell that has begun or ended, or one of the past that nobody knew of.

    The history's window slides, and late readings move a spell's beginning: a condition that is recorded as holding
    goes on as the newest spell, whenever that is now said to have begun.
    """
    spells = [spell for spell, _ in judged]
    holding = desk.one("active_since", patient_id=patient_id, rule=rule, basis=basis)
    for spell, evidence in judged:
        if spell.raised_ms is None:
            continue
        raised = _raise(patient_id, basis, spell, evidence)
        if spell.cleared_ms is None:
            if holding is None and spell is spells[-1]:
                record_raise(desk, raised)
        elif holding is not None and instant(spell.cleared_ms) >= holding.since and not _holds_after(spells, spell):
            record_clear(desk, patient_id=patient_id, rule=rule, basis=basis, at=instant(spell.cleared_ms))
            holding = None
        elif not was_told(desk, patient_id, rule, since=raised.since, until=instant(spell.cleared_ms)):
            record_raise(desk, raised)


def _holds_after(spells: Sequence[Spell], spell: Spell) -> bool:
    """Say whether a later spell has been raised and is not over: then the condition goes on."""
    return any(s.since_ms > spell.since_ms and s.raised_ms is not None and s.cleared_ms is None for s in spells)


def _wait(desk: Desk, patient_id: int, rule: str, judged: Judged, *, asks: RepeatRule | None = None) -> None:
    """Keep what waits for a repeat, for the clock to raise; or that nothing does."""
    place = {"patient_id": patient_id, "rule": rule, "basis": Basis.REPEAT}
    waiting, evidence = judged[-1] if judged else (None, {})
    if waiting is None or waiting.due_ms is None:
        desk.run("drop_pending", **place)
        return
    since, due_at = instant(waiting.since_ms), instant(waiting.due_ms)
    desk.run("save_pending", **place, since=since, due_at=due_at, evidence=json(evidence))
    ask_for_repeat(desk, patient_id, waiting, rule=asks, due_ms=waiting.due_ms)


def _raise(patient_id: int, basis: Basis, spell: Spell, evidence: Mapping[str, object]) -> Raise:
    assert spell.raised_ms is not None, "only what was raised is recorded"
    return Raise(
        patient_id=patient_id,
        rule=spell.rule,
        basis=basis,
        since=instant(spell.since_ms),
        raised_at=instant(spell.raised_ms),
        key=raise_key(patient_id, spell.rule, basis, instant(spell.since_ms)),
        evidence=dict(evidence),
        past=spell.cleared_ms is not None,
    )


def raise_key(patient_id: int, rule: str, basis: str, since: datetime) -> str:
    """Name the raise of a condition that began then: the clock and the next reading must not both raise it."""
    return f"{patient_id}:{rule}:{basis}:{unix_ms(since)}"


def _evidence(desk: Desk, held: Held, rule: RepeatRule | FeverRule, spell: Spell) -> dict[str, object]:
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
        | _of_spell(held, spell)
    )


def _of_spell(held: Held, spell: Spell) -> dict[str, object]:
    return {
        "since": instant(spell.since_ms).isoformat(),
        "readings_beyond": spell.count,
        "hours": round((spell.newest_ms - spell.since_ms) / 3_600_000, 1),
        "profile": held.name,
        "profile_hash": held.hash,
        **({"why": spell.why} if spell.why else {}),
    }

"""Records what is new about a patient's conditions by single measurements: over, raised, past, or waiting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerting.desk import Desk, instant, unix_ms
from alerting.judging.told import was_told
from alerting.raising import Basis, Raise
from alerting.recording import record_clear, record_raise
from alerting.spot.changes import Change, Kind, WellAt, changes
from alerting.spot.spells import Spell

Judged = Sequence[tuple[Spell, Mapping[str, object]]]
"""A rule's spells, each with the evidence a raise of it carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A rule as it was judged for a patient over what is stored.

    `known_ms`: the newest value that was known before what came now. `well_at`: whether his newest values are well by
    themselves (alerting/spot/changes.py).
    """

    patient_id: int
    rule: str
    basis: Basis
    judged: Judged
    known_ms: int
    well_at: WellAt


def record_conditions(desk: Desk, conditions: Sequence[Condition], *, received_by: datetime) -> None:
    """Record what is new of a patient's rules, in order of time: what the record holds is over, or one is raised.

    In order, as a family is over with its last rule, and what is raised behind that alarms anew. The caller holds the
    patient's lock.
    """
    found = [(change, condition) for condition in conditions for change in _changes(desk, condition)]
    for change, condition in sorted(found, key=lambda each: each[0].at_ms):
        if change.spell is None:
            _clear(desk, condition, at=instant(change.at_ms))
            continue
        raised = _raise(condition, change.spell)
        if change.kind is Kind.RAISED:
            _begin(desk, raised, received_by)
        elif change.follows or not _is_told(desk, raised, change.spell):
            record_raise(desk, raised)


def record_ends(desk: Desk, conditions: Sequence[Condition], *, received_by: datetime) -> None:
    """Record only what is over: what a patient is held to has changed, nothing has been measured.

    The caller holds the patient's lock.
    """
    for condition in conditions:
        if any(change.kind is Kind.OVER for change in _changes(desk, condition)):
            _clear(desk, condition, at=received_by)


def keep_waiting(desk: Desk, patient_id: int, rule: str, judged: Judged) -> Spell | None:
    """Keep what waits for a repeat, for the clock to raise, and give it; or that nothing does."""
    place = {"patient_id": patient_id, "rule": rule, "basis": Basis.REPEAT}
    waiting, evidence = judged[-1] if judged else (None, {})
    if waiting is None or waiting.due_ms is None:
        desk.write("drop_pending", [place])
        return None
    since, due_at = instant(waiting.since_ms), instant(waiting.due_ms)
    desk.write("save_pending", [place | {"since": since, "due_at": due_at, "evidence": evidence}])
    return waiting


def raise_key(patient_id: int, rule: str, basis: str, since: datetime) -> str:
    """Name the raise of a condition that began then: the clock and the next reading must not both raise it."""
    return f"{patient_id}:{rule}:{basis}:{unix_ms(since)}"


def _changes(desk: Desk, condition: Condition) -> list[Change]:
    place = {"patient_id": condition.patient_id, "rule": condition.rule, "basis": condition.basis}
    holding = desk.one("active_since", **place)
    return changes(
        [spell for spell, _ in condition.judged],
        holds_ms=unix_ms(holding.since) if holding else None,
        known_ms=condition.known_ms,
        well_at=condition.well_at,
    )


def _clear(desk: Desk, condition: Condition, *, at: datetime) -> None:
    record_clear(desk, patient_id=condition.patient_id, rule=condition.rule, basis=condition.basis, at=at)


def _begin(desk: Desk, raised: Raise, received_by: datetime) -> None:
    """Record that a condition holds; one that was raised, called over and is there again gets a key of its own.

    (A limit was changed and changed back, or a late value lies between those that had ended it.)
    """
    is_again = _is_recorded(desk, raised.key)
    record_raise(desk, replace(raised, key=f"{raised.key}:{unix_ms(received_by)}") if is_again else raised)


def _is_told(desk: Desk, raised: Raise, spell: Spell) -> bool:
    assert raised.patient_id is not None, "what is measured is a patient's"
    until = instant(spell.cleared_ms or spell.newest_ms)
    return _is_recorded(desk, raised.key) or was_told(
        desk, raised.patient_id, raised.rule, since=raised.since, until=until
    )


def _is_recorded(desk: Desk, key: str) -> bool:
    found = desk.one("event_exists", key=key)
    return found is not None and bool(found.recorded)


def _raise(condition: Condition, spell: Spell) -> Raise:
    assert spell.raised_ms is not None, "only what was raised is recorded"
    return Raise(
        patient_id=condition.patient_id,
        rule=spell.rule,
        basis=condition.basis,
        since=instant(spell.since_ms),
        raised_at=instant(spell.raised_ms),
        key=raise_key(condition.patient_id, spell.rule, condition.basis, instant(spell.since_ms)),
        evidence=dict(next(evidence for each, evidence in condition.judged if each is spell)),
        past=spell.cleared_ms is not None,
    )

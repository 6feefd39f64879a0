"""Judges both patients again where readings of one were the other's, from what is stored of each by now.

The log says so behind the move (ingest/tend/moving.py). Who has got readings is judged as by any late data: what holds
at his newest reading pages with the truth about when it began, what is over goes to the worklist. Who has lost some is
judged as if they had never come: what held by them and was closed with the correction is forgotten first; an alarm that
nobody closed stays, with its condition.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from alerting.derived.breathing import derive_breathing
from alerting.desk import Desk, instant
from alerting.engine.partition import Partition
from alerting.isolation import isolated
from alerting.judging.history import judge_again, record_judged_again
from alerting.judging.stored import judge_stored
from alerting.profile.profile import Profile
from alerting.spot.news2 import SIGNAL_OF
from ingest.moved import Moved, MovedError, from_payload
from vitals.signals import SIGNAL_BY_CODE, Signal

log = structlog.get_logger()


def judge_moved(desk: Desk, state: Partition, batch: Any, *, received_by: datetime) -> None:
    """Judge whom a batch of kind `moved` names again, in the caller's transaction."""
    moved = _read(batch, state)
    if moved is None:
        return
    patient_id, since = moved.patient_id, instant(moved.judged_from_ms)
    with isolated(desk, patient_id, since=since):
        desk.run("lock_patient", patient_id=patient_id)
        if moved.gone:
            _forget(desk, moved)
        _begin_anew(desk, state, patient_id)
    with isolated(desk, patient_id, since=since):
        for channel in state.rules:
            judged = judge_again(
                desk, state, channel, patient_id, earliest_ms=moved.judged_from_ms, received_by=received_by
            )
            # What was raised before at the same instant, and ended by readings that were another's, is news again.
            raises = [
                each if each.past else replace(each, key=f"{each.key}:moved:{moved.correction_id}")
                for each in judged.raises
            ]
            record_judged_again(desk, replace(judged, raises=raises), received_at=received_by)
        derive_breathing(desk, [patient_id], received_by, earliest={patient_id: since})
        judge_stored(desk, patient_id, received_by=received_by, since=since)


def replay_moved(desk: Desk, state: Partition, batch: Any) -> None:
    """Bring the arrays to what they were behind such a batch; nothing is recorded."""
    moved = _read(batch, state)
    if moved is None:
        return
    with isolated(desk, moved.patient_id, since=instant(moved.judged_from_ms)):
        _begin_anew(desk, state, moved.patient_id)
        for channel in state.rules:
            judge_again(
                desk,
                state,
                channel,
                moved.patient_id,
                earliest_ms=moved.judged_from_ms,
                received_by=batch.received_at,
            )


def rules_reading(profile: Profile, signals: Iterable[Signal]) -> dict[str, frozenset[Signal]]:
    """Give the rules that are judged by any of these signals, and by which of them."""
    measured = frozenset(signals)
    if Signal.RR_INTERVAL in measured:
        measured |= {Signal.RESPIRATORY_RATE}  # derived of it
    by = [(rule.rule, channel.signal) for channel, rules in profile.sustained.items() for rule in rules]
    by += [(rule.rule, rule.signal) for rule in profile.repeat]
    by += [(rule.rule, Signal.TEMPERATURE) for rule in profile.fever]
    by += [(rule.rule, signal) for rule in profile.news2 for signal in SIGNAL_OF.values()]
    found: dict[str, frozenset[Signal]] = {}
    for rule, signal in by:
        if signal in measured:
            found[rule] = found.get(rule, frozenset()) | {signal}
    return found


def _forget(desk: Desk, moved: Moved) -> None:
    signals = [SIGNAL_BY_CODE[code] for code in moved.signals]
    values = {
        "patient_id": moved.patient_id,
        "rules": sorted(rules_reading(desk.profile, signals)),
        "since": instant(moved.from_ms),
        "until": None if moved.until_ms is None else instant(moved.until_ms),
    }
    desk.run("drop_waits", **values)
    desk.run("forget_conditions", **values)
    desk.run("forget_derived", **values, device_id=moved.device_id)


def _begin_anew(desk: Desk, state: Partition, patient_id: int) -> None:
    """Let nothing be known of a patient but what holds by the record."""
    for channel in state.rules:
        state.replace(channel, patient_id, state.again(channel, patient_id))
    holds = {row.rule for row in desk.all("sustained_of", patient_id=patient_id)}
    state.activate(
        (channel, patient_id, place)
        for channel, rules in state.rules.items()
        for place, rule in enumerate(rules)
        if rule.rule in holds
    )


def _read(batch: Any, state: Partition) -> Moved | None:
    try:
        return from_payload(bytes(batch.payload))
    except MovedError as exc:
        log.error("moved_not_understood", partition=state.number, batch=batch.batch_id, reason=str(exc))
        return None

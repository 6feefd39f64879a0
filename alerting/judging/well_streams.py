"""Ends what was raised by single measurements once a stream of their signal has been well for long enough.

Somebody who was measured by a clip and then wears a continuous oximeter is clipped no more, so no measurement would
ever end it; and a stream that is well for minutes says more than two clips. What well is, and for how long, is the
sustained rule's matter: its own step judges the stream, begun with the rule held. A stream says nothing of what was
measured later.
"""

from datetime import datetime
from typing import Any

import numpy as np

from alerting.derived.breathing import counts
from alerting.desk import Desk, instant, unix_ms
from alerting.engine.partition import Partition
from alerting.isolation import isolated
from alerting.judging.history import LEAD, course
from alerting.judging.measured import held_now, measurements
from alerting.profile.profile import Channel, RepeatRule, Trust
from alerting.raising import Basis
from alerting.recording import record_clear
from ingest.feed import Rows
from vitals.quality import Quality
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.sustained import Kind, Limit


def over_by_streams(desk: Desk, patient_id: int) -> dict[str, int]:
    """Say since when (Unix ms) each rule's measurements confirm nothing any more: a stream said that it was over."""
    return {row.rule: unix_ms(row.at) for row in desk.all("spot_over", patient_id=patient_id)}


def end_what_streams_end(desk: Desk, state: Partition, rows: Rows, *, received_by: datetime) -> None:
    """End what holds for those who streamed in these rows and whose streams are well, in the caller's transaction."""
    streamed = rows[(rows["acquisition"] == Acquisition.CONTINUOUS) & (rows["value"] != NO_VALUE)]
    patients = np.unique(streamed["patient"]).tolist()
    if not patients:
        return
    standing = desk.all("held_by_measurements", partition=state.number, patients=patients)
    for row in standing:
        if row.basis == Basis.REPEAT:
            with isolated(desk, row.patient_id, since=row.since):
                _end(desk, state, streamed[streamed["patient"] == row.patient_id], row, received_by)


def _end(desk: Desk, state: Partition, streamed: Rows, row: Any, received_by: datetime) -> None:
    if not any(each.rule == row.rule and _of(streamed, each.signal).size for each in desk.profile.repeat):
        return
    held = held_now(desk, row.patient_id, on=received_by)
    rule = next((r for r in held.repeat if r.rule == row.rule and r.holds), None) if held else None
    if rule is None or not _is_ever_well(_of(streamed, rule.signal), rule):
        return
    stream = _stream_rule(desk, state, row.patient_id, rule)
    if stream is None:
        return
    channel, name = stream
    begin = _newest_beyond(desk, row, rule, received_by)
    earliest = instant(int(streamed["measured_ms"].min())) - LEAD
    again = state.again(channel, row.patient_id)
    again.hold(name)
    times, values = course(desk, channel, row.patient_id, start=max(begin, earliest), received_by=received_by)
    after = times > unix_ms(begin)
    said = again.judge(times[after], values[after])
    over = next((event.at_ms for event in said if event.rule == name and event.kind is Kind.CLEAR), None)
    if over is not None:
        place = {"patient_id": row.patient_id, "rule": row.rule}
        record_clear(desk, **place, basis=Basis.REPEAT, at=instant(over))
        desk.write("drop_pending", [place | {"basis": Basis.REPEAT}])
        desk.run("save_spot_over", **place, at=instant(over))


def _of(rows: Rows, signal: Signal) -> Rows:
    found: Rows = rows[rows["signal"] == SIGNALS[signal].code]
    return found


def _is_ever_well(streamed: Rows, rule: RepeatRule) -> bool:
    """Say whether any of these samples could be the one that ends a condition."""
    good = streamed["value"][streamed["quality"] == Quality.GOOD].tolist()
    return any(rule.trust is Trust.QUESTIONABLE or rule.is_well(value) for value in good)


def _newest_beyond(desk: Desk, row: Any, rule: RepeatRule, received_by: datetime) -> datetime:
    history = measurements(desk, row.patient_id, rule.signal, start=row.since, received_by=received_by)
    if rule.signal is Signal.RESPIRATORY_RATE:
        history += counts(desk, row.patient_id, start=row.since, received_by=received_by)
    short = (m.t_ms for m in history if (not rule.is_well(m.value) if m.trusted else rule.is_breach(m.value)))
    return instant(max(short, default=unix_ms(row.since)))


def _stream_rule(desk: Desk, state: Partition, patient_id: int, rule: RepeatRule) -> tuple[Channel, str] | None:
    """Find the sustained rule that says when a stream is well for this one: its own, or one of its family as strict."""
    channel = Channel(signal=rule.signal, trust=rule.trust)
    if channel not in state.rules:
        return None
    limits = state.again(channel, patient_id).table.limits_of(0)
    family = desk.profile.consequences[rule.rule].family
    fitting = [
        (each.rule != rule.rule, place)
        for place, (each, limit) in enumerate(zip(state.rules[channel], limits, strict=True))
        if each.low is rule.low
        and limit != each.never
        and desk.profile.consequences[each.rule].family == family
        and (each.rule == rule.rule or _is_as_strict(limit, rule))
    ]
    return (channel, state.rules[channel][min(fitting)[1]].rule) if fitting else None


def _is_as_strict(limit: Limit, rule: RepeatRule) -> bool:
    return limit.clear_at >= rule.clear_at if rule.low else limit.clear_at <= rule.clear_at

"""Looks at the clock, not at data: silence, and conditions that waited long enough.

Runs every few seconds over `latest` and `pending` with `now`, so it works when ingest or the broker is dead too.
Silence never clears anything: what can not be known becomes `unknown`.
"""

from datetime import timedelta
from typing import Any

from alerting.desk import Desk, unix_ms
from alerting.episodes import Act, move_for
from alerting.isolation import one_by_one
from alerting.judging.stored import raise_key
from alerting.moving import add_event, carry_out, standing_of
from alerting.profile.profile import Priority, no_data_rule
from alerting.raising import Basis, Raise
from alerting.recording import record_raise


def sweep(desk: Desk) -> int:
    """Judge silence and overdue conditions at `desk.now`; gives how many alarms were raised."""
    lost_after = timedelta(seconds=desk.profile.silence.lost_while_low_s)
    overdue = desk.all("overdue_pending", now=desk.now, lost_after=lost_after)
    raised = one_by_one(overdue, lambda row: _raise_overdue(desk, row), what="overdue")
    return raised + _judge_silence(desk)


def _raise_overdue(desk: Desk, row: Any) -> int:
    with desk.connection.transaction():
        desk.run("lock_patient", patient_id=row.patient_id)
        place = {"patient_id": row.patient_id, "rule": row.rule, "basis": row.basis}
        waited = desk.one("take_pending", **place, now=desk.now)
        basis = Basis(row.basis)
        rule = _still_holding(desk, row) if basis is Basis.RECHECK else row.rule
        if waited is None or rule not in desk.profile.consequences:
            return 0
        why = {Basis.SUSTAINED: "lost_while_low", Basis.RECHECK: "still_present"}.get(basis, "no_repeat")
        said = record_raise(
            desk,
            Raise(
                patient_id=row.patient_id,
                rule=rule,
                basis=basis,
                since=waited.since,
                raised_at=min(waited.due_at, desk.now),
                key=raise_key(row.patient_id, row.rule, row.basis, waited.since),
                evidence=waited.evidence | {"why": why},
            ),
        )
    return said is not None


def _still_holding(desk: Desk, row: Any) -> str:
    """Name the most urgent rule of a closed alarm's family that holds now; none: the condition ended after all."""
    known = desk.profile.consequences
    if row.rule not in known:
        return ""
    holding = desk.all("active_of_family", patient_id=row.patient_id, family=known[row.rule].family)
    ranked = sorted((known[h.rule] for h in holding if h.rule in known), key=lambda c: c.rank)
    return ranked[0].rule if ranked else ""


def _judge_silence(desk: Desk) -> int:
    limits = desk.profile.silence
    silent = desk.all("silent_devices", now=desk.now, low_after=timedelta(seconds=limits.low_after_s))
    raised = one_by_one(silent, lambda device: _raise_silence(desk, device), what="silence")
    patients = sorted({device.patient_id for device in silent})
    back = desk.all("no_data_episodes", silent=patients)
    one_by_one(back, lambda row: _end_silence(desk, row), what="end of silence")
    with desk.connection.transaction():
        for row in desk.all("unknown_conditions", silent=patients):
            add_event(desk, row.episode_id, kind="condition")
    return raised


def _raise_silence(desk: Desk, device: Any) -> int:
    limits = desk.profile.silence
    watched = device.watched or device.service_tier == 3
    medium_after_s = limits.medium_after_watched_s if watched else limits.medium_after_s
    since = device.silent_since
    silent_s = (desk.now - since).total_seconds()
    priority = Priority.MEDIUM if silent_s >= medium_after_s else Priority.LOW
    raised = Raise(
        patient_id=device.patient_id,
        rule=no_data_rule(priority),
        basis=Basis.SILENCE,
        since=since,
        raised_at=desk.now,
        key=f"{device.patient_id}:{no_data_rule(priority)}:{device.device_id}:{unix_ms(since)}",
        evidence={
            "device": device.device_key,
            "last_good_at": device.good_measured_at.isoformat() if device.good_measured_at else None,
            "last_heard_at": device.heard_at.isoformat() if device.heard_at else None,
            "why": "unusable" if device.heard_at and device.heard_at > since else "nothing_received",
        },
    )
    with desk.connection.transaction():
        return record_raise(desk, raised) is not None


def _end_silence(desk: Desk, row: Any) -> int:
    """A technical episode of low or medium priority ends with its cause, kept and counted."""
    with desk.connection.transaction():
        desk.run("lock_patient", patient_id=row.patient_id)
        episode = desk.one("lock_episode", episode_id=row.episode_id)
        if episode is None or episode.state == "closed":
            return 0
        for priority in (Priority.LOW, Priority.MEDIUM):
            rule = no_data_rule(priority)
            desk.run("deactivate", patient_id=row.patient_id, rule=rule, basis=Basis.SILENCE)
        move = move_for(standing_of(episode), Act.CAUSE_ENDED)
        event_id = add_event(desk, row.episode_id, kind="cause_ended", states=(episode.state, move.to))
        carry_out(desk, episode, Act.CAUSE_ENDED, move, event_id=event_id or 0)
    return 1

"""Looks at the clock, not at data: silence, and conditions that waited long enough.

Runs every few seconds over `latest` and `pending` with `now`, so it works when ingest or the broker is dead too.
Silence never clears anything: what can not be known becomes `unknown`.
"""

from datetime import timedelta
from typing import Any

from alerting.desk import Desk, unix_ms
from alerting.episodes import Act, move_for
from alerting.moving import add_event, carry_out, standing_of
from alerting.profile import Priority, no_data_rule
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from alerting.stored import raise_key


def sweep(desk: Desk) -> int:
    """Judge silence and overdue conditions at `desk.now`; gives how many alarms were raised."""
    return _raise_overdue(desk) + _judge_silence(desk)


def _raise_overdue(desk: Desk) -> int:
    raised = 0
    with desk.connection.transaction():
        lost_after = timedelta(seconds=desk.profile.silence.lost_while_low_s)
        for row in desk.all("overdue_pending", now=desk.now, lost_after=lost_after):
            basis = Basis(row.basis)
            key = raise_key(row.patient_id, row.rule, row.basis, row.since)
            why = {Basis.SUSTAINED: "lost_while_low", Basis.RECHECK: "still_present"}.get(basis, "no_repeat")
            said = record_raise(
                desk,
                Raise(
                    patient_id=row.patient_id,
                    rule=row.rule,
                    basis=basis,
                    since=row.since,
                    raised_at=min(row.due_at, desk.now),
                    key=key,
                    evidence=row.evidence | {"why": why},
                ),
            )
            desk.run("drop_pending", patient_id=row.patient_id, rule=row.rule, basis=row.basis)
            raised += said is not None
    return raised


def _judge_silence(desk: Desk) -> int:
    limits = desk.profile.silence
    raised = 0
    with desk.connection.transaction():
        silent = desk.all("silent_devices", now=desk.now, low_after=timedelta(seconds=limits.low_after_s))
        for device in silent:
            raised += _raise_silence(desk, device)
        patients = sorted({device.patient_id for device in silent})
        _end_silence(desk, patients)
        for row in desk.all("unknown_conditions", silent=patients):
            add_event(desk, row.episode_id, kind="condition")
    return raised


def _raise_silence(desk: Desk, device: Any) -> int:
    limits = desk.profile.silence
    watched = device.watched or device.service_tier == 3
    medium_after_s = limits.medium_after_watched_s if watched else limits.medium_after_s
    since = device.good_at or device.first_at
    silent_s = (desk.now - since).total_seconds()
    priority = Priority.MEDIUM if silent_s >= medium_after_s else Priority.LOW
    said = record_raise(
        desk,
        Raise(
            patient_id=device.patient_id,
            rule=no_data_rule(priority),
            basis=Basis.SILENCE,
            since=since,
            raised_at=desk.now,
            key=f"{device.patient_id}:{no_data_rule(priority)}:{device.device_id}:{unix_ms(since)}",
            evidence={
                "device": device.device_key,
                "last_good_at": device.good_measured_at.isoformat() if device.good_measured_at else None,
                "last_heard_at": device.heard_at.isoformat(),
                "why": "unusable" if device.heard_at > since else "nothing_received",
            },
        ),
    )
    return said is not None


def _end_silence(desk: Desk, silent: list[int]) -> None:
    """A technical episode of low or medium priority ends with its cause, kept and counted."""
    for row in desk.all("no_data_episodes", silent=silent):
        episode = desk.one("lock_episode", episode_id=row.episode_id)
        if episode is None or episode.state == "closed":
            continue
        for priority in (Priority.LOW, Priority.MEDIUM):
            desk.run("deactivate", patient_id=row.patient_id, rule=no_data_rule(priority), basis=Basis.SILENCE)
        move = move_for(standing_of(episode), Act.CAUSE_ENDED)
        event_id = add_event(desk, row.episode_id, kind="cause_ended", states=(episode.state, move.to))
        carry_out(desk, episode, Act.CAUSE_ENDED, move, event_id=event_id or 0)

"""Forms the sessions of clips that stream, and keeps them (alerting/spot/sessions.py says what a session is).

A session that ended for good stays as it is, so forming goes on behind the newest one that no sample which came now
can reach: the outcome is that of all samples together, in whatever order they came.
"""

from datetime import datetime, timedelta

from alerting.desk import Desk, instant, unix_ms
from alerting.judging.asking import ask_to_hold_still
from alerting.spot.sessions import ClipSample, Session, Status, form_sessions
from vitals.quality import Quality, Reason

KEPT = timedelta(days=90)
"""How long sessions are kept: as long as the samples they are made of."""


def form_spot_sessions(desk: Desk, patient_id: int, *, since: datetime, received_by: datetime) -> int:
    """Form a patient's sessions anew as far as samples since an instant can change them; says how many were formed."""
    clips = desk.all("clips_of", patient_id=patient_id, start=since, received_by=received_by)
    return sum(_form(desk, patient_id, clip.device_id, since=since, received_by=received_by) for clip in clips)


def _form(desk: Desk, patient_id: int, device_id: int, *, since: datetime, received_by: datetime) -> int:
    rule = desk.profile.sessions
    whose = {"patient_id": patient_id, "device_id": device_id}
    row = desk.one("session_before", **whose, before=since - timedelta(milliseconds=rule.gap_ms))
    previous = row and Session(
        start_ms=unix_ms(row.started_at),
        at_ms=unix_ms(row.at),
        value=row.value,
        pulse=row.pulse,
        status=Status(row.status),
    )
    after = row.at if row else received_by - KEPT
    samples = [
        ClipSample(
            t_ms=unix_ms(said.measured_at),
            value=said.spo2,
            good=said.word >> 6 == Quality.GOOD,
            finger_out=said.word & 63 == Reason.FINGER_OUT,
            pulse=said.pulse,
        )
        for said in desk.all("clip_samples", **whose, after=after, received_by=received_by)
    ]
    formed = form_sessions(samples, rule, previous=previous)
    desk.run("forget_sessions", **whose, after=after, kept_from=received_by - KEPT)
    for session in formed:
        desk.run(
            "save_session",
            **whose,
            started_at=instant(session.start_ms),
            at=instant(session.at_ms),
            value=session.value,
            pulse=session.pulse,
            status=session.status,
        )
        if session.status is Status.UNSTABLE:
            ask_to_hold_still(desk, patient_id, instant(session.start_ms))
    return len(formed)

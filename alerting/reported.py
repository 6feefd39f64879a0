"""Warning signs that a person reported: SYMPTOM by a person's decision, or by the clock where nobody decides in time.

Who found a sign is told by that, as a family doctor is by an alarm. So the clock runs from the report as from an alarm
(CLINICAL 3.1: no persistence; 6.2): undecided for as long as a high alarm may be unanswered, it is raised, and its next
deadline is the one that has just passed: the township's duty is told at once, tier 3 when it would have been.
"""

from datetime import datetime, timedelta
from typing import Any

from alerting.desk import Desk
from alerting.isolation import one_by_one
from alerting.profile.profile import SYMPTOM
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from care.following_up import contact_of, decide_by_clock

SIGNS_MAX = 500
"""Undecided contacts raised in one tick; what is left is the next tick's, the longest overdue first."""


def decide_by(desk: Desk, at: datetime) -> datetime:
    """Give by when somebody has to decide on warning signs that were reported at an instant."""
    timers = desk.profile.timers[desk.profile.consequences[SYMPTOM].priority]
    return at + timedelta(seconds=timers.duty_s)


def raise_overdue_signs(desk: Desk) -> int:
    """Raise what nobody has decided on in time, each in a transaction of its own; gives how many were."""
    due = desk.all("undecided_signs", now=desk.now, limit=SIGNS_MAX)
    return one_by_one(due, lambda row: _raise_overdue(desk, row), what="undecided warning signs")


def raise_signs(desk: Desk, found: Any) -> int | None:
    """Raise SYMPTOM for a contact (care.following_up.Said) in the caller's transaction; gives its episode."""
    profile = desk.profile
    desk.run("keep_profile", profile_hash=profile.profile_hash, name=profile.name, body=profile.body, now=desk.now)
    return record_raise(
        desk,
        Raise(
            patient_id=found.patient_id,
            rule=SYMPTOM,
            basis=Basis.REPORTED,
            since=found.at,
            raised_at=desk.now,
            key=f"{found.patient_id}:{SYMPTOM}:{Basis.REPORTED}:{found.contact_id}",
            evidence={"signs": found.warning_signs, "way": found.way, "contact": found.contact_id},
        ),
    )


def _raise_overdue(desk: Desk, row: Any) -> int:
    with desk.connection.transaction():
        if not decide_by_clock(desk.connection, row.contact_id, now=desk.now):
            return 0
        episode_id = raise_signs(desk, contact_of(desk.connection, row.contact_id))
        desk.run("count_from", episode_id=episode_id, due_at=row.decide_by, now=desk.now)
    return 1

"""Looks at the clock, not at data: conditions that waited long enough, and everything technical.

Runs every few seconds over tables with `now`, so it works when ingest or the broker is dead too. Silence never clears
anything: what can not be known becomes `unknown`.
"""

from datetime import timedelta
from typing import Any

from alerting.desk import Desk
from alerting.duty_news import tell_of_duty
from alerting.isolation import one_by_one
from alerting.judging.conditions import raise_key
from alerting.judging.rechecking import is_beyond_since
from alerting.profile.profile import Trust
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from alerting.technical.look import look
from vitals.signals import SIGNALS


def sweep(desk: Desk) -> int:
    """Judge overdue conditions and what is technical at `desk.now`, tell of duty; gives how many alarms were raised."""
    lost_after = timedelta(seconds=desk.profile.silence.lost_while_low_s)
    judged = [(rule.rule, channel) for channel, rules in desk.profile.sustained.items() for rule in rules]
    overdue = desk.all(
        "overdue_pending",
        now=desk.now,
        lost_after=lost_after,
        rules=[rule for rule, _ in judged],
        codes=[SIGNALS[channel.signal].code for _, channel in judged],
        worn=[channel.trust is Trust.WELLNESS for _, channel in judged],
    )
    raised = one_by_one(overdue, lambda row: _raise_overdue(desk, row), what="overdue")
    raised += look(desk)
    tell_of_duty(desk)
    return raised


def _raise_overdue(desk: Desk, row: Any) -> int:
    with desk.connection.transaction():
        desk.run("lock_patient", patient_id=row.patient_id)
        place = {"patient_id": row.patient_id, "rule": row.rule, "basis": row.basis}
        waited = desk.one("take_pending", **place, now=desk.now)
        if waited is None:
            return 0
        basis = Basis(row.basis)
        rule = _still_present(desk, row, waited) if basis is Basis.RECHECK else row.rule
        if rule not in desk.profile.consequences:
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


def _still_present(desk: Desk, row: Any, waited: Any) -> str:
    """Name the most urgent rule of a closed alarm's family that is present; none: the condition ended after all.

    What holds by the record, while all that was measured since is within its limit, is neither: it is looked at again.
    """
    known = desk.profile.consequences
    if row.rule not in known:
        return ""
    standing = desk.all("active_of_family", patient_id=row.patient_id, family=known[row.rule].family)
    holding = sorted((h for h in standing if h.rule in known), key=lambda h: known[h.rule].rank)
    for each in holding:
        if is_beyond_since(desk, row.patient_id, each.rule, Basis(each.basis), since=waited.since):
            return str(each.rule)
    if holding:
        again_at = desk.now + timedelta(seconds=desk.profile.silence.lost_while_low_s)
        place = {"patient_id": row.patient_id, "rule": row.rule, "basis": row.basis}
        desk.write("save_pending", [place | {"since": waited.since, "due_at": again_at, "evidence": waited.evidence}])
    return ""

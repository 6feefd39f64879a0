"""Judges again whoever could not be judged, from the earliest reading on that was left out, until it goes well.

What arrives meanwhile is tried as it comes. Judging from what is stored says nothing twice, so that it is no harm to
judge more of a patient than has failed.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog

from alerting.derived.breathing import derive_breathing
from alerting.desk import Desk, unix_ms
from alerting.engine.partition import Partition
from alerting.isolation import isolated
from alerting.judging.history import judge_again, record_judged_again
from alerting.judging.stored import judge_stored

RETRY_AFTER = timedelta(seconds=30)
"""How long after a failure a patient is judged again: before anybody is told, where the cause was passing."""

PATIENTS_MAX = 20
"""Patients judged again in one turn, the longest waiting first: the others' readings go on meanwhile."""

log = structlog.get_logger()


def unjudged_in(desk: Desk, partition: int) -> set[int]:
    """Name who of a partition could not be judged."""
    return {row.patient_id for row in desk.all("unjudged_in", partition=partition)}


def judge_the_unjudged(desk: Desk, state: Partition, *, received_by: datetime) -> int:
    """Try those again whose turn it is, in the caller's transaction; gives how many."""
    due = desk.all("unjudged_due", partition=state.number, tried_by=desk.now - RETRY_AFTER, most=PATIENTS_MAX)
    for row in due:
        desk.run("trying_again", patient_id=row.patient_id, now=desk.now)
        with isolated(desk, row.patient_id, since=row.since):
            _judge_wholly(desk, state, row, received_by)
            desk.run("judged_after_all", patient_id=row.patient_id)
            log.warning("patient_judged_after_all", patient_id=row.patient_id, failures=row.failures)
    return len(due)


def _judge_wholly(desk: Desk, state: Partition, row: Any, received_by: datetime) -> None:
    patient_id, since_ms = row.patient_id, unix_ms(row.since)
    for channel in state.rules:
        judged = judge_again(desk, state, channel, patient_id, earliest_ms=since_ms, received_by=received_by)
        record_judged_again(desk, judged, received_at=received_by)
    derive_breathing(desk, [patient_id], received_by, earliest={patient_id: row.since})
    judge_stored(desk, patient_id, received_by=received_by, since=row.since)

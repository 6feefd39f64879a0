"""Judges one patient again from what is stored, with the same step, when samples came late (ARCHITECTURE section 5)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from alerting.desk import Desk, instant, unix_ms
from alerting.engine import EngineState, PatientEvent, step
from alerting.raising import Basis, Raise
from alerting.recording import record_raise
from alerting.saying import raise_of, record_event
from ingest.feed import PARTITION_COUNT
from vitals.reading import Acquisition
from vitals.sustained import Kind, Phase, SustainedEvent

LEAD = timedelta(minutes=11)
"""How long before the earliest late sample the new judgement begins: the longest window and the clearing time."""

History = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def sustained_history(desk: Desk, patient_id: int, *, start: datetime, received_by: datetime) -> History:
    """Read a patient's good continuous SpO2 as arrays (patient ids, Unix ms, scaled values), each of shape (n,)."""
    rows = desk.all(
        "spo2_history",
        patient_id=patient_id,
        start=start,
        received_by=received_by,
        acquisitions=[int(Acquisition.CONTINUOUS)],
    )
    return (
        np.full(len(rows), patient_id, np.int32),
        np.array([unix_ms(row.measured_at) for row in rows], np.int64),
        np.array([row.spo2 for row in rows], np.int64),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAgain:
    """What a new judgement says: raises nobody was told of, and for each rule what waits now (or nothing does)."""

    patient_id: int
    raises: list[Raise]
    waiting: dict[str, SustainedEvent | None]


def judge_again(
    desk: Desk, state: EngineState, patient_id: int, earliest_ms: int, *, received_by: datetime
) -> JudgedAgain:
    """Judge a patient again from before the earliest late sample; the patient's row becomes the newly judged one.

    A condition that holds at the newest sample is raised as live; one that is over, and that no episode knew of, as
    past. A rule that was active stays so: late data never clears. Writes nothing.
    """
    start = instant(earliest_ms) - LEAD
    fresh = EngineState(state.rules, state.partition)
    events, _ = step(fresh, *sustained_history(desk, patient_id, start=start, received_by=received_by))
    row = patient_id // PARTITION_COUNT
    fresh.grow(row + 1)
    state.grow(row + 1)
    raises: list[Raise] = []
    waiting: dict[str, SustainedEvent | None] = {}
    for index, rule in enumerate(state.rules):
        if state.phase[index, row] == Phase.ACTIVE:
            fresh.phase[index, row] = Phase.ACTIVE
            continue
        of_rule = [e.event for e in events if e.event.rule == rule.rule]
        phase = fresh.phase[index, row]
        raises += _untold(desk, patient_id, of_rule, holds=phase == Phase.ACTIVE)
        begun = [event for event in of_rule if event.kind is Kind.PENDING]
        waiting[rule.rule] = begun[-1] if phase == Phase.PENDING and begun else None
    state.replace(patient_id, fresh)
    return JudgedAgain(patient_id=patient_id, raises=raises, waiting=waiting)


def record_judged_again(desk: Desk, judged: JudgedAgain, *, received_at: datetime) -> None:
    """Record a new judgement, in the caller's transaction."""
    for rule, event in judged.waiting.items():
        if event is None:
            desk.run("drop_pending", patient_id=judged.patient_id, rule=rule, basis=Basis.SUSTAINED)
        else:
            record_event(desk, PatientEvent(patient_id=judged.patient_id, event=event), received_at=received_at)
    for raised in judged.raises:
        record_raise(desk, raised)


def _untold(desk: Desk, patient_id: int, events: list[SustainedEvent], *, holds: bool) -> list[Raise]:
    untold = []
    raises = [event for event in events if event.kind is Kind.RAISE]
    for number, event in enumerate(raises):
        raised = raise_of(desk, PatientEvent(patient_id=patient_id, event=event))
        if holds and number == len(raises) - 1:
            untold.append(raised)
            continue
        cleared = next((e for e in events if e.kind is Kind.CLEAR and e.at_ms > event.at_ms), None)
        known = desk.one(
            "overlapping_episode",
            patient_id=patient_id,
            family=desk.profile.consequences[event.rule].family,
            since=instant(event.since_ms),
            until=instant(cleared.at_ms if cleared else event.at_ms),
        )
        if known is not None and known.known:
            continue
        key = f"{patient_id}:{event.rule}:past:{event.since_ms}"
        untold.append(replace(raised, key=key, evidence=raised.evidence | {"late": True}, past=True))
    return untold

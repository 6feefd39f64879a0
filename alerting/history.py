"""Judges one patient again from what is stored, with the same step, when samples came late (ARCHITECTURE section 5)."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from alerting.desk import Desk, instant, unix_ms
from alerting.engine import EngineState, PatientEvent, step
from alerting.raising import Raise
from alerting.saying import raise_of
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


def rejudge(desk: Desk, state: EngineState, patient_id: int, earliest_ms: int, *, received_by: datetime) -> list[Raise]:
    """Judge a patient again from before the earliest late sample; gives what had not been said.

    A condition that holds at the newest sample is raised as live; one that is over, and that no episode knew of, as
    past. A rule that was active stays so: late data never clears. The patient's row becomes the newly judged one.
    """
    start = instant(earliest_ms) - LEAD
    fresh = EngineState(state.rules, state.partition)
    events, _ = step(fresh, *sustained_history(desk, patient_id, start=start, received_by=received_by))
    fresh.grow(patient_id // PARTITION_COUNT + 1)
    state.grow(patient_id // PARTITION_COUNT + 1)
    row, said = patient_id // PARTITION_COUNT, []
    for index, rule in enumerate(state.rules):
        was_active = state.phase[index, row] == Phase.ACTIVE
        of_rule = [e.event for e in events if e.event.rule == rule.rule]
        if was_active:
            fresh.phase[index, row] = Phase.ACTIVE
            continue
        said += _unsaid(desk, patient_id, of_rule, holds=fresh.phase[index, row] == Phase.ACTIVE)
    state.replace(patient_id, fresh)
    return said


def _unsaid(desk: Desk, patient_id: int, events: list[SustainedEvent], *, holds: bool) -> list[Raise]:
    said: list[Raise] = []
    raises = [e for e in events if e.kind is Kind.RAISE]
    for number, event in enumerate(raises):
        live = holds and number == len(raises) - 1
        family = desk.profile.consequences[event.rule].family
        cleared = next((e for e in events if e.kind is Kind.CLEAR and e.at_ms > event.at_ms), None)
        until = instant(cleared.at_ms) if cleared else instant(event.at_ms)
        known = desk.one(
            "overlapping_episode",
            patient_id=patient_id,
            family=family,
            since=instant(event.since_ms),
            until=until,
        )
        if not live and known is not None and known.known:
            continue
        raised = raise_of(desk, PatientEvent(patient_id=patient_id, event=event))
        said.append(raised if live else replace(raised, evidence=raised.evidence | {"late": True}, past=True))
    return said

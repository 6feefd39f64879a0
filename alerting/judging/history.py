"""Judges one patient again from what is stored, with the same step, when samples came late (ARCHITECTURE section 5)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from alerting.desk import Desk, instant, unix_ms
from alerting.engine.partition import Partition, PatientEvent
from alerting.judging.channels import NOBODYS, QUALITIES, as_judged
from alerting.judging.saying import raises_of, record_events
from alerting.judging.told import was_told
from alerting.profile.profile import Channel, Trust
from alerting.raising import Basis, Raise
from alerting.recording import record_raises
from vitals.reading import Acquisition
from vitals.signals import SIGNALS
from vitals.sustained import GRAINS, Kind, Phase

LEAD = timedelta(milliseconds=2 * GRAINS[-1].slots * GRAINS[-1].bucket_ms)
"""How long before the earliest late sample the new judgement begins: the longest window, and before it a gap that is
just too short for data to begin anew (32 min)."""

Course = tuple[npt.NDArray[np.int64], npt.NDArray[np.int16]]


def course(desk: Desk, channel: Channel, patient_id: int, *, start: datetime, received_by: datetime) -> Course:
    """Read a patient's samples of a channel as arrays (Unix ms, scaled values), each of shape (n,)."""
    rows = desk.all(
        "channel_history",
        patient_id=patient_id,
        code=SIGNALS[channel.signal].code,
        start=start,
        received_by=received_by,
        acquisition=int(Acquisition.CONTINUOUS),
        qualities=[int(quality) for quality in QUALITIES[channel.trust]],
        nobodys=[int(reason) for reason in NOBODYS],
        wellness=channel.trust is Trust.WELLNESS,
    )
    values, quality = (np.array([getattr(row, name) for row in rows], np.int64) for name in ("value", "quality"))
    return np.array([unix_ms(row.measured_at) for row in rows], np.int64), as_judged(channel.trust, values, quality)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAgain:
    """What a new judgement says: raises nobody was told of, and for each rule what waits now (or nothing does)."""

    patient_id: int
    raises: list[Raise]
    waiting: dict[str, PatientEvent | None]


def judge_again(
    desk: Desk, state: Partition, channel: Channel, patient_id: int, *, earliest_ms: int, received_by: datetime
) -> JudgedAgain:
    """Judge a patient's channel again from before the earliest late sample; his row becomes the newly judged one.

    A condition that holds at the newest sample is raised as live; one that is over, and that no episode knew of, as
    past. A rule that was active stays so: late data never clears. Writes nothing.
    """
    start = instant(earliest_ms) - LEAD
    again = state.again(channel, patient_id)
    events = again.judge(*course(desk, channel, patient_id, start=start, received_by=received_by))
    raises: list[Raise] = []
    waiting: dict[str, PatientEvent | None] = {}
    for rule, stood, phase in zip(state.rules[channel], state.phases(channel, patient_id), again.phases, strict=True):
        if stood is Phase.ACTIVE:
            again.hold(rule.rule)
            continue
        of_rule = [state.said(channel, patient_id, event) for event in events if event.rule == rule.rule]
        raises += _untold(desk, of_rule, holds=phase is Phase.ACTIVE)
        begun = [said for said in of_rule if said.event.kind is Kind.PENDING]
        waiting[rule.rule] = begun[-1] if phase is Phase.PENDING and begun else None
    state.replace(channel, patient_id, again)
    return JudgedAgain(patient_id=patient_id, raises=raises, waiting=waiting)


def record_judged_again(desk: Desk, judged: JudgedAgain, *, received_at: datetime) -> None:
    """Record a new judgement, in the caller's transaction."""
    for rule, said in judged.waiting.items():
        if said is None:
            place = {"patient_id": judged.patient_id, "rule": rule, "basis": Basis.SUSTAINED}
            desk.write("drop_pending", [place])
        else:
            record_events(desk, [said], received_at=received_at)
    record_raises(desk, judged.raises)


def _untold(desk: Desk, said: list[PatientEvent], *, holds: bool) -> list[Raise]:
    untold = []
    raises = [each for each in said if each.event.kind is Kind.RAISE]
    for number, (each, raised) in enumerate(zip(raises, raises_of(desk, raises), strict=True)):
        event, patient_id = each.event, each.patient_id
        if holds and number == len(raises) - 1:
            untold.append(raised)
            continue
        cleared = next((e.event for e in said if e.event.kind is Kind.CLEAR and e.event.at_ms > event.at_ms), None)
        until = instant(cleared.at_ms if cleared else event.at_ms)
        if was_told(desk, patient_id, event.rule, since=instant(event.since_ms), until=until):
            continue
        key = f"{patient_id}:{event.rule}:past:{event.since_ms}"
        untold.append(replace(raised, key=key, evidence=raised.evidence | {"late": True}, past=True))
    return untold

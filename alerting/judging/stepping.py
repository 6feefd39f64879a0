"""What a batch of readings does to the arrays of a partition, and what of it has to be judged from what is stored."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alerting.desk import Desk, instant
from alerting.engine.layout import Ints
from alerting.engine.partition import Partition, PatientEvent
from alerting.judging.channels import as_judged, samples_of
from alerting.judging.history import LEAD
from alerting.profile.profile import Channel
from ingest.feed import Rows

IntArray = npt.NDArray[np.int32]
Late = dict[tuple[Channel, int], int]
"""Of which patients' channels samples came late, and the earliest of them, Unix ms."""


def step(
    desk: Desk, state: Partition, rows: Rows, wellness: IntArray, *, whole_from_ms: int
) -> tuple[Sequence[PatientEvent], Late]:
    """Run the sustained rules over a batch; gives the events, and whom to judge again from when on.

    That is whose samples came late, and who was last measured before `whole_from_ms` and lacks readings.
    """
    said: list[PatientEvent] = []
    earliest: Late = {}
    for channel in state.rules:
        chosen = samples_of(rows, channel, wellness)
        patients, times = chosen["patient"], chosen["measured_ms"]
        stale = state.last_ms(channel, patients) < whole_from_ms
        values = as_judged(channel.trust, chosen["value"], chosen["quality"])
        events, again = state.judge(channel, patients, times, values)
        if stale.any():
            again |= np.isin(patients, _lacking(desk, patients[stale], times[stale], whole_from_ms))
        said += events
        for patient_id, t_ms in zip(patients[again].tolist(), times[again].tolist(), strict=True):
            earliest[channel, patient_id] = min(t_ms, earliest.get((channel, patient_id), t_ms))
    return said, earliest


def _lacking(desk: Desk, patients: IntArray, times: Ints, whole_from_ms: int) -> list[int]:
    """Say who of these has readings in reach of a rule that were received before what the arrays were rebuilt from."""
    received_before = instant(whole_from_ms) - LEAD
    firsts = {patient_id: int(times[patients == patient_id].min()) for patient_id in np.unique(patients).tolist()}
    return [
        patient_id
        for patient_id, first_ms in firsts.items()
        if desk.one("received_before", patient_id=patient_id, start=instant(first_ms) - LEAD, before=received_before)
    ]

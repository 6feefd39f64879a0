"""Holds patients to what the log says of their limits, and keeps it for an engine that begins without a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from alerting.desk import Desk, unix_ms
from alerting.engine.partition import Partition
from alerting.judging.held import LimitsEventError, SaidLimits, from_line, lines_of
from alerting.judging.history import LEAD
from vitals.sustained import NEVER_MS

ON_THE_WAY = timedelta(minutes=3)
"""What is sent as it is measured arrives within so long."""

REBUILD_SPAN = LEAD + ON_THE_WAY
"""What was received within so long before the cursor fills every window of whoever is heard as he is measured."""


log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildStart:
    """Where a rebuild begins: behind a batch; whoever was last measured before `whole_from_ms` may lack readings."""

    after: int
    whole_from_ms: int


def rebuild_start(desk: Desk, partition: int, cursor: int) -> RebuildStart:
    """Say where the last minutes of readings before a cursor begin."""
    lead = desk.one("replay_start", partition=partition, cursor=cursor, span=REBUILD_SPAN)
    if lead is None or lead.after is None:
        return RebuildStart(after=0, whole_from_ms=NEVER_MS)
    return RebuildStart(after=lead.after, whole_from_ms=unix_ms(lead.newest - ON_THE_WAY))


def hold_as_at(desk: Desk, state: Partition, batch_id: int) -> None:
    """Hold each patient to what the log had said at a place."""
    _hold(state, [row.said for row in desk.all("limits_at", partition=state.number, batch_id=batch_id)])


def hold(state: Partition, payload: bytes) -> None:
    """Hold patients to what an event of the log says."""
    _hold(state, lines_of(payload))


def hold_and_keep(desk: Desk, state: Partition, batch: Any) -> list[int]:
    """The same, and note it as of the batch, in the caller's transaction; gives whose limits these are.

    What no rebuild needs any more is dropped.
    """
    said = _hold(state, lines_of(batch.payload))
    patients = [each.patient_id for each in said.values()]
    place = {"partition": state.number, "patients": patients}
    desk.run("save_limits", **place, lines=list(said), batch_id=batch.batch_id, said_at=batch.received_at)
    desk.run("forget_limits", **place, before=batch.received_at - REBUILD_SPAN)
    return patients


def _hold(state: Partition, lines: Sequence[str]) -> dict[str, SaidLimits]:
    """Hold patients to these lines; one that can not be read leaves its patient as he was, and stops no partition."""
    said = {}
    for line in lines:
        try:
            each = from_line(line)
            state.set_limits(each.patient_id, each.limits, each.held)
        except (LimitsEventError, OverflowError, TypeError) as exc:
            log.error("limits_not_understood", partition=state.number, reason=str(exc), line=line)
            continue
        said[line] = each
    return said

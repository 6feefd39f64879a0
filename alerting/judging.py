"""Follows the intake log: judges each batch, records what the rules said, and moves the cursor in one transaction.

A partition's arrays live in memory. Snapshots are written apart, with the cursor they stand at; after a crash, or a
transaction that failed, the snapshot and the log up to the cursor give the same arrays again (nothing is recorded
in that replay: its events were). A snapshot of another layout or other rules is not used: the arrays are rebuilt
from `sample` and from the rules that hold.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog

from alerting.desk import Desk
from alerting.engine import LAYOUT, EngineState, PatientEvent, rules_hash, step
from alerting.history import rejudge, sustained_history
from alerting.recording import record_raise
from alerting.saying import record_event
from alerting.stored import judge_stored
from ingest.feed import PARTITION_COUNT, Rows, from_payload
from vitals.quality import Quality
from vitals.reading import NO_VALUE, Acquisition
from vitals.signals import SIGNALS, Signal
from vitals.sustained import Phase

BATCHES_MAX = 64
"""Batches of one partition judged in one transaction: bounds memory and how long others wait for its rows."""

REBUILD_SPAN = timedelta(minutes=20)

_SPO2, _TEMPERATURE = SIGNALS[Signal.SPO2].code, SIGNALS[Signal.TEMPERATURE].code
log = structlog.get_logger()


class Fenced(RuntimeError):
    """Another worker has taken the partition over: this one must stop judging it."""


@dataclass(slots=True)
class _Owned:
    version: int
    cursor: int
    state: EngineState
    snapshot_at: int


class Judge:
    """The engine's shell for the partitions it owns. Not thread-safe; one connection at a time."""

    def __init__(self, partitions: Iterable[int], owner: str) -> None:
        self.partitions = sorted(partitions)
        self.owner = owner
        self._owned: dict[int, _Owned] = {}
        self._turn = 0

    def take_over(self, desk: Desk) -> None:
        """Own the partitions and bring their arrays to the cursor."""
        with desk.connection.transaction():
            taken = {r.partition: r for r in desk.all("take_over", partitions=self.partitions, owner=self.owner)}
            snapshots = {r.partition: r for r in desk.all("read_snapshots", partitions=self.partitions)}
        wanted = rules_hash(desk.profile.sustained)
        for partition, row in taken.items():
            state = EngineState(desk.profile.sustained, partition)
            found = snapshots.get(partition)
            if row.batch_id and (found is None or (found.layout_hash, found.rules_hash) != (LAYOUT, wanted)):
                log.warning("rebuilding_engine_state", partition=partition, cursor=row.batch_id)
                self._rebuild(desk, state)
                start = row.batch_id
            else:
                start = found.batch_id if found else 0
                if found:
                    state.load(found.payload)
                self._replay(desk, state, start, row.batch_id)
            self._owned[partition] = _Owned(row.version, row.batch_id, state, start)

    def catch_up(self, desk: Desk) -> int:
        """Judge what has come since; gives the number of batches. Raises Fenced."""
        judged = 0
        behind = [row.partition for row in desk.all("behind", partitions=list(self._owned))]
        for partition in sorted(behind, key=lambda p: (p - self._turn) % PARTITION_COUNT):
            # The next round begins behind this partition: one that fails again and again does not starve the others.
            self._turn = partition + 1
            judged += self._judge_partition(desk, partition)
        return judged

    def save_snapshots(self, desk: Desk) -> int:
        """Write the arrays of the partitions that have moved; gives how many."""
        saved = 0
        for partition, owned in self._owned.items():
            if owned.cursor == owned.snapshot_at:
                continue
            desk.run(
                "save_snapshot",
                partition=partition,
                batch_id=owned.cursor,
                layout_hash=LAYOUT,
                rules_hash=rules_hash(desk.profile.sustained),
                now=desk.now,
                payload=owned.state.dump(),
            )
            owned.snapshot_at = owned.cursor
            saved += 1
        return saved

    def _judge_partition(self, desk: Desk, partition: int) -> int:
        owned = self._owned[partition]
        done = False
        try:
            with desk.connection.transaction():
                batches = desk.all("read_log", partition=partition, after=owned.cursor, until=2**62, limit=BATCHES_MAX)
                for batch in batches:
                    _judge_batch(desk, owned.state, from_payload(batch.payload), batch.received_at)
                last = batches[-1].batch_id if batches else owned.cursor
                if not desk.run("move_cursor", partition=partition, batch_id=last, version=owned.version):
                    raise Fenced(f"partition {partition} was taken over")
            done = True
        finally:
            if not done:
                # The arrays may be ahead of what was committed: they are read anew before the next batch.
                self._owned.pop(partition, None)
        owned.cursor = last
        return len(batches)

    def is_whole(self) -> bool:
        """Say whether every partition's arrays stand at its cursor; if not, `take_over` again."""
        return len(self._owned) == len(self.partitions)

    def _replay(self, desk: Desk, state: EngineState, after: int, until: int) -> None:
        while after < until:
            batches = desk.all("read_log", partition=state.partition, after=after, until=until, limit=BATCHES_MAX)
            if not batches:
                break
            for batch in batches:
                rows = from_payload(batch.payload)
                _, late = _step(state, rows)
                for patient_id in late:
                    rejudge(desk, state, patient_id, late[patient_id], received_by=batch.received_at)
            after = batches[-1].batch_id
        _hold_active(desk, state)

    def _rebuild(self, desk: Desk, state: EngineState) -> None:
        start = desk.now - REBUILD_SPAN
        patients = desk.all("patients_of_partition", partition=state.partition, start=start)
        for patient in patients:
            history = sustained_history(desk, patient.patient_id, start=start, received_by=desk.now)
            step(state, *history)
        _hold_active(desk, state)


def _hold_active(desk: Desk, state: EngineState) -> None:
    """A rule that holds by the record is active, whatever the arrays say: only good data clears it."""
    index = {rule.rule: i for i, rule in enumerate(state.rules)}
    for row in desk.all("active_in_partition", partition=state.partition):
        state.grow(row.patient_id // PARTITION_COUNT + 1)
        if row.rule in index:
            state.phase[index[row.rule], row.patient_id // PARTITION_COUNT] = Phase.ACTIVE


def _judge_batch(desk: Desk, state: EngineState, rows: Rows, received_at: datetime) -> None:
    events, late = _step(state, rows)
    for event in events:
        record_event(desk, event, received_at=received_at)
    for patient_id, earliest_ms in late.items():
        for raised in rejudge(desk, state, patient_id, earliest_ms, received_by=received_at):
            record_raise(desk, raised)
    for patient_id, signal in _stored_keys(rows):
        judge_stored(desk, patient_id, signal, received_by=received_at)


def _step(state: EngineState, rows: Rows) -> tuple[Sequence[PatientEvent], dict[int, int]]:
    """Run the sustained rules over a batch's good continuous SpO2; gives the events and late patients' earliest."""
    good = (
        (rows["signal"] == _SPO2)
        & (rows["quality"] == Quality.GOOD)
        & (rows["value"] != NO_VALUE)
        & (rows["acquisition"] == Acquisition.CONTINUOUS)
    )
    chosen = rows[good]
    patients = chosen["patient"].astype(np.int32)
    times = chosen["measured_ms"].astype(np.int64)
    events, late = step(state, patients, times, chosen["value"].astype(np.int64))
    earliest: dict[int, int] = {}
    for patient_id, t_ms in zip(patients[late].tolist(), times[late].tolist(), strict=True):
        earliest[patient_id] = min(t_ms, earliest.get(patient_id, t_ms))
    return events, earliest


def _stored_keys(rows: Rows) -> list[tuple[int, Signal]]:
    """Say which patients' single measurements arrived: every temperature, and SpO2 that is not a stream."""
    usable = (rows["quality"] == Quality.GOOD) & (rows["value"] != NO_VALUE)
    warm = usable & (rows["signal"] == _TEMPERATURE)
    spot = usable & (rows["signal"] == _SPO2) & (rows["acquisition"] != Acquisition.CONTINUOUS)
    return [(p, Signal.TEMPERATURE) for p in np.unique(rows["patient"][warm]).tolist()] + [
        (p, Signal.SPO2) for p in np.unique(rows["patient"][spot]).tolist()
    ]

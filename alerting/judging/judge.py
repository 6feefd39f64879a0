"""Follows the intake log: judges each batch, records what the rules said, and moves the cursor in one transaction.

A partition's arrays live in memory. Snapshots are written apart, with the cursor they stand at; after a crash, or a
transaction that failed, the snapshot and the log up to the cursor give the same arrays again (nothing is recorded
in that replay: its events were). Without a snapshot of this layout and these rules, the log's last minutes before the
cursor are enough to fill the windows. Which rules hold, and which wait, is read from the record.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from alerting.desk import Desk, instant, unix_ms
from alerting.engine.partition import Partition, PatientEvent, fastest, rules_hash
from alerting.engine.table import LAYOUT
from alerting.isolation import one_by_one
from alerting.judging.asking import ask_for_thermometer
from alerting.judging.channels import samples_of
from alerting.judging.history import judge_again, record_judged_again
from alerting.judging.measured import read_devices
from alerting.judging.saying import record_event
from alerting.judging.stored import judge_stored
from alerting.profile.profile import Channel
from alerting.spot.arrivals import arrivals
from ingest.feed import Rows, from_payload
from vitals.signals import Signal
from vitals.sustained import Phase

IntArray = npt.NDArray[np.int32]
Late = dict[tuple[Channel, int], int]
"""Of which patients' channels samples came late, and the earliest of them, Unix ms."""

BATCHES_MAX = 64
"""Batches of one partition judged in one transaction: bounds memory and how long others wait for its rows."""

REBUILD_SPAN = timedelta(minutes=20)

log = structlog.get_logger()


class Fenced(RuntimeError):
    """Another worker has taken the partition over: this one must stop judging it."""


@dataclass(slots=True)
class _Owned:
    version: int
    cursor: int
    state: Partition
    snapshot_at: int
    untold: set[tuple[Channel, int]]
    """Where the arrays hold a condition that the record does not: to be judged again from what is stored."""


class Judge:
    """The engine's shell for the partitions it owns. Not thread-safe; one connection at a time."""

    def __init__(self, partitions: Iterable[int], owner: str) -> None:
        self.partitions = sorted(partitions)
        self.owner = owner
        self._owned: dict[int, _Owned] = {}

    def take_over(self, desk: Desk) -> None:
        """Own the partitions that are not owned yet, and bring their arrays to the cursor."""
        missing = [partition for partition in self.partitions if partition not in self._owned]
        with desk.connection.transaction():
            taken = desk.all("take_over", partitions=missing, owner=self.owner)
            snapshots = {r.partition: r for r in desk.all("read_snapshots", partitions=missing)}
        one_by_one(taken, lambda row: self._restore(desk, row, snapshots.get(row.partition)), what="restore")

    def catch_up(self, desk_of: Callable[[], Desk]) -> int:
        """Judge what has come since; gives the number of batches. A partition that fails does not stop the others."""
        if len(self._owned) < len(self.partitions):
            self.take_over(desk_of())
        behind = [row.partition for row in desk_of().all("behind", partitions=list(self._owned))]
        return one_by_one(behind, lambda partition: self._judge_partition(desk_of(), partition), what="partition")

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

    def _restore(self, desk: Desk, row: Any, found: Any | None) -> int:
        state = Partition(desk.profile.sustained, row.partition, fastest())
        if found and (found.layout_hash, found.rules_hash) == (LAYOUT, rules_hash(desk.profile.sustained)):
            start = found.batch_id
            state.load(found.payload)
        else:
            lead = desk.one("replay_start", partition=row.partition, cursor=row.batch_id, span=REBUILD_SPAN)
            start = lead.after if lead and lead.after is not None else 0
            if row.batch_id:
                log.warning("rebuilding_engine_state", partition=row.partition, cursor=row.batch_id, after=start)
        untold = _replay(desk, state, start, row.batch_id)
        self._owned[row.partition] = _Owned(row.version, row.batch_id, state, start, untold)
        return 1

    def _judge_partition(self, desk: Desk, partition: int) -> int:
        owned = self._owned.pop(partition)  # kept only if all of it is committed: else the arrays are read anew
        with desk.connection.transaction():
            batches = desk.all("read_log", partition=partition, after=owned.cursor, until=2**62, limit=BATCHES_MAX)
            untold = owned.untold | align(desk, owned.state)
            if batches:
                _judge_batches(desk, owned.state, batches, untold)
            last = batches[-1].batch_id if batches else owned.cursor
            if not desk.run("move_cursor", partition=partition, batch_id=last, version=owned.version):
                raise Fenced(f"partition {partition} was taken over")
            if batches:
                untold = set()
        owned.cursor, owned.untold = last, untold
        self._owned[partition] = owned
        return len(batches)


def align(desk: Desk, state: Partition) -> set[tuple[Channel, int]]:
    """Set every rule's phase to what is recorded: the arrays know the samples, the record knows what was said.

    So a condition the sweep has raised is active here too. Gives where the arrays hold one that nobody was told of.
    """
    places = {rule.rule: (channel, place) for channel, rules in state.rules.items() for place, rule in enumerate(rules)}
    phases = {"active": Phase.ACTIVE, "pending": Phase.PENDING}
    standing: dict[tuple[Channel, int, int], Phase] = {}
    for row in desk.all("phases_in_partition", partition=state.number):
        if row.rule in places:
            channel, place = places[row.rule]
            standing[channel, row.patient_id, place] = phases[row.phase]
    return state.set_phases(standing)


def _replay(desk: Desk, state: Partition, after: int, until: int) -> set[tuple[Channel, int]]:
    """Bring the arrays to a cursor; nothing is recorded, and the phases are the record's."""
    wellness = _wellness(desk)
    while after < until:
        batches = desk.all("read_log", partition=state.number, after=after, until=until, limit=BATCHES_MAX)
        if not batches:
            break
        for batch in batches:
            _, late = _step(state, from_payload(batch.payload), wellness)
            for (channel, patient_id), earliest_ms in late.items():
                judge_again(desk, state, channel, patient_id, earliest_ms=earliest_ms, received_by=batch.received_at)
        after = batches[-1].batch_id
    return align(desk, state)


def _judge_batches(desk: Desk, state: Partition, batches: Sequence[Any], untold: Iterable[tuple[Channel, int]]) -> None:
    """Judge a turn's batches in order; what needs a patient's history is judged once, over all of them."""
    wellness = _wellness(desk)
    late: Late = {key: unix_ms(batches[0].received_at) for key in untold}
    devices = read_devices(desk)
    stored: dict[tuple[int, Signal], int] = {}
    for batch in batches:
        rows = from_payload(batch.payload)
        events, behind = _step(state, rows, wellness)
        for event in events:
            record_event(desk, event, received_at=batch.received_at)
        for key, earliest_ms in behind.items():
            late[key] = min(earliest_ms, late.get(key, earliest_ms))
        arrived = arrivals(rows, devices)
        for whose, t_ms in arrived.single.items():
            stored[whose] = min(t_ms, stored.get(whose, t_ms))
        for patient_id, (value, t_ms) in arrived.worn.items():
            ask_for_thermometer(desk, patient_id, value, instant(t_ms))
    received_by = batches[-1].received_at
    for (channel, patient_id), earliest_ms in late.items():
        judged = judge_again(desk, state, channel, patient_id, earliest_ms=earliest_ms, received_by=received_by)
        record_judged_again(desk, judged, received_at=received_by)
    for (patient_id, signal), t_ms in stored.items():
        judge_stored(desk, patient_id, signal, received_by=received_by, since=instant(t_ms))


def _wellness(desk: Desk) -> IntArray:
    """List wellness wearables: they may prompt, and never raise by themselves (CLINICAL 2.4)."""
    return np.array([row.device_id for row in desk.all("wellness_devices")], np.int32)


def _step(state: Partition, rows: Rows, wellness: IntArray) -> tuple[Sequence[PatientEvent], Late]:
    """Run the sustained rules over a batch; gives the events and, where samples came late, the earliest."""
    said: list[PatientEvent] = []
    earliest: Late = {}
    for channel in state.rules:
        chosen = samples_of(rows, channel, wellness)
        patients, times = chosen["patient"], chosen["measured_ms"]
        events, late = state.judge(channel, patients, times, chosen["value"])
        said += events
        for patient_id, t_ms in zip(patients[late].tolist(), times[late].tolist(), strict=True):
            earliest[channel, patient_id] = min(t_ms, earliest.get((channel, patient_id), t_ms))
    return said, earliest

"""Follows the intake log: judges each batch, records what the rules said, and moves the cursor in one transaction.

A partition's arrays live in memory. Snapshots are written apart, with the cursor they stand at; after a crash, or a
transaction that failed, the snapshot and the log up to the cursor give the same arrays again (nothing is recorded
in that replay: its events were). Without a snapshot of this layout and these rules, the log's last minutes before the
cursor are enough to fill the windows.

What a patient is held to stands in the same log, and holds from its place on. It lies in the snapshot, and in
`engine_limits` as of the cursor.

Which rules hold, and which wait, is read from the record in every turn (`align`): the sweep raises and people close
meanwhile. Where the arrays held a condition that the record does not, nobody was told of it, or somebody ended it; its
breaches were not counted while it was active, so its patient's channel is `untold`: judged again from what is stored,
in the next turn that has readings.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from alerting.desk import Desk, instant, unix_ms
from alerting.engine.partition import Partition, PatientEvent, fastest, rules_hash
from alerting.engine.table import LAYOUT
from alerting.isolation import in_one_go, isolated, one_by_one
from alerting.judging.history import judge_again, record_judged_again
from alerting.judging.holding import hold, hold_and_keep, hold_as_at, rebuild_start
from alerting.judging.measured import KnownDevices
from alerting.judging.moved import judge_moved, replay_moved
from alerting.judging.owning import LEASE, SIGNS_A_LEASE, Fenced, Ownership
from alerting.judging.saying import record_events
from alerting.judging.stepping import Late, step
from alerting.judging.stored import end_what_holds_no_more, judge_arrivals
from alerting.judging.unjudged import RETRY_AFTER, judge_the_unjudged, unjudged_in
from alerting.profile.profile import Channel
from alerting.spot.arrivals import Devices
from ingest.feed import PARTITION_COUNT, BatchKind, from_payload
from vitals.sustained import NEVER_MS, Kind, Phase

BATCHES_MAX = 64
"""Batches of one partition judged in one transaction: bounds memory and how long others wait for its rows."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Owned:
    version: int
    cursor: int
    state: Partition
    snapshot_at: int
    whole_from_ms: int
    """Whoever was last measured before it may lack readings, as the arrays were rebuilt from the log's last minutes."""
    untold: set[tuple[Channel, int]]
    """Where the arrays hold a condition that the record does not: to be judged again from what is stored."""


class Judge:
    """The engine's shell for the partitions it owns. Not thread-safe; one connection at a time."""

    def __init__(self, partitions: Iterable[int], owner: str, lease: timedelta = LEASE) -> None:
        self._ownership = Ownership(partitions, owner, lease)
        self._step = fastest()  # now: compiling takes seconds, and a transaction must not wait for it
        self._owned: dict[int, _Owned] = {}
        self._devices = KnownDevices()
        self._claimed = 0
        self._sign_due_s = 0.0

    @property
    def owner(self) -> str:
        """The name under which partitions are this worker's."""
        return self._ownership.owner

    @property
    def partitions(self) -> list[int]:
        """The partitions whose arrays this worker has; another may have taken them over since."""
        return sorted(self._owned)

    def take_over(self, desk: Desk) -> None:
        """Keep what is owned, take what is missing to a fair share, give back what is beyond it."""
        self._ownership.bound_idleness(desk)
        claim = self._ownership.claim(desk, self._versions())
        self._sign_due_s = self._next_sign_s()
        self._claimed = claim.owns
        for partition in claim.lost:
            self._owned.pop(partition, None)
        if claim.lost:
            log.warning("partitions_lost", partitions=sorted(claim.lost), owner=self.owner)
        one_by_one(claim.taken, lambda row: self._restore(desk, row), what="restore")
        self._leave(desk, claim.surplus)

    def catch_up(self, desk_of: Callable[[], Desk]) -> int:
        """Judge what has come since; gives the number of batches. A partition that fails does not stop the others."""
        if time.monotonic() >= self._sign_due_s or len(self._owned) < self._claimed:
            self.take_over(desk_of())
        desk = desk_of()
        behind = [
            row.partition for row in desk.all("behind", partitions=list(self._owned), tried_by=desk.now - RETRY_AFTER)
        ]
        return one_by_one(behind, lambda partition: self._turn(desk_of(), partition), what="partition")

    def save_snapshots(self, desk: Desk, among: Collection[int] = range(PARTITION_COUNT)) -> int:
        """Write the arrays of those of these partitions that are owned and have moved; gives how many."""
        return sum(self._save_snapshot(desk, partition) for partition in self.partitions if partition in among)

    def leave(self, desk: Desk) -> None:
        """End: others may take the partitions at once, and find fresh snapshots."""
        self._leave(desk, self.partitions)
        self._ownership.sign_out(desk)

    def _leave(self, desk: Desk, partitions: Sequence[int]) -> None:
        if not partitions:
            return
        for partition in partitions:
            self._save_snapshot(desk, partition)
        versions = self._versions()
        self._ownership.give_back(desk, {partition: versions[partition] for partition in partitions})
        for partition in partitions:
            del self._owned[partition]
        log.info("partitions_given_back", partitions=list(partitions), owner=self.owner)

    def _versions(self) -> dict[int, int]:
        return {partition: owned.version for partition, owned in self._owned.items()}

    def _next_sign_s(self) -> float:
        return time.monotonic() + self._ownership.lease.total_seconds() / SIGNS_A_LEASE

    def _save_snapshot(self, desk: Desk, partition: int) -> int:
        owned = self._owned[partition]
        if owned.cursor == owned.snapshot_at:
            return 0
        saved = desk.all(
            "save_snapshot",
            partition=partition,
            version=owned.version,
            batch_id=owned.cursor,
            layout_hash=LAYOUT,
            rules_hash=rules_hash(desk.profile.sustained),
            now=desk.now,
            payload=owned.state.dump(),
            whole_from_ms=owned.whole_from_ms,
        )
        owned.snapshot_at = owned.cursor
        return len(saved)

    def _restore(self, desk: Desk, row: Any) -> int:
        found, devices = desk.one("read_snapshot", partition=row.partition), self._devices.now(desk)
        state = Partition(desk.profile.sustained, row.partition, self._step)
        if found and _load(desk, state, found):
            start, whole_from_ms = found.batch_id, found.whole_from_ms
            untold = _replay(desk, state, devices, start, row.batch_id, whole_from_ms=whole_from_ms)
        else:
            state = Partition(
                desk.profile.sustained, row.partition, self._step
            )  # what was half loaded counts for nothing
            rebuild = rebuild_start(desk, row.partition, row.batch_id)
            start, whole_from_ms = rebuild.after, rebuild.whole_from_ms
            hold_as_at(desk, state, start)
            if row.batch_id:
                log.warning("rebuilding_engine_state", partition=row.partition, cursor=row.batch_id, after=start)
            untold = _replay(desk, state, devices, start, row.batch_id, whole_from_ms=NEVER_MS)
        self._owned[row.partition] = _Owned(row.version, row.batch_id, state, start, whole_from_ms, untold)
        return 1

    def _turn(self, desk: Desk, partition: int) -> int:
        if time.monotonic() >= self._sign_due_s:
            self._ownership.renew(desk, self._owned)
            self._sign_due_s = self._next_sign_s()
        try:
            return self._judge_partition(desk, partition)
        except Fenced as exc:
            log.warning("partition_lost", reason=str(exc), owner=self.owner)
            return 0

    def _judge_partition(self, desk: Desk, partition: int) -> int:
        owned = self._owned.pop(partition)  # kept only if all of it is committed: else the arrays are read anew
        with desk.connection.transaction():
            if desk.one("lock_cursor", partition=partition, version=owned.version) is None:
                raise Fenced(f"partition {partition} was taken over")
            batches = desk.all("read_log", partition=partition, after=owned.cursor, until=2**62, limit=BATCHES_MAX)
            waiting = unjudged_in(desk, partition)  # they are tried by themselves, and not at every turn
            untold = {key for key in owned.untold | align(desk, owned.state) if key[1] not in waiting}
            judged = _judge_batches(desk, owned, batches, untold, self._devices.now(desk))
            last = batches[-1].batch_id if batches else owned.cursor
            if not desk.run("move_cursor", partition=partition, batch_id=last, version=owned.version):
                raise Fenced(f"partition {partition} was taken over")
        owned.cursor, owned.untold = last, set() if judged else untold
        self._owned[partition] = owned
        return len(batches)


def _record(desk: Desk, events: Sequence[PatientEvent], *, received_at: datetime) -> None:
    """Record what a batch has said in one go; where that fails, each event by itself, and only what fails is undone."""

    def together() -> None:
        with desk.connection.transaction():
            record_events(desk, events, received_at=received_at)

    def each() -> None:
        for event in events:
            with isolated(desk, event.patient_id, since=instant(event.event.since_ms)):
                record_events(desk, [event], received_at=received_at)

    if events:
        in_one_go(together, each, what="events")


def _load(desk: Desk, state: Partition, found: Any) -> bool:
    """Take a snapshot's arrays over; says whether it fits. One that can not be read is as if there were none."""
    if (found.layout_hash, found.rules_hash) != (LAYOUT, rules_hash(desk.profile.sustained)):
        return False
    try:
        state.load(found.payload)
    except Exception:
        log.exception("snapshot_not_understood", partition=state.number, cursor=found.batch_id)
        return False
    return True


def align(desk: Desk, state: Partition) -> set[tuple[Channel, int]]:
    """Set every rule's phase to what is recorded: the arrays know the samples, the record knows what was said.

    So a condition the sweep has raised is active here too. Gives where the arrays hold one that nobody was told of.
    """
    return state.set_phases(_recorded(desk, state))


def _recorded(desk: Desk, state: Partition) -> dict[tuple[Channel, int, int], Phase]:
    places = {rule.rule: (channel, place) for channel, rules in state.rules.items() for place, rule in enumerate(rules)}
    phases = {"active": Phase.ACTIVE, "pending": Phase.PENDING}
    standing: dict[tuple[Channel, int, int], Phase] = {}
    for row in desk.all("phases_in_partition", partition=state.number):
        if row.rule in places:
            channel, place = places[row.rule]
            standing[channel, row.patient_id, place] = phases[row.phase]
    return standing


def _replay(
    desk: Desk, state: Partition, devices: Devices, after: int, until: int, *, whole_from_ms: int
) -> set[tuple[Channel, int]]:
    """Bring the arrays to a cursor; nothing is recorded, and the phases are the record's.

    What holds by the record holds all the way: only so does the replay see how long it has been well since. A rule that
    was raised on the way was not well then, so it makes no difference where on the way.
    """
    holding = {key for key, phase in _recorded(desk, state).items() if phase is Phase.ACTIVE}
    state.activate(holding)
    while after < until:
        batches = desk.all("read_log", partition=state.number, after=after, until=until, limit=BATCHES_MAX)
        if not batches:
            break
        for batch in batches:
            if batch.kind == BatchKind.LIMITS:
                hold(state, batch.payload)
            if batch.kind == BatchKind.MOVED:
                replay_moved(desk, state, batch)
            if batch.kind != BatchKind.READINGS:
                continue
            events, late = step(desk, state, from_payload(batch.payload), devices.wellness, whole_from_ms=whole_from_ms)
            if ended := holding & {each.place for each in events if each.event.kind is Kind.CLEAR}:
                state.activate(ended)
            for (channel, patient_id), earliest_ms in late.items():
                with isolated(desk, patient_id, since=instant(earliest_ms)):
                    judge_again(
                        desk, state, channel, patient_id, earliest_ms=earliest_ms, received_by=batch.received_at
                    )
        after = batches[-1].batch_id
    hold_as_at(desk, state, until)
    return align(desk, state)


def _judge_batches(
    desk: Desk, owned: _Owned, batches: Sequence[Any], untold: Iterable[tuple[Channel, int]], devices: Devices
) -> Sequence[Any]:
    """Judge a turn's batches in order; streams that came late are judged from what is stored once, over all of them.

    What fails of one patient is undone and kept as `unjudged`; the others' judging goes on. Gives the batches that held
    readings: without any, nobody's history has changed, and who is untold waits.
    """
    state = owned.state
    readings = [batch for batch in batches if batch.kind == BatchKind.READINGS]
    late: Late = {key: unix_ms(batch.received_at) for key in untold for batch in readings[:1]}
    held_anew: list[int] = []
    moved: list[Any] = []
    for batch in batches:
        if batch.kind == BatchKind.LIMITS:
            held_anew += hold_and_keep(desk, state, batch)
        if batch.kind == BatchKind.MOVED:
            moved.append(batch)
        if batch.kind != BatchKind.READINGS:
            continue
        rows = from_payload(batch.payload)
        events, behind = step(desk, state, rows, devices.wellness, whole_from_ms=owned.whole_from_ms)
        _record(desk, events, received_at=batch.received_at)
        for key, earliest_ms in behind.items():
            late[key] = min(earliest_ms, late.get(key, earliest_ms))
    received_by = readings[-1].received_at if readings else desk.now
    for (channel, patient_id), earliest_ms in late.items():
        with isolated(desk, patient_id, since=instant(earliest_ms)):
            judged = judge_again(desk, state, channel, patient_id, earliest_ms=earliest_ms, received_by=received_by)
            record_judged_again(desk, judged, received_at=received_by)
    judge_arrivals(desk, state, readings, devices)
    for batch in moved:
        judge_moved(desk, state, batch, received_by=max(batch.received_at, received_by))
    if held_anew:
        end_what_holds_no_more(desk, state.number, held_anew, received_by=max(b.received_at for b in batches))
    judge_the_unjudged(desk, state, received_by=received_by)
    return readings

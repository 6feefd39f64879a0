"""From notifications to accepted readings: what waited during one commit is decoded and committed by the next.

Bound: at most `WAITING_MAX` notifications wait; at the bound the oldest is dropped and counted (never the newest).
While the disk takes nothing, or does not answer (a dying card may hold up an fsync for ever), what comes is read all
the same: whoever listens to readings (the alarm at home) must not be deaf because of a disk. What was given to the disk
is given once, and waited for as long as it takes: nothing is accepted twice, or counted before it is there.
A finished measurement that its device sends again is one row (`repeats`); what comes out of a device's memory a second
time, at the next link or after a restart, is the outbox's to know: such frames go there as records.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from gateway.box.health import Progress
from gateway.clocks.placing import Place, Stamp, Stamped, as_heard, place
from gateway.drivers.table import DRIVER_BY_NAME
from gateway.gatt.decoded import Decoded, DecodeError
from gateway.intake.instants import Instants
from gateway.intake.repeats import Repeats
from gateway.intake.waits import Waits
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import OutboxFull, Undecoded
from gateway.outbox.rows import Record, RowRange
from gateway.rarely import Rarely
from vitals.reading import Acquisition, unscaled
from vitals.signals import Signal

WAITING_MAX = 20_000
BATCH_MAX = 2_000
RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)
DISK_S_MAX = 10.0
"""A commit that takes longer is waited for beside reading; up to here what comes waits and makes larger groups."""
_NUMBER = re.compile(r"(?:0x)?\d[0-9a-f]*")
"""Two refusals that differ in a byte's value are one to the log; each frame is kept in the outbox anyway."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One whole frame of one device, whose driver understands it, and when it came.

    `clock_offset_s`: how far this link found the device's clock ahead of ours.
    """

    device: str
    driver: str
    characteristic: str
    payload: bytes
    stamp: Stamp
    clock_offset_s: float | None = None


@dataclass(slots=True, kw_only=True)
class IntakeCounts:
    """What went through since the process began."""

    notifications: int = 0
    overrun: int = 0
    undecoded: int = 0
    repeats: int = 0
    accepted: int = 0
    groups: int = 0
    disk_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """So many notifications taken apart, the oldest of which came at `since_s` (the event loop's time).

    `repeats` counts those that only said again what is known.

    `telling` are the rows that may raise an alarm by themselves, as an alarm has to take them: a wellness wearable's
    may not (CLINICAL 2.4). `records` are what devices say comes from their memory.
    """

    taken: int = 0
    since_s: float = 0.0
    rows: list[Stamped] = field(default_factory=list)
    telling: list[Stamped] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)
    repeats: int = 0

    def joined(self, later: "Batch") -> "Batch":
        """Give both as one; to be used instead of either."""
        self.rows.extend(later.rows)
        self.records.extend(later.records)
        self.undecoded.extend(later.undecoded)
        return replace(self, taken=self.taken + later.taken, repeats=self.repeats + later.repeats)


class Memory:
    """What taking apart remembers from one group to the next, in plain values."""

    def __init__(self) -> None:
        self.instants = Instants()
        self.repeats = Repeats()
        self.battery_percent: dict[str, float] = {}


class Intake:
    """Takes notifications from the sessions at once, and brings them to the outbox in groups."""

    def __init__(
        self,
        door: OutboxDoor,
        *,
        where: Place,
        floor: Floor,
        on_accepted: Callable[[bool], None],
        on_read: Callable[[Sequence[Stamped]], None] = lambda rows: None,  # noqa: ARG005
        disk_s_max: float = DISK_S_MAX,
    ) -> None:
        self.counts = IntakeCounts()
        self.waits = Waits()
        self._undecoded = Rarely()
        self._now_s = asyncio.get_running_loop().time
        self._oldest_s = 0.0
        self._door = door
        self._place = where
        self._memory = Memory()
        self._floor = floor
        self._on_accepted = on_accepted
        self._on_read = on_read
        self._disk_s_max = disk_s_max
        self._waiting: deque[Notification] = deque(maxlen=WAITING_MAX)
        self._read: deque[Batch] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def take(self, notification: Notification) -> None:
        """Queue one notification; never waits, never fails."""
        self.counts.notifications += 1
        self.counts.overrun += len(self._waiting) == WAITING_MAX
        if not self._waiting:
            self._oldest_s = self._now_s()
        stamp = self._memory.instants.distinct(notification.device, notification.stamp)
        self._waiting.append(replace(notification, stamp=stamp))
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Decode and accept for ever, one group at a time."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._read or self._waiting:
                await self._accept(self._read.popleft() if self._read else self._next_batch())
            self._idle.set()

    def battery_percent(self, device: str) -> float | None:
        """Say what a device last told of its battery."""
        return self._memory.battery_percent.get(device)

    def progress(self) -> Progress:
        """Say how far it is: what waits counts the group that is being accepted."""
        read = sum(batch.taken for batch in self._read)
        waiting = 0 if self._idle.is_set() else max(1, len(self._waiting) + read)
        return Progress(waiting=waiting, groups=self.counts.groups, is_disk_full=self.counts.disk_full)

    async def drained(self) -> None:
        """Wait until everything taken so far is accepted."""
        await self._idle.wait()

    async def _accept(self, batch: Batch) -> None:
        for note in batch.undecoded:
            what = f"{note.device} {_NUMBER.sub('#', note.error)}"
            if times := self._undecoded.heard(what, self._now_s()):
                said = {"device": note.device, "characteristic": note.characteristic, "error": note.error}
                log.warning("undecoded", **said, times=times)
        for attempt in range(2**31):
            try:
                numbers = await self._on_disk(batch)
                break
            except OutboxFull as exc:
                self.counts.disk_full = True
                delay_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                log.error("outbox takes nothing, readings wait in memory", error=str(exc), retry_s=delay_s)
                await self._read_while(asyncio.ensure_future(asyncio.sleep(delay_s)))
        self.counts.disk_full = False
        accepted = numbers.end - numbers.first if numbers else 0
        self.counts.accepted += accepted
        self.counts.undecoded += len(batch.undecoded)
        self.counts.repeats += batch.repeats
        self.counts.groups += 1
        if accepted:
            new = batch.records if accepted > len(batch.rows) else ()
            self.waits.note(1000 * (self._now_s() - batch.since_s))
            self._on_accepted(any(self._breaches(row) for row in (*batch.rows, *(r for n in new for r in n.rows))))

    async def _on_disk(self, batch: Batch) -> RowRange | None:
        """Have a batch written, however long that takes, and give its numbers. Raises OutboxFull."""
        writing = asyncio.ensure_future(self._door.accept(batch.rows, batch.undecoded, batch.records))
        try:
            await asyncio.wait({writing}, timeout=self._disk_s_max)
            if not writing.done():
                log.error("the disk does not answer, readings wait in memory", waited_s=self._disk_s_max)
                await self._read_while(writing)
                log.warning("the disk answers again")
            return await writing
        finally:
            writing.cancel()

    def _next_batch(self) -> Batch:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
        batch = replace(taken_apart(group, self._place, self._memory), since_s=self._oldest_s)
        self._on_read(batch.telling)
        return batch

    async def _read_while(self, busy: asyncio.Future[Any]) -> None:
        """Read what comes until this is done."""
        busy.add_done_callback(lambda _: self._wake.set())
        try:
            while not busy.done():
                self._wake.clear()
                while self._waiting:
                    self._keep_for_later(self._next_batch())
                await self._wake.wait()
        finally:
            busy.cancel()

    def _keep_for_later(self, batch: Batch) -> None:
        """Put a batch behind those that are read and not accepted, in as few groups as may be."""
        if self._read and self._read[-1].taken + batch.taken <= BATCH_MAX:
            batch = self._read.pop().joined(batch)
        self._read.append(batch)
        if len(self._read) > WAITING_MAX // BATCH_MAX:
            self.counts.overrun += self._read.popleft().taken

    def _breaches(self, row: Stamped) -> bool:
        return self._floor.is_breached(row.reading.signal, row.reading.value, row.reading.quality)


def taken_apart(group: list[Notification], where: Place, memory: Memory) -> Batch:
    """Decode and place a group; records from a memory come last, so that they and live rows pack tightly."""
    batch = Batch(taken=len(group))
    repeats = 0
    for item in group:
        try:
            decoded = _decoded(item)
            placed = _placed(item, decoded, where, memory)
        except DecodeError as exc:
            batch.undecoded.append(_undecoded(item, str(exc)))
            continue
        except Exception as exc:  # a fault of ours costs this frame, and nothing of what follows
            log.exception("frame not taken apart", device=item.device, characteristic=item.characteristic)
            batch.undecoded.append(_undecoded(item, f"{type(exc).__name__}: {exc}"))
            continue
        repeats += placed is None
        if decoded.from_storage and decoded.measurements:  # a repeat too: the outbox is to know the memory's copy
            batch.records.append(Record(device=item.device, payload=item.payload, rows=tuple(placed or ())))
        else:
            batch.rows.extend(placed or ())
        if not DRIVER_BY_NAME[item.driver].wellness:
            batch.telling.extend(map(as_heard, placed or ()))
    batch.rows.sort(key=lambda row: row.reading.acquisition is Acquisition.STORED)
    return replace(batch, repeats=repeats)


def _placed(item: Notification, decoded: Decoded, where: Place, memory: Memory) -> list[Stamped] | None:
    """Give a frame's rows; None for a measurement that is known."""
    if memory.repeats.is_repeat(
        decoded, device=item.device, characteristic=item.characteristic, payload=item.payload, now=item.stamp.wall
    ):
        return None
    rows = place(decoded, device=item.device, stamp=item.stamp, place=where, clock_offset_s=item.clock_offset_s)
    for measured in decoded.measurements:
        if measured.signal is Signal.BATTERY and measured.value is not None:
            memory.battery_percent[item.device] = unscaled(Signal.BATTERY, measured.value)
    return memory.instants.beats_apart(rows)


def _decoded(item: Notification) -> Decoded:
    driver = DRIVER_BY_NAME.get(item.driver)
    if driver is None:
        raise DecodeError(item.characteristic, 0, f"no driver {item.driver!r}")
    return driver.decode(item.characteristic, item.payload)


def _undecoded(item: Notification, error: str) -> Undecoded:
    return Undecoded(
        wall_ms=item.stamp.wall_ms,
        device=item.device,
        characteristic=item.characteristic,
        payload=item.payload,
        error=error,
    )

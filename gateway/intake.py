"""From notifications to accepted readings: what waited during one commit is decoded and committed by the next.

Bound: at most `WAITING_MAX` notifications wait; at the bound the oldest is dropped and counted (never the newest).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog

from gateway.floor import Floor
from gateway.gatt.decoded import DecodeError
from gateway.gatt.decoders import decode
from gateway.instants import Instants
from gateway.outbox import OutboxFull, Undecoded
from gateway.outbox_door import OutboxDoor
from gateway.packing import milliseconds
from gateway.placing import Place, Stamp, Stamped, place
from vitals.reading import Acquisition

WAITING_MAX = 20_000
BATCH_MAX = 2_000
RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Bytes of one characteristic of one device, and when they came."""

    device: str
    characteristic: str
    payload: bytes
    stamp: Stamp


@dataclass(slots=True, kw_only=True)
class IntakeCounts:
    """What went through since the process began."""

    notifications: int = 0
    overrun: int = 0
    undecoded: int = 0
    accepted: int = 0
    disk_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Notifications taken apart."""

    rows: list[Stamped] = field(default_factory=list)
    undecoded: list[Undecoded] = field(default_factory=list)


class Intake:
    """Takes notifications from the sessions at once, and brings them to the outbox in groups."""

    def __init__(self, door: OutboxDoor, *, where: Place, floor: Floor, on_accepted: Callable[[bool], None]) -> None:
        self.counts = IntakeCounts()
        self._door = door
        self._place = where
        self._instants = Instants()
        self._floor = floor
        self._on_accepted = on_accepted
        self._waiting: deque[Notification] = deque(maxlen=WAITING_MAX)
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def take(self, notification: Notification) -> None:
        """Queue one notification; never waits, never fails."""
        self.counts.notifications += 1
        self.counts.overrun += len(self._waiting) == WAITING_MAX
        stamp = self._instants.distinct(notification.device, notification.stamp)
        self._waiting.append(replace(notification, stamp=stamp))
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Decode and accept for ever, one group at a time."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
                await self._accept(taken_apart(group, self._place))
            self._idle.set()

    async def drained(self) -> None:
        """Wait until everything taken so far is accepted."""
        await self._idle.wait()

    async def _accept(self, batch: Batch) -> None:
        for note in batch.undecoded:
            log.warning("undecoded", device=note.device, characteristic=note.characteristic, error=note.error)
        for attempt in range(2**31):
            try:
                await self._door.accept(batch.rows, batch.undecoded)
                break
            except OutboxFull as exc:
                self.counts.disk_full = True
                delay_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                log.error("outbox takes nothing, readings wait in memory", error=str(exc), retry_s=delay_s)
                await asyncio.sleep(delay_s)
        self.counts.disk_full = False
        self.counts.accepted += len(batch.rows)
        self.counts.undecoded += len(batch.undecoded)
        if batch.rows:
            self._on_accepted(any(self._breaches(row) for row in batch.rows))

    def _breaches(self, row: Stamped) -> bool:
        return self._floor.is_breached(row.reading.signal, row.reading.value, row.reading.quality)


def taken_apart(group: list[Notification], where: Place) -> Batch:
    """Decode and place a group; records from a memory come last, so that they and live rows pack tightly."""
    batch = Batch()
    for item in group:
        try:
            decoded = decode(item.characteristic, item.payload)
        except DecodeError as exc:
            batch.undecoded.append(
                Undecoded(
                    wall_ms=milliseconds(item.stamp),
                    device=item.device,
                    characteristic=item.characteristic,
                    payload=item.payload,
                    error=str(exc),
                )
            )
            continue
        batch.rows.extend(place(decoded, device=item.device, stamp=item.stamp, place=where))
    batch.rows.sort(key=lambda row: row.reading.acquisition is Acquisition.STORED)
    return batch

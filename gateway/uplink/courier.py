"""Carries outbox rows to ingest: packs, publishes, sends again after a silence, forgets what ingest has stored."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.box.machine import Timekeeper
from gateway.clocks.boots import Boots
from gateway.outbox.door import OutboxDoor
from gateway.outbox.floor import Floor
from gateway.outbox.outbox import OutboxError
from gateway.outbox.rows import Excerpt, Row, RowRange, merged
from gateway.uplink.ack import Ack, AckError, parse_ack
from gateway.uplink.packing import NO_BOOTS, Moment, pack_front
from gateway.uplink.throttle import Throttle
from gateway.uplink.uplink import Uplink
from gateway.uplink.window import Bounds, Lane, Window
from vitals.quality import Quality
from vitals.signals import SIGNAL_BY_CODE
from vitals.topics import Leaf

ACKS_WAITING_MAX = 1_000
URGENT_GAP_S_MIN = 0.2
CHECK_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CourierPlan:
    """The courier's times (machine seconds), bounds and limits."""

    flush_s: float
    rows_max: int
    bounds: Bounds
    floor: Floor


@dataclass(slots=True, kw_only=True)
class CourierCounts:
    """What the courier did since the process began."""

    published: int = 0
    sent_again: int = 0
    acks: int = 0
    acks_foreign: int = 0
    acks_unreadable: int = 0
    acks_dropped: int = 0


class Courier:
    """One task on the event loop; `uplink` is set once, after both exist."""

    def __init__(self, door: OutboxDoor, timekeeper: Timekeeper, plan: CourierPlan, *, boots: Boots = NO_BOOTS) -> None:
        self.counts = CourierCounts()
        self.window = Window(plan.bounds)
        self.uplink: Uplink | None = None
        self._door = door
        self._timekeeper = timekeeper
        self._plan = plan
        self._boots = boots
        self._now_s: Callable[[], float] = asyncio.get_running_loop().time
        self._wake = asyncio.Event()
        self._acks: deque[bytes] = deque(maxlen=ACKS_WAITING_MAX)
        self._throttle = Throttle(rows_max=plan.rows_max)
        self._outbox_id = door.outbox_id
        self._is_new_connection = False
        self._urgent = False
        self._live_due = False
        self._next_flush_s = 0.0
        self._last_urgent_s = float("-inf")
        self._urgent_rows: RowRange | None = None
        self._known_end = 0

    def connected(self) -> None:
        """Hear that the broker is there."""
        self._is_new_connection = True
        self._wake.set()

    def acknowledged(self, payload: bytes) -> None:
        """Hear from ingest; at the bound the oldest word is dropped (its rows will be sent and acknowledged again)."""
        self.counts.acks_dropped += len(self._acks) == ACKS_WAITING_MAX
        self._acks.append(payload)
        self._wake.set()

    def accepted(self, urgent: bool) -> None:
        """Hear that the outbox took readings, and whether one can not wait."""
        if urgent:
            self._urgent = True
            self._wake.set()

    async def run(self) -> None:
        """Work for ever."""
        while True:
            try:
                async with asyncio.timeout(self._wait_s()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._try_step()

    async def step(self) -> None:
        """Take in acknowledgements, then send what is due and fits. Raises OutboxError while the disk refuses."""
        if self.uplink is None or not self.uplink.connected:
            return
        await self._begin_again_if_needed()
        await self._take_acks()
        self.uplink.cut_if_hung()
        self.window.returned(self._door.take_salvaged())
        again = self.window.return_silent(now_s=self._now_s())
        if again:
            self.counts.sent_again += again
            log.warning("ingest is silent, sending again", messages=again, next_wait_s=self.window.silence_s())
        self._decide_flush()
        if self._live_due:
            self._live_due = await self._send_live()
        if not self._live_due:
            await self._send_backlog()

    async def flush(self) -> None:
        """Send what can be sent now, whether its time has come or not (at a clean stop)."""
        self._live_due = True
        await self._try_step()

    async def _try_step(self) -> None:
        try:
            await self.step()
        except OutboxError as exc:
            log.error("outbox can not be used now, trying again", error=str(exc))

    def _wait_s(self) -> float:
        until_flush_s = max(0.01, self._next_flush_s - self._now_s())
        until_urgent_s = (
            max(0.01, self._last_urgent_s + self._urgent_gap_s - self._now_s()) if self._urgent else CHECK_S
        )
        return min(until_flush_s, until_urgent_s, CHECK_S)

    @property
    def _urgent_gap_s(self) -> float:
        """How long one urgent flush keeps off from the last, so that a patient who stays low does not fill the window.

        While ingest has not stored the last, a clinical second; else no longer than it takes to gather a few devices:
        who falls while another stays low is not to wait for that one's second.
        """
        if self._urgent_rows is None or not self.window.awaits(self._urgent_rows):
            return URGENT_GAP_S_MIN
        return max(URGENT_GAP_S_MIN, self._plan.flush_s / 10)

    def _decide_flush(self) -> None:
        now_s = self._now_s()
        if self._urgent and now_s - self._last_urgent_s >= self._urgent_gap_s:
            self._urgent, self._last_urgent_s, self._live_due = False, now_s, True
        if now_s >= self._next_flush_s:
            self._next_flush_s = now_s + self._plan.flush_s
            self._live_due = True

    async def _begin_again_if_needed(self) -> None:
        """Send all that lies in the outbox, from the front: the connection is new, or the outbox is (it broke)."""
        if not self._is_new_connection and self._outbox_id == self._door.outbox_id:
            return
        account = await self._door.account()
        self.window.restart(first=account.first_row or account.end_row, end=account.end_row)
        self._throttle.restart()
        self._outbox_id, self._known_end = account.outbox_id, max(self._known_end, account.end_row)
        self._is_new_connection = False

    async def _send_live(self) -> bool:
        """Send new rows until none are left or no slot is free; say whether some are left."""
        while (wanted := self.window.next_range(Lane.LIVE)) is not None:
            excerpt = await self._door.read(wanted, limit=self._plan.rows_max)
            if not excerpt.rows:
                return False
            if not self._publish(Lane.LIVE, excerpt, rows_max=self._plan.rows_max):
                return True
        return True

    async def _send_backlog(self) -> None:
        """Send old rows until none are left, no slot is free, the line is busy or new rows are due."""
        while self._throttle.is_open and (wanted := self.window.next_range(Lane.BACKLOG)) is not None:
            rows_max = self._throttle.rows
            excerpt = await self._door.read(wanted, limit=rows_max)
            if not excerpt.rows:
                self.window.passed(Lane.BACKLOG, wanted.end)
            elif not self._publish(Lane.BACKLOG, excerpt, rows_max=rows_max):
                return
            self._decide_flush()
            if self._live_due:
                self._wake.set()
                return

    def _publish(self, lane: Lane, excerpt: Excerpt, *, rows_max: int) -> bool:
        if self.uplink is None or excerpt.outbox_id != self._outbox_id:
            self._wake.set()
            return False
        packed = pack_front(
            excerpt,
            Moment(stamp=self._timekeeper.stamp(), speed=self._timekeeper.clock.speed, boots=self._boots),
            backlog=lane is Lane.BACKLOG,
            rows_max=rows_max,
        )
        urgent = lane is Lane.LIVE and self._is_urgent(excerpt.rows[: packed.rows.end - packed.rows.first])
        on_answer = self._backlog_answered if lane is Lane.BACKLOG else self._live_answered
        if not self.uplink.publish(Leaf.READINGS, packed.payload, urgent=urgent, on_answer=on_answer):
            return False
        if lane is Lane.BACKLOG:
            self._throttle.sent()
        elif urgent:
            self._urgent_rows = packed.rows
        self.window.sent(lane, packed.rows, now_s=self._now_s())
        self._known_end = max(self._known_end, packed.rows.end)
        self.counts.published += 1
        return True

    def _is_urgent(self, rows: Sequence[Row]) -> bool:
        is_breached = self._plan.floor.is_breached
        return any(
            is_breached(SIGNAL_BY_CODE[signal], value, Quality(quality))
            for _, _, _, _, signal, value, quality, _, _ in rows
        )

    def _backlog_answered(self, after_s: float) -> None:
        self._throttle.answered(after_s)
        self._wake.set()

    def _live_answered(self, _after_s: float) -> None:
        if self._live_due:
            self._wake.set()

    async def _take_acks(self) -> None:
        ranges: list[RowRange] = []
        while self._acks:
            ack = self._read_ack(self._acks.popleft())
            if ack is not None:
                ranges.extend(ack.stored)
        known = [RowRange(r.first, min(r.end, self._known_end)) for r in merged(ranges) if r.first < self._known_end]
        if not known:
            return
        try:
            await self._door.stored(known)
        except OutboxError as exc:  # the rows stay, are sent again after the silence, and acknowledged again
            log.error("outbox can not forget what is stored, sending it again later", error=str(exc))
            return
        self.window.acknowledged(known)

    def _read_ack(self, payload: bytes) -> Ack | None:
        """Read one word of ingest's. Rows that were never sent can not be stored: such a range is cut (see caller)."""
        try:
            ack = parse_ack(payload)
        except AckError as exc:
            self.counts.acks_unreadable += 1
            log.error("unreadable acknowledgement", error=str(exc))
            return None
        if ack.outbox_id != self._outbox_id:
            self.counts.acks_foreign += 1
            return None
        self.counts.acks += 1
        return ack

"""The memory of a device that measures now and then: numbered records, stamped by a clock of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from firmware_stubs.clock import ClinicalClock
from firmware_stubs.physiology import Course, State

RECORDS_MAX = 1_000
NUMBERS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was measured before power-on: the first so long ago, then one every so often."""

    first_ago: timedelta
    every: timedelta

    def moments(self, now: datetime) -> list[datetime]:
        """List the moments of measuring, oldest first, all before `now`."""
        count = -(-self.first_ago // self.every)
        return [now - self.first_ago + number * self.every for number in range(count)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One measurement: when it was taken in truth, what the device's own clock showed, and what was measured."""

    number: int
    measured_at: datetime
    civil: datetime
    state: State


class Memory:
    """Measures every `every_s` from power-on, and keeps the newest RECORDS_MAX records.

    Its clock shows `zone`, wrong by `clock_error` until it is set.
    """

    def __init__(
        self,
        *,
        clock: ClinicalClock,
        course: Course,
        zone: ZoneInfo,
        every_s: float,
        history: History | None = None,
        clock_error: timedelta = timedelta(0),
    ) -> None:
        self.records: deque[Record] = deque(maxlen=RECORDS_MAX)
        self.clock_error = clock_error
        self._clock = clock
        self._course = course
        self._zone = zone
        self._every_s = every_s
        self._history = history
        self._began_at: datetime | None = None
        self._next_number = 0

    def begin(self) -> None:
        """Power on: remember the history, once."""
        now = self._clock.now()
        if self._began_at is None:
            self._began_at = now
            for moment in self._history.moments(now) if self._history else ():
                self._measure(moment)

    async def keep_measuring(self, *, allowed: asyncio.Event, on_record: Callable[[], Awaitable[None]]) -> None:
        """Measure for ever, at the moments when it is allowed."""
        loop = asyncio.get_running_loop()
        every_real_s = self._clock.real_s(self._every_s)
        due_s = loop.time()
        while True:
            await allowed.wait()
            self._measure(self._clock.now())
            await on_record()
            due_s = max(due_s + every_real_s, loop.time())
            await asyncio.sleep(due_s - loop.time())

    def forget(self, records: Iterable[Record]) -> None:
        """Delete records."""
        gone = {record.number for record in records}
        kept = [record for record in self.records if record.number not in gone]
        self.records.clear()
        self.records.extend(kept)

    def set_clock(self, civil: datetime) -> None:
        """Set the device's clock to a civil time without a zone."""
        true = self._clock.now().astimezone(self._zone).replace(tzinfo=None)
        self.clock_error = timedelta(seconds=round((civil - true).total_seconds()))

    def _measure(self, moment: datetime) -> None:
        assert self._began_at is not None
        measured_at = moment.replace(microsecond=0)
        shown = (measured_at + self.clock_error).astimezone(self._zone)
        state = self._course((moment - self._began_at).total_seconds())
        self.records.append(Record(number=self._next_number, measured_at=measured_at, civil=shown, state=state))
        self._next_number = (self._next_number + 1) % NUMBERS

"""What to send next: two lanes (live, backlog), a bounded set of messages in flight, resending after a silence.

A message is in flight from its publishing until ingest says that its rows are stored; a PUBACK means nothing.
Backlog (what lay in the outbox when the connection came up, and what was sent in vain) goes oldest first and leaves
slots free for live rows, so that draining a week does not delay the present.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from gateway.outbox.rows import ROW_END, RowRange, merged, without_all


class Lane(Enum):
    """Live rows or backlog."""

    LIVE = "live"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """Rows published at `sent_s` (machine's monotonic time) and not yet known as stored."""

    rows: RowRange
    sent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many messages may be in flight, how many of them keep free for live rows, and the resend back-off."""

    in_flight_max: int
    live_slots: int
    silence_s_min: float
    silence_s_max: float


class Window:
    """The courier's memory of what is sent, kept in plain values; every method takes the time it needs."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._flights: list[Flight] = []
        self._backlog: list[RowRange] = []
        self._live_first = 0
        self._silences = 0

    @property
    def in_flight(self) -> int:
        """Count the messages in flight."""
        return len(self._flights)

    def restart(self, *, first: int, end: int) -> None:
        """Start over after a (re)connection: all that lies in the outbox is backlog, the future is live."""
        self._flights = []
        self._backlog = [RowRange(first, end)] if first < end else []
        self._live_first = end
        self._silences = 0

    def next_range(self, lane: Lane) -> RowRange | None:
        """Give the rows a lane would send next, None if it has none or no slot is free for it."""
        slots = self._bounds.in_flight_max - (self._bounds.live_slots if lane is Lane.BACKLOG else 0)
        if len(self._flights) >= slots:
            return None
        if lane is Lane.LIVE:
            return RowRange(self._live_first, ROW_END)
        return self._backlog[0] if self._backlog else None

    def sent(self, lane: Lane, rows: RowRange, *, now_s: float) -> None:
        """Note that rows were published."""
        self._flights.append(Flight(rows=rows, sent_s=now_s))
        self.passed(lane, rows.end)

    def passed(self, lane: Lane, end: int) -> None:
        """Note that a lane has nothing left to send before this row."""
        if lane is Lane.LIVE:
            self._live_first = max(self._live_first, end)
        else:
            self._backlog = without_all(self._backlog, [RowRange(0, end)]) if end > 0 else self._backlog

    def returned(self, ranges: Iterable[RowRange]) -> None:
        """Take rows into the backlog that were not in the outbox before, or have to be sent again."""
        self._backlog = merged([*self._backlog, *ranges])

    def acknowledged(self, ranges: Iterable[RowRange]) -> bool:
        """Take stored rows out; say whether any of them was awaited."""
        stored = list(ranges)
        before = self._awaited()
        self._flights = [replace(f, rows=part) for f in self._flights for part in without_all([f.rows], stored)]
        self._backlog = without_all(self._backlog, stored)
        heard = self._awaited() != before
        if heard:
            self._silences = 0
        return heard

    def awaits(self, rows: RowRange) -> bool:
        """Say whether any of these rows are in flight, or have to be sent again."""
        awaited = (*self._backlog, *(flight.rows for flight in self._flights))
        return any(part.first < rows.end and rows.first < part.end for part in awaited)

    def silence_s(self) -> float:
        """Give how long an answer is waited for now: doubled at each silence, bounded."""
        return min(self._bounds.silence_s_min * 2.0**self._silences, self._bounds.silence_s_max)

    def return_silent(self, *, now_s: float) -> int:
        """Give rows whose answer is overdue back to the backlog, to be sent again; say how many messages."""
        overdue = [f for f in self._flights if now_s - f.sent_s >= self.silence_s()]
        if overdue:
            self._flights = [f for f in self._flights if f not in overdue]
            self.returned(f.rows for f in overdue)
            self._silences = min(self._silences + 1, 16)
        return len(overdue)

    def _awaited(self) -> int:
        return sum(r.end - r.first for r in (*self._backlog, *(f.rows for f in self._flights)))

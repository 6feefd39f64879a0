"""Gives each notification of a device its own millisecond: two measurements at one instant would contradict.

A radio hands over what it held back in one burst, faster than the clock ticks (and a drill's fast clock ticks
coarsely); a leap second sets the clock back by one. Up to that the later one is put a millisecond behind the earlier.
A clock that is set back further is believed; an instant that the device has had of late is not given twice.
The beats that one notification holds reach back to those of the one before: a beat that falls on an earlier one, or
before it, is put just behind it too.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gateway.clocks.placing import Stamp, Stamped
from vitals.reading import Acquisition
from vitals.signals import Signal

RECENT_MAX = 512
"""Instants remembered of each device: more than a minute of a stream. What lay further ahead, ingest has moved."""
BURST_MS = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEATS_REACH_BACK_MS = 10_000


class Instants:
    """Remembers the last instants of each source, on both clocks; one entry per device."""

    def __init__(self) -> None:
        self._last_mono_ms: dict[str, int] = {}
        self._recent_ms: dict[str, deque[int]] = {}
        self._last_beat: dict[str, Stamped] = {}

    def distinct(self, device: str, stamp: Stamp) -> Stamp:
        """Give the stamp on its millisecond, or one just behind the device's last, on both clocks."""
        last_mono_ms = self._last_mono_ms.get(device, stamp.mono_ms - 1)
        mono_ms = stamp.mono_ms + _behind_ms(stamp.mono_ms, last_mono_ms)
        wall_ms = stamp.wall_ms
        recent_ms = self._recent_ms.setdefault(device, deque(maxlen=RECENT_MAX))
        behind_ms = _behind_ms(wall_ms, recent_ms[-1]) if recent_ms else 0
        while wall_ms + behind_ms in recent_ms:
            behind_ms += 1
        self._last_mono_ms[device] = mono_ms
        recent_ms.append(wall_ms + behind_ms)
        # On the millisecond, so that what is a millisecond apart stays so however it is rounded later.
        return replace(stamp, wall=_EPOCH + timedelta(milliseconds=wall_ms + behind_ms), mono_ms=mono_ms)

    def beats_apart(self, rows: Sequence[Stamped]) -> list[Stamped]:
        """Give one notification's rows, oldest beat first, with each beat of a stream behind the one before it."""
        return [self._behind_last_beat(row) if _is_beat(row) else row for row in rows]

    def _behind_last_beat(self, row: Stamped) -> Stamped:
        last = self._last_beat.get(row.reading.device)
        if last is not None:
            wall_behind_ms = (last.reading.measured_at - row.reading.measured_at) // timedelta(milliseconds=1) + 1
            mono_behind_ms = last.mono_ms - row.mono_ms + 1
            wall_behind_ms = wall_behind_ms if 0 < wall_behind_ms <= BEATS_REACH_BACK_MS else 0
            mono_behind_ms = mono_behind_ms if 0 < mono_behind_ms <= BEATS_REACH_BACK_MS else 0
            moved_at = row.reading.measured_at + timedelta(milliseconds=wall_behind_ms)
            row = replace(row, reading=replace(row.reading, measured_at=moved_at), mono_ms=row.mono_ms + mono_behind_ms)
        self._last_beat[row.reading.device] = row
        return row


def _is_beat(row: Stamped) -> bool:
    return row.reading.signal is Signal.RR_INTERVAL and row.reading.acquisition is Acquisition.CONTINUOUS


def _behind_ms(now_ms: int, last_ms: int) -> int:
    """Say how far an instant must be moved to lie behind the last; a clock set back by more is believed."""
    return last_ms + 1 - now_ms if 0 <= last_ms - now_ms <= BURST_MS else 0

"""Gives each notification of a device its own millisecond: two measurements at one instant would contradict.

A radio hands over what it held back in one burst, faster than the clock ticks (and a drill's fast clock ticks
coarsely). Within a second the later one is put a millisecond behind the earlier; a clock that was set back
further than that is believed.
"""

from dataclasses import replace
from datetime import timedelta

from gateway.packing import milliseconds
from gateway.placing import Stamp

BURST_MS = 1000


class Instants:
    """Remembers the last instant of each source; one entry per device and characteristic."""

    def __init__(self) -> None:
        self._last_ms: dict[tuple[str, str], int] = {}

    def distinct(self, device: str, characteristic: str, stamp: Stamp) -> Stamp:
        """Give the stamp itself, or one moved just behind the source's last."""
        now_ms = milliseconds(stamp)
        last_ms = self._last_ms.get((device, characteristic))
        behind_ms = last_ms + 1 - now_ms if last_ms is not None and 0 <= last_ms - now_ms < BURST_MS else 0
        self._last_ms[device, characteristic] = now_ms + behind_ms
        if not behind_ms:
            return stamp
        return replace(stamp, wall=stamp.wall + timedelta(milliseconds=behind_ms), mono_ms=stamp.mono_ms + behind_ms)

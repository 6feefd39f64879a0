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
    """Remembers the last instant of each source, on both clocks; one entry per device."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}

    def distinct(self, device: str, stamp: Stamp) -> Stamp:
        """Give the stamp itself, or one moved just behind the device's last on the wall's and the boot's clock."""
        wall_ms, mono_ms = milliseconds(stamp), stamp.mono_ms
        last_wall_ms, last_mono_ms = self._last.get(device, (wall_ms - BURST_MS, mono_ms - 1))
        behind_ms = max(_behind_ms(wall_ms, last_wall_ms), _behind_ms(mono_ms, last_mono_ms))
        self._last[device] = (wall_ms + behind_ms, mono_ms + behind_ms)
        if not behind_ms:
            return stamp
        return replace(stamp, wall=stamp.wall + timedelta(milliseconds=behind_ms), mono_ms=stamp.mono_ms + behind_ms)


def _behind_ms(now_ms: int, last_ms: int) -> int:
    """Say how far an instant must be moved to lie behind the last; a jump back of a second or more is believed."""
    return last_ms + 1 - now_ms if 0 <= last_ms - now_ms < BURST_MS else 0

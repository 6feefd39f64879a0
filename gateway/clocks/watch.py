"""Watches the wall clock against the monotonic one: what moves between them by more than a slew is a jump.

Both clocks run at one rate (NTP's slewing and a smeared leap second bend both), so their difference moves only where
somebody sets the wall clock. Single steps up to `JUMP_MS_MIN` are no jump: a leap second, timesyncd's small steps.
"""

from dataclasses import dataclass, replace

JUMP_MS_MIN = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockWatch:
    """What was seen since the process began: jumps, and those of a clock that counted as synchronised.

    `apart_ms` is the wall clock minus the monotonic one at the last look.
    """

    apart_ms: int | None = None
    jumps: int = 0
    jumps_synchronised: int = 0
    last_jump_ms: int | None = None


def observed(watch: ClockWatch, *, wall_ms: int, mono_ms: int, synchronised: bool) -> ClockWatch:
    """Look at both clocks; `synchronised` is how the clock counted before this look."""
    apart_ms = wall_ms - mono_ms
    moved_ms = 0 if watch.apart_ms is None else apart_ms - watch.apart_ms
    if abs(moved_ms) <= JUMP_MS_MIN:
        return replace(watch, apart_ms=apart_ms)
    return ClockWatch(
        apart_ms=apart_ms,
        jumps=watch.jumps + 1,
        jumps_synchronised=watch.jumps_synchronised + synchronised,
        last_jump_ms=moved_ms,
    )

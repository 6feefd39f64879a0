"""What is known of the machine's earlier boots: enough to date readings that a boot left behind unsent.

A boot's monotonic clock begins at 0, so a reading's distance to everything later of its boot is known, and boots follow
one another. Where a boot's clock was ever synchronised, one reading stamped then dates all of that boot. Where it never
was, a reading is dated as late as it can have been: the time the machine was off is not known, and taken as none.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """One earlier boot by what it left in the outbox, in ms.

    `last_mono_ms`: it lived at least this long. `dated`: monotonic and wall time of one reading that a synchronised
    clock stamped, None if it left none.
    """

    boot_id: int
    last_mono_ms: int
    dated: tuple[int, int] | None = None


class Boots:
    """Earlier boots, oldest first."""

    def __init__(self, boots: Iterable[Boot] = ()) -> None:
        self._boots = tuple(boots)
        self._at = {boot.boot_id: index for index, boot in enumerate(self._boots)}

    def dated_ms(self, boot_id: int, mono_ms: int, *, speed: float) -> int | None:
        """Give the wall time of an instant of a boot whose clock was once synchronised, else None."""
        index = self._at.get(boot_id)
        dated = None if index is None else self._boots[index].dated
        if dated is None:
            return None
        dated_mono_ms, wall_ms = dated
        return wall_ms - round((dated_mono_ms - mono_ms) * speed)

    def age_ms_min(self, boot_id: int, mono_ms: int, *, now_mono_ms: int, speed: float) -> int | None:
        """Give how long ago an instant of an earlier boot is at least, None for a boot that is not known."""
        index = self._at.get(boot_id)
        if index is None:
            return None
        rest_ms = self._boots[index].last_mono_ms - mono_ms
        later_ms = sum(boot.last_mono_ms for boot in self._boots[index + 1 :])
        return round((max(0, rest_ms) + later_ms + now_mono_ms) * speed)

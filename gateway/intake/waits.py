"""How long readings wait until they are safe: the newest groups' waits, bounded, and their percentiles."""

from collections import deque

KEPT_MAX = 1024


class Waits:
    """From the arrival of a group's oldest notification to the return of its commit, in ms."""

    def __init__(self) -> None:
        self._waits_ms: deque[float] = deque(maxlen=KEPT_MAX)

    def note(self, wait_ms: float) -> None:
        """Take in one group's wait; the oldest one kept makes room."""
        self._waits_ms.append(wait_ms)

    def summary(self) -> dict[str, float] | None:
        """Give p50, p95 (nearest rank) and the longest of what is kept; None before the first."""
        if not self._waits_ms:
            return None
        ordered = sorted(self._waits_ms)
        return {
            "groups": len(ordered),
            "p50": round(ordered[(len(ordered) - 1) // 2], 2),
            "p95": round(ordered[-(-len(ordered) * 95 // 100) - 1], 2),
            "max": round(ordered[-1], 2),
        }

"""How fast readings come in: since which row they count as new, and for how many hours the outbox has room."""

from collections import deque
from dataclasses import dataclass

from gateway.outbox.thinning import NEWEST_S

MARK_EVERY_S = 60.0
LOOK_BACK_S = 3_600.0
ROW_BYTES = 32
"""What a row takes in the file, before enough of them lie there to tell."""
_ROWS_TO_TELL = 10_000


@dataclass(frozen=True, slots=True)
class Mark:
    """At this time (machine's monotonic) rows up to this number had come, so many of them accepted."""

    now_s: float
    end_row: int
    accepted: int


class Pace:
    """A mark a minute, for an hour."""

    def __init__(self, *, now_s: float, newest_from: int, end_row: int, accepted: int) -> None:
        """Begin with rows of an earlier life: those from `newest_from` count as if they came now."""
        self._marks = deque([Mark(now_s, newest_from, accepted), Mark(now_s, end_row, accepted)])

    def note(self, *, now_s: float, end_row: int, accepted: int) -> bool:
        """Take note of what has come by now; say whether a minute is over."""
        if now_s - self._marks[-1].now_s < MARK_EVERY_S:
            return False
        self._marks.append(Mark(now_s, end_row, accepted))
        while len(self._marks) > 2 and self._marks[1].now_s <= now_s - LOOK_BACK_S:
            self._marks.popleft()
        return True

    def newest_from(self, now_s: float) -> int:
        """Give the row from which on all came within the last ten minutes (up to a mark more)."""
        old = [mark.end_row for mark in self._marks if mark.now_s <= now_s - NEWEST_S]
        return old[-1] if old else self._marks[0].end_row

    def rows_per_hour(self, *, now_s: float, accepted: int) -> int | None:
        """Give the rate of the last hour, None in the first minute."""
        since = self._marks[0]
        if now_s - since.now_s < MARK_EVERY_S:
            return None
        return round((accepted - since.accepted) * 3_600 / (now_s - since.now_s))


def hours_left(*, used_bytes: int, bytes_max: int, depth: int, rows_per_hour: int | None) -> float | None:
    """Say for how many hours what comes in still fits, if nothing goes out; None while the rate is unknown or nil."""
    if not rows_per_hour:
        return None
    row_bytes = used_bytes / depth if depth >= _ROWS_TO_TELL else ROW_BYTES
    return round(max(0, bytes_max - used_bytes) / row_bytes / rows_per_hour, 1)

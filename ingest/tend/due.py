"""Which job is to run next: each by its own period, one that has more to do again after the others, failures later."""

from collections.abc import Mapping
from dataclasses import dataclass, field

RETRY_FIRST_S = 5.0
RETRY_MOST_S = 600.0


def retry_after_s(failures: int) -> float:
    """Say how long a job waits that has failed so often in a row."""
    return float(min(RETRY_FIRST_S * 2 ** min(failures - 1, 16), RETRY_MOST_S))


@dataclass(slots=True)
class Schedule:
    """When each job is due, in seconds of one steady clock. All are due at the start, in the order given."""

    every_s: Mapping[str, float]
    failures: dict[str, int] = field(default_factory=dict)
    _due_at: dict[str, float] = field(default_factory=dict)

    def next_due(self, now_s: float) -> str | None:
        """Name the job that has been due for longest; none is due: None."""
        job = min(self.every_s, key=self._due)
        return job if self._due(job) <= now_s else None

    def wait_s(self, now_s: float) -> float:
        """Say how long until one is due."""
        return max(0.0, min(map(self._due, self.every_s)) - now_s)

    def went_well(self, job: str, now_s: float, *, more: bool) -> None:
        """Note a success; `more`: it stopped at its bound, and is due again behind all that are due now."""
        self.failures[job] = 0
        self._due_at[job] = now_s if more else now_s + self.every_s[job]

    def failed(self, job: str, now_s: float) -> float:
        """Note a failure; gives how long the job waits now."""
        self.failures[job] = self.failures.get(job, 0) + 1
        wait_s = retry_after_s(self.failures[job])
        self._due_at[job] = now_s + wait_s
        return wait_s

    def _due(self, job: str) -> float:
        return self._due_at.get(job, 0.0)

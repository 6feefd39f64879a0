"""How far a long rehearsal is: a line for whoever waits, and for the page that shows it."""

import re
from dataclasses import dataclass

_LINE = re.compile(r"^rehearse: (\d+) of (\d+) patients, (\d+) %")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Patients done of all, and the share of all the days."""

    done: int
    of: int
    percent: int

    def line(self, elapsed_s: float) -> str:
        """Write it, with the time left if it goes on as so far."""
        left_s = elapsed_s * (100 - self.percent) / self.percent if self.percent else None
        about = "" if left_s is None else f", about {_length(left_s)} left"
        return f"rehearse: {self.done} of {self.of} patients, {self.percent} %{about}"


def progress_of(line: str) -> Progress | None:
    """Read what `line` wrote; None for anything else."""
    found = _LINE.match(line)
    return None if found is None else Progress(done=int(found[1]), of=int(found[2]), percent=int(found[3]))


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

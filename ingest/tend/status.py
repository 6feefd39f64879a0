"""How time-driven work is getting on, as read from the database: each job's last word, who works, what is behind."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from care.sql import load_queries

_QUERIES = load_queries("ingest", "tending.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """One job as it last recorded itself (the machine's time)."""

    job: str
    every_s: int
    last_run: datetime
    last_success: datetime | None
    duration_ms: int
    failures: int
    detail: str
    work_left: int
    work_per_s: float | None

    @property
    def left_s(self) -> float | None:
        """Say how long what is left takes at the pace of the last turn; None where that is not known."""
        if not self.work_left:
            return 0.0
        return self.work_left / self.work_per_s if self.work_per_s else None

    def is_overdue(self, now: datetime) -> bool:
        """Say whether it has not gone well for three of its periods, and ten minutes at least."""
        allowed_s = max(3 * self.every_s, 600)
        return self.last_success is None or (now - self.last_success).total_seconds() > allowed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All of it. `behind`: batches the roll-ups have not read, and when the oldest came (clinical time)."""

    jobs: list[JobStatus]
    worker_since: datetime | None
    behind_batches: int
    behind_since: datetime | None


def standing(dsn: str, *, connect_s_max: int = 5) -> Standing:
    """Read how it stands. Raises psycopg.Error."""
    with psycopg.connect(dsn, connect_timeout=connect_s_max) as connection:
        with connection.cursor(row_factory=class_row(JobStatus)) as rows:
            jobs = rows.execute(_QUERIES["tending"]).fetchall()
        worker = connection.execute(_QUERIES["worker"]).fetchone()
        behind = connection.execute(_QUERIES["backlog"]).fetchone()
    assert behind is not None, "an aggregate gives a row"
    return Standing(
        jobs=jobs,
        worker_since=worker[1] if worker else None,
        behind_batches=behind[0],
        behind_since=behind[1],
    )

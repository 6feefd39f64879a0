"""What the process of time-driven work tells Prometheus: each job's last success is its dead-man signal."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from ingest.turn import Turn


class TendingMetrics:
    """The gauges of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.working = Gauge(
            "hearthwatch_tend_working", "1 in the one process that works, 0 where it waits", registry=self.registry
        )
        self._success = self._gauge("last_success_timestamp_seconds", "When a job last went well")
        self._duration = self._gauge("duration_seconds", "How long a job's last turn took")
        self._failures = self._gauge("failures", "How often a job failed in a row")
        self._left = self._gauge("work_left", "What a job has left, as far as it can be told")
        self._behind = self._gauge("behind_seconds", "How long the oldest of it has waited")
        self.missing = Gauge(
            "hearthwatch_ingest_missing_readings",
            "Readings that gateways accepted and that are not here, by what is known of them",
            ["kind"],
            registry=self.registry,
        )
        self._done = Counter("hearthwatch_tend_work", "What a job has done", ["job"], registry=self.registry)

    def went_well(self, job: str, turn: Turn, *, at_s: float, duration_s: float) -> None:
        """Note a job's turn."""
        self._success.labels(job).set(at_s)
        self._duration.labels(job).set(duration_s)
        self._failures.labels(job).set(0)
        self._left.labels(job).set(turn.left)
        self._behind.labels(job).set(turn.behind_s)
        self._done.labels(job).inc(turn.done)

    def failed(self, job: str, failures: int) -> None:
        """Note that a job failed so often in a row."""
        self._failures.labels(job).set(failures)

    def _gauge(self, name: str, says: str) -> Gauge:
        return Gauge(f"hearthwatch_tend_{name}", says, ["job"], registry=self.registry)

"""What the HTTP intake counts for Prometheus, beside what all intake counts."""

from prometheus_client import Counter

from ingest.store.metrics import Metrics


class HttpMetrics(Metrics):
    """The counters of one HTTP intake process."""

    def __init__(self) -> None:
        super().__init__()
        self._answers = Counter(
            "hearthwatch_ingest_http_answers",
            "Requests with readings, by status and by the problem's name (none: they were taken)",
            ["status", "problem"],
            registry=self.registry,
        )

    def answered(self, status: int, problem: str) -> None:
        """Count a request that was answered."""
        self._answers.labels(str(status), problem).inc()

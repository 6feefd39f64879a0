"""What ingest counts, for Prometheus."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ingest.judging.rejection import Rejection
from ingest.store.storing import Stored

AGE_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600, 3600, 86_400)
STEP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ROW_BUCKETS = (1, 10, 100, 1_000, 10_000, 100_000)


class Metrics:
    """The counters of one ingest process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._readings = self._counter("readings", "Readings stored")
        self._duplicates = self._counter("duplicates", "Readings that had been stored before")
        self._rejected = Counter(
            "hearthwatch_ingest_rejected",
            "Readings (or unreadable messages) put aside",
            ["reason"],
            registry=self.registry,
        )
        for reason in Rejection:
            self._rejected.labels(reason.value)
        self._implausible = self._counter("implausible", "Readings kept without their implausible number")
        self._clock_ahead = self._counter("clock_ahead", "Live readings whose clock was ahead")
        self._unknown_gateways = self._counter("unknown_gateway_status", "Status messages of unknown gateways")
        self.configs = self._counter("configs", "Config documents handed to the broker")
        self._messages = self._counter("messages", "Messages acknowledged to the broker")
        self._trouble = Counter(
            "hearthwatch_ingest_trouble", "Attempts to store that failed", ["trouble"], registry=self.registry
        )
        self._batch = Histogram(
            "hearthwatch_ingest_batch_rows", "Rows of a batch", buckets=ROW_BUCKETS, registry=self.registry
        )
        self._age = Histogram(
            "hearthwatch_ingest_age_seconds",
            "Clinical time from the newest reading of a live message to its commit",
            buckets=AGE_BUCKETS_S,
            registry=self.registry,
        )
        self._copy = self._step(
            "copy", "Taking a batch's readings to sample and latest, COPY and what it falls back to"
        )
        self._commit = self._step("commit", "The COMMIT of a batch")
        self._last_commit = Gauge(
            "hearthwatch_ingest_last_commit_timestamp_seconds",
            "When the last batch was committed (the machine's time), 0 before the first: the dead-man signal",
            registry=self.registry,
        )
        self.waiting = Gauge(
            "hearthwatch_ingest_waiting_messages",
            "Messages that the broker has handed over and that are not yet stored",
            registry=self.registry,
        )
        self._ready = Gauge(
            "hearthwatch_ingest_ready", "1 while readings arrive and can be stored", registry=self.registry
        )
        self.trouble: str | None = "starting"

    def stored(self, stored: Stored, *, rows: int, messages: int) -> None:
        """Count a committed batch."""
        self._readings.inc(stored.readings)
        self._duplicates.inc(stored.duplicates)
        for reason, count in stored.refused.items():
            self._rejected.labels(reason.value).inc(count)
        self._implausible.inc(stored.implausible)
        self._clock_ahead.inc(stored.clock_ahead)
        self._unknown_gateways.inc(stored.unknown_gateways)
        self._messages.inc(messages)
        self._batch.observe(rows)
        for age_s in stored.ages_s:
            self._age.observe(age_s)
        if stored.copy_s is not None:
            self._copy.observe(stored.copy_s)
        if stored.commit_s is not None:
            self._commit.observe(stored.commit_s)
        self._last_commit.set_to_current_time()

    def failed(self, trouble: str) -> None:
        """Count an attempt that failed."""
        self._trouble.labels(trouble).inc()
        self.stand(trouble)

    def stand(self, trouble: str | None) -> None:
        """Say that readings arrive and can be stored, or what is in the way."""
        self.trouble = trouble
        self._ready.set(trouble is None)

    def look_when_asked(self, trouble: Callable[[], str | None]) -> None:
        """Let `ready` be found out whenever it is asked for: between two messages nothing is tried."""
        self._ready.set_function(lambda: float(trouble() is None))

    def _step(self, name: str, says: str) -> Histogram:
        return Histogram(f"hearthwatch_ingest_{name}_seconds", says, buckets=STEP_BUCKETS_S, registry=self.registry)

    def _counter(self, name: str, says: str) -> Counter:
        return Counter(f"hearthwatch_ingest_{name}", says, registry=self.registry)

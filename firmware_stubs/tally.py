"""What a device has sent: exact counts, and a bounded log of the values for a later comparison."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

SENT_KEPT_MAX = 100_000


class Metric(StrEnum):
    """What a reading measures."""

    SPO2 = "spo2"
    PULSE = "pulse"
    PERFUSION = "perfusion"
    TEMPERATURE = "temperature"
    RR_INTERVAL = "rr_interval"
    SYSTOLIC = "systolic"
    DIASTOLIC = "diastolic"
    MEAN_PRESSURE = "mean_pressure"
    GLUCOSE = "glucose"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentReading:
    """One value as it went out, rounded as on the wire."""

    metric: Metric
    value: float
    measured_at: datetime
    measurement_status: int = 0
    sensor_status: int = 0


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one device since its power-on. `sent` keeps the newest SENT_KEPT_MAX readings.

    `notifications` counts notifications and indications sent, repeats too; `confirmed` the indications
    that a central confirmed. A reading is a value: "not a number" and the 0 of a probe off are none.
    A notified reading counts when sent, an indicated one when confirmed.
    """

    notifications: int = 0
    confirmed: int = 0
    counts: Counter[Metric] = field(default_factory=Counter)
    sent: deque[SentReading] = field(default_factory=lambda: deque(maxlen=SENT_KEPT_MAX))

    @property
    def readings(self) -> int:
        """Return the readings of all metrics."""
        return self.counts.total()

    def add(self, readings: Iterable[SentReading]) -> None:
        """Count readings and keep them."""
        for reading in readings:
            self.counts[reading.metric] += 1
            self.sent.append(reading)

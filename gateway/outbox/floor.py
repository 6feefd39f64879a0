"""The local floor: which reading can not wait for the next flush."""

from dataclasses import dataclass

from vitals.quality import Quality
from vitals.signals import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Scaled limits; only good readings breach them (a doubtful one waits at most one flush interval)."""

    spo2_below: int
    temperature_from: int

    def is_breached(self, signal: Signal, value: int | None, quality: Quality) -> bool:
        """Say whether a reading must be sent at once."""
        if value is None or quality is not Quality.GOOD:
            return False
        if signal is Signal.SPO2:
            return value < self.spo2_below
        return signal is Signal.TEMPERATURE and value >= self.temperature_from

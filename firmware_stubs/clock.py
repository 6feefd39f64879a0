"""The clinical clock of the simulation: real time, stretched from one moment on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Read the machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalClock:
    """Clinical now = origin + speed x (real now - origin); before the origin, real time."""

    origin: datetime
    speed: float = 1.0
    real_now: Callable[[], datetime] = utc_now

    def __post_init__(self) -> None:
        if self.origin.tzinfo is None:
            raise ValueError(f"origin {self.origin.isoformat()} names no zone")
        if not self.speed > 0:
            raise ValueError(f"speed {self.speed} is not above 0")

    def now(self) -> datetime:
        """Return the clinical time, aware."""
        now = self.real_now()
        return now if now <= self.origin else self.origin + self.speed * (now - self.origin)

    def real_s(self, clinical_s: float) -> float:
        """Return how many real seconds that many clinical seconds last."""
        return clinical_s / self.speed

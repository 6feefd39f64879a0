"""Clinical time: one clock for every process, origin + speed x elapsed, so that a drill may run faster.

Only rules, timers and stamps live in it; sockets, retries and sessions use the machine's time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ClinicalClock:
    """Maps the machine's UTC time to clinical time; two processes with the same two values agree.

    Until `origin` both times are one; from then on clinical time runs `speed` times as fast.
    """

    origin: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    speed: float = 1.0

    def __post_init__(self) -> None:
        if self.origin.tzinfo is None:
            raise ValueError(f"clock origin {self.origin!r} has no time zone")
        if not self.speed > 0:
            raise ValueError(f"clock speed {self.speed!r} is not above 0")

    def at(self, machine_time: datetime) -> datetime:
        """Give the clinical time at an instant of machine time (both aware UTC)."""
        if machine_time <= self.origin:
            return machine_time
        return self.origin + (machine_time - self.origin) * self.speed

    def machine_s(self, clinical: timedelta) -> float:
        """Give the machine seconds in which this much clinical time passes."""
        return clinical.total_seconds() / self.speed

    @classmethod
    def parse(cls, origin: str, speed: float) -> "ClinicalClock":
        """Read the two settings; an empty origin means real time (speed 1 only)."""
        if not origin:
            if speed != 1:
                raise ValueError(f"a clock speed of {speed:g} needs an origin (ISO 8601, UTC)")
            return cls()
        return cls(origin=datetime.fromisoformat(origin).astimezone(UTC), speed=speed)

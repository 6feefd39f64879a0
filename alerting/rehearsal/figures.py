"""Pages as figures: how many a patient's day, how urgent, by night, how soon after the beginning."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from alerting.profile.profile import Consequence, Priority
from alerting.rehearsal.paged import Page
from alerting.zones import zone_of

NIGHT_FROM, NIGHT_UNTIL = 22, 7
"""Hours of the patient's local time between which it is night; of the report, no rule."""

EMERGENCY = "emergency"
URGENCIES = (EMERGENCY, *(priority.value for priority in Priority))


@dataclass(slots=True)
class Figures:
    """Pages counted; all of one profile, or those of one rule."""

    urgencies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(URGENCIES, 0))
    night: int = 0
    delays_ms: list[int] = field(default_factory=list)

    def take(self, page: Page, zone: str) -> None:
        """Count a page."""
        self.urgencies[urgency_of(page.consequence)] += 1
        self.night += is_night(page.at_ms, zone)
        self.delays_ms.append(page.at_ms - page.since_ms)

    @property
    def pages(self) -> int:
        """How many there were."""
        return len(self.delays_ms)

    def document(self, patient_days: int) -> dict[str, Any]:
        """Give them as plain values; each rate is a patient's day."""
        day = self.pages - self.night
        return {
            "pages": self.pages,
            "per_patient_day": rate(self.pages, patient_days),
            "by_priority": dict(self.urgencies),
            "night": self.night,
            "night_per_patient_day": rate(self.night, patient_days),
            "day": day,
            "day_per_patient_day": rate(day, patient_days),
            "delay_s": spread(self.delays_ms),
        }


def urgency_of(consequence: Consequence) -> str:
    """Name a page's urgency: its priority, or that it is an emergency."""
    return EMERGENCY if consequence.emergency else consequence.priority.value


def is_night(at_ms: int, zone: str) -> bool:
    """Say whether an instant is in the night where the patient lives."""
    hour = datetime.fromtimestamp(at_ms / 1000, zone_of(zone)).hour
    return hour >= NIGHT_FROM or hour < NIGHT_UNTIL


def rate(count: int, patient_days: int) -> float:
    """Give a count a patient's day; 0 where there was no day."""
    return round(count / patient_days, 4) if patient_days else 0.0


def spread(lengths_ms: Sequence[int]) -> dict[str, float | None]:
    """Give the median and the 95th percentile in seconds; None where there is nothing."""
    if not lengths_ms:
        return {"median": None, "p95": None}
    median, p95 = np.percentile(np.array(lengths_ms) / 1000, [50, 95])
    return {"median": round(float(median), 1), "p95": round(float(p95), 1)}


def changes(later_ms: Sequence[int]) -> dict[str, Any]:
    """Say how much later (negative: sooner) spells are paged for, in seconds."""
    found = np.array(later_ms, np.int64)
    return {
        "spells": len(found),
        "earlier": int((found < 0).sum()),
        "later": int((found > 0).sum()),
        "same": int((found == 0).sum()),
        "earliest_s": float(found.min()) / 1000 if len(found) else None,
        "latest_s": float(found.max()) / 1000 if len(found) else None,
    } | {f"{name}_s": value for name, value in spread(later_ms).items()}


def written(at_ms: int | None) -> str | None:
    """Write an instant as ISO 8601 in UTC."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()

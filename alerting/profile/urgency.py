"""How urgent a rule's raise is, and what it means."""

from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    """Alarm priority in the sense of IEC 60601-1-8."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What a rule's raise means: which family of episodes, how urgent, whether it opens a tier-3 case.

    `special_priority` is the priority for red patients, children and pregnancy, where it differs.
    """

    rule: str
    family: str
    priority: Priority
    emergency: bool
    tier3: bool
    technical: bool = False
    special_priority: Priority | None = None

    @property
    def rank(self) -> int:
        """Order of urgency: 0 high with emergency, 1 high, 2 medium, 3 low."""
        return {Priority.HIGH: 1 - self.emergency, Priority.MEDIUM: 2, Priority.LOW: 3}[self.priority]

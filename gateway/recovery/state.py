"""What was done about Bluetooth's troubles so far, and what is wrong now."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gateway.recovery.ladder import Cause, Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRung:
    """The rung taken last: why, on which adapter (empty: the whole machine), when."""

    rung: Rung
    because: Cause
    adapter: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryState:
    """How often each rung was taken, how often in vain because the machine refused it, and what is wrong now."""

    taken: Mapping[Rung, int] = field(default_factory=dict)
    refused: int = 0
    last: LastRung | None = None
    troubles: tuple[tuple[Cause, str, float], ...] = ()

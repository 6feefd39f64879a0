"""How a test of paging was answered: by whom, over which channel, after how long (core)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Came(StrEnum):
    """What came of a test at one person."""

    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    NOT_DELIVERED = "not_delivered"
    NO_CHANNEL = "no_channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One person's test; `channel` is the kind that took it ("" : none has), `outcome` what was said where none did."""

    person: str
    name: str
    name_en: str
    role: str
    begun_at: datetime
    delivered_at: datetime | None
    channel: str
    answered_at: datetime | None
    outcome: str
    has_channel: bool

    @property
    def came(self) -> Came:
        """Say what came of it."""
        if self.answered_at is not None:
            return Came.ANSWERED
        if not self.has_channel:
            return Came.NO_CHANNEL
        return Came.NO_ANSWER if self.delivered_at is not None else Came.NOT_DELIVERED

    @property
    def answered_after_s(self) -> float | None:
        """Give how long it took from paging to the answer."""
        return None if self.answered_at is None else (self.answered_at - self.begun_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A test as a whole; times are over those who answered, None where nobody did."""

    paged: int
    delivered: int
    answered: int
    median_s: float | None
    p90_s: float | None


def figures(responses: Sequence[Response]) -> Figures:
    """Count and rank a test's responses; percentiles are nearest ranks: a time that somebody took."""
    times = sorted(each.answered_after_s for each in responses if each.answered_after_s is not None)
    return Figures(
        paged=len(responses),
        delivered=sum(each.delivered_at is not None for each in responses),
        answered=len(times),
        median_s=_rank(times, 0.5),
        p90_s=_rank(times, 0.9),
    )


def _rank(times: Sequence[float], share: float) -> float | None:
    return times[math.ceil(share * len(times)) - 1] if times else None

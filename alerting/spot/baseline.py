"""A personal baseline: the median of recent valid sessions at rest (CLINICAL 3.1, SPO2-DROP)."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median_low

from alerting.profile.singles import BaselineRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """A session's scaled value, or an hour's of a wearer; `at_rest` is false where activity is known."""

    t_ms: int
    value: int
    at_rest: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """An hour of a wearer: when it began, the median of its minutes, how much was covered, steps if they are known."""

    t_ms: int
    value: int
    covered_ms: int
    steps: int | None


HOUR_MS = 3_600_000


def resting_hour(hour: Hour, rule: BaselineRule) -> Resting | None:
    """Give an hour as one session; None where the device covered too little of it."""
    if hour.covered_ms * 100 < rule.coverage_percent * HOUR_MS:
        return None
    return Resting(t_ms=hour.t_ms, value=hour.value, at_rest=hour.steps is None or hour.steps <= rule.hour_steps_max)


def baseline(
    sessions: Iterable[Resting], rule: BaselineRule, *, now_ms: int, ill: Iterable[tuple[int, int]] = ()
) -> int | None:
    """Give the baseline, the lower of two middle values; None without enough sessions.

    `ill` are the times (from, until) at which an episode of the signal was open: what was measured then is left out.
    """
    times = tuple(ill)
    values = [
        each.value
        for each in sessions
        if each.at_rest
        and 0 <= now_ms - each.t_ms <= rule.span_ms
        and not any(since <= each.t_ms <= until for since, until in times)
    ]
    return median_low(values) if len(values) >= max(rule.sessions_min, 1) else None

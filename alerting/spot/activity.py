"""What was measured after activity, as far as steps are known (CLINICAL 3.1: SPO2-EXERT)."""

from collections.abc import Sequence
from dataclasses import dataclass

from alerting.profile.singles import ActivityRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """How many steps were counted in the interval that ended then."""

    t_ms: int
    count: int


def is_after_activity(t_ms: int, steps: Sequence[Steps], rule: ActivityRule) -> bool:
    """Say whether enough steps had been made together, and so recently before; without steps nobody can say."""
    return any(
        _made_until(end.t_ms, steps, rule.span_ms) >= rule.steps
        for end in steps
        if end.count and 0 <= t_ms - end.t_ms <= rule.within_ms
    )


def _made_until(end_ms: int, steps: Sequence[Steps], span_ms: int) -> int:
    return sum(each.count for each in steps if 0 <= end_ms - each.t_ms < span_ms)

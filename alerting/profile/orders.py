"""What a doctor orders for one patient: a limit as he writes it, made the rule's own; and what may not be ordered."""

from collections.abc import Iterable
from typing import Any

from alerting.profile.patient import LimitRefused
from alerting.profile.profile import LimitRow, OrderRule, Profile
from alerting.profile.tables import level, millis, only
from vitals.reading import ScaleError, scaled
from vitals.sustained import Limit

_EDGES = {True: "at_least", False: "at_most"}


def order_rule(table: dict[str, Any], rows: Iterable[LimitRow]) -> OrderRule:
    """Read the table `orders`: of each signal and side that a rule limits, how far out an order may go."""
    sides = {(row.signal, row.low): f"{row.signal}_{_EDGES[row.low]}" for row in rows}
    only("orders", table, frozenset({"valid_s_max", *sides.values()}))
    return OrderRule(
        valid_ms_max=millis(table, "orders", "valid_s_max"),
        furthest={side: level(table, "orders", key, side[0]) for side, key in sides.items()},
    )


def ordered_limit(profile: Profile, rule: str, limit: float, clear_at: float | None) -> Limit:
    """Make a rule's limit of a number in its signal's unit; the number is dangerous where the profile's own is.

    Without `clear_at` the condition is over as far from the limit as in the profile. Raises LimitRefused.
    """
    row = profile.limits.get(rule)
    if row is None:
        raise LimitRefused(f"{rule!r} is no rule with a limit; there are: {', '.join(sorted(profile.limits))}")
    out = 1 if row.low else -1
    try:
        value = scaled(row.signal, limit)
        over = None if clear_at is None else scaled(row.signal, clear_at)
    except ScaleError as exc:
        raise LimitRefused(f"{rule}: {exc}") from exc
    shipped = row.limit if row.limit is not None else row.drop.limit(value) if row.drop is not None else None
    is_inclusive = shipped is None or row.drop is not None or (shipped.breach - out) % 10 == 0
    margin = (shipped.clear_at - shipped.breach + (out if is_inclusive else 0)) if shipped is not None else 0
    return Limit(breach=value + (out if is_inclusive else 0), clear_at=value + margin if over is None else over)

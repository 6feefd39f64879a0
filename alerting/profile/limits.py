"""Reads a rule's limit, as the file states it for all ways the rule is judged."""

from typing import Any

from alerting.profile.profile import Drop, Holds, LimitRow
from alerting.profile.tables import ProfileError, Table, choice, difference, get, level
from vitals.signals import Signal
from vitals.sustained import NEVER_HIGH, NEVER_LOW, Limit

FORMS = {"below": (True, 0), "at_or_below": (True, 1), "above": (False, 0), "at_or_above": (False, -1)}
"""How a limit may be written: is low dangerous, and how far its exclusive form lies from the number."""

DROP_KEYS = frozenset({"drop", "and_below", "clear_above"})
LIMIT_KEYS = frozenset(FORMS) | DROP_KEYS | {"signal", "clear_at", "holds", "reached_before"}


def limit_row(where: str, rule: str, table: Table, signal: Signal) -> LimitRow:
    """Read what of a rule's row is its limit."""
    reached_before = get(table, where, "reached_before", str) if "reached_before" in table else None
    common: dict[str, Any] = {
        "rule": rule,
        "signal": signal,
        "holds": choice(table, where, "holds", Holds) if "holds" in table else Holds.YES,
        "reached_before": reached_before,
    }
    if "drop" not in table:
        low, limit = limit_of(where, table, signal)
        return LimitRow(low=low, limit=limit, **common)
    if stray := table.keys() & (FORMS.keys() | {"clear_at"}):
        raise ProfileError(f"{where}: has a drop and also {', '.join(sorted(stray))}")
    drop = Drop(
        drop=difference(table, where, "drop", signal),
        and_below=level(table, where, "and_below", signal),
        clear_above=difference(table, where, "clear_above", signal),
    )
    return LimitRow(low=True, limit=None, drop=drop, **common)


def limit_of(where: str, table: Table, signal: Signal) -> tuple[bool, Limit]:
    """Read the one limit of a table, and where its condition is over, as (low is dangerous, limit)."""
    given = [form for form in FORMS if form in table]
    if len(given) != 1:
        raise ProfileError(f"{where}: needs exactly one of {', '.join(FORMS)}; has {', '.join(given) or 'none'}")
    low, shift = FORMS[given[0]]
    limit = Limit(
        breach=level(table, where, given[0], signal) + shift, clear_at=level(table, where, "clear_at", signal)
    )
    if limit.clear_at < limit.breach if low else limit.clear_at > limit.breach:
        raise ProfileError(f"{where}: clear_at = {table['clear_at']} lies inside the limit")
    return low, limit


def standard_limit(row: LimitRow) -> Limit:
    """Give the limit of a standard patient: the one that nothing breaks where the rule does not hold for him."""
    never = NEVER_LOW if row.low else NEVER_HIGH
    return row.limit if row.limit is not None and row.holds is Holds.YES else never

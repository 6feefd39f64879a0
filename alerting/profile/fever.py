"""Reads the rules on a fever that lasts (CLINICAL 3.3)."""

from typing import Any

from alerting.profile.consequences import CONSEQUENCE_KEYS
from alerting.profile.limits import LIMIT_KEYS, standard_limit
from alerting.profile.profile import FeverRule, LimitRow
from alerting.profile.tables import ProfileError, millis, only


def fever_rule(table: dict[str, Any], row: LimitRow) -> FeverRule:
    """Read one rule on a lasting fever; its limit is written as `above`."""
    where = f"fever.{row.rule}"
    only(where, table, (LIMIT_KEYS - {"signal"}) | CONSEQUENCE_KEYS | {"longer_than_s", "block_s", "clear_s"})
    if row.low:
        raise ProfileError(f"{where}: a fever has a limit above, not below")
    limit = standard_limit(row)
    return FeverRule(
        rule=row.rule,
        above=limit.breach,
        longer_than_ms=millis(table, where, "longer_than_s"),
        block_ms=millis(table, where, "block_s"),
        clear_at=limit.clear_at,
        clear_ms=millis(table, where, "clear_s"),
    )

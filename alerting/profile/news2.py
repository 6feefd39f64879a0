"""Reads the rules on NEWS2's aggregate score (CLINICAL 2.2)."""

from typing import Any

from alerting.profile.consequences import CONSEQUENCE_KEYS
from alerting.profile.singles import News2Rule
from alerting.profile.tables import count, millis, only

TOTAL_MAX, SINGLE_MAX = 20, 3
_KEYS = frozenset({"total_from", "single_from", "complete_within_s", "stream_s", "coverage_percent"})


def news2_rule(rule: str, table: dict[str, Any]) -> News2Rule:
    """Read one rule on the score."""
    where = f"news2.{rule}"
    only(
        where,
        table,
        CONSEQUENCE_KEYS | _KEYS,
    )
    return News2Rule(
        rule=rule,
        total_from=count(table, where, "total_from", TOTAL_MAX),
        single_from=count(table, where, "single_from", SINGLE_MAX) if "single_from" in table else None,
        complete_within_ms=millis(table, where, "complete_within_s"),
        stream_ms=millis(table, where, "stream_s"),
        coverage_percent=count(table, where, "coverage_percent", 100),
    )

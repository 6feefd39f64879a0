"""Reads the rules on streams: a limit held for a time (`vitals.sustained`)."""

from collections.abc import Mapping
from typing import Any

from alerting.profile.consequences import CONSEQUENCE_KEYS
from alerting.profile.limits import LIMIT_KEYS, standard_limit
from alerting.profile.profile import Channel, LimitRow, Trust
from alerting.profile.tables import ProfileError, choice, count, millis, only
from vitals.sustained import RuleError, SustainedRule

_TIMES = frozenset({"window_s", "share_percent", "coverage_percent", "building_s", "clear_s", "clear_gap_s"})


def sustained_rules(
    tables: Mapping[str, dict[str, Any]], limits: Mapping[str, LimitRow]
) -> dict[Channel, tuple[SustainedRule, ...]]:
    """Read all sustained rules, by the channel they judge, in the order written."""
    channels: dict[Channel, tuple[SustainedRule, ...]] = {}
    for rule, table in tables.items():
        channel, made = _rule(table, limits[rule])
        channels[channel] = (*channels.get(channel, ()), made)
    return channels


def _rule(table: dict[str, Any], row: LimitRow) -> tuple[Channel, SustainedRule]:
    where = f"sustained.{row.rule}"
    only(where, table, _TIMES | LIMIT_KEYS | CONSEQUENCE_KEYS | {"trust"})
    trust = choice(table, where, "trust", Trust) if "trust" in table else Trust.GOOD
    try:
        made = SustainedRule(
            rule=row.rule,
            low=row.low,
            limit=standard_limit(row),
            window_ms=millis(table, where, "window_s"),
            share_percent=count(table, where, "share_percent", 100),
            coverage_percent=count(table, where, "coverage_percent", 100),
            building_ms=millis(table, where, "building_s"),
            clear_ms=millis(table, where, "clear_s"),
            clear_gap_ms=millis(table, where, "clear_gap_s"),
        )
    except RuleError as exc:
        raise ProfileError(f"{where}: {exc}") from exc
    return Channel(signal=row.signal, trust=trust), made

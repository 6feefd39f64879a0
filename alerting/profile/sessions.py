"""Reads when a finger clip's stream is a measurement, and of how many of those a baseline is made (CLINICAL 3.1)."""

from typing import Any

from alerting.profile.profile import BaselineRule, SessionRule
from alerting.profile.tables import ProfileError, count, difference, millis, only
from vitals.signals import Signal


def session_rule(table: dict[str, Any]) -> SessionRule:
    """Read the table `sessions`."""
    where = "sessions"
    only(where, table, frozenset({"at_least_s", "median_of_last_s", "spread_max", "unchanged_s"}))
    made = SessionRule(
        at_least_ms=millis(table, where, "at_least_s"),
        median_of_last_ms=millis(table, where, "median_of_last_s"),
        spread_max=difference(table, where, "spread_max", Signal.SPO2),
        unchanged_ms=millis(table, where, "unchanged_s"),
    )
    if not 0 < made.unchanged_ms <= made.median_of_last_ms <= made.at_least_ms:
        raise ProfileError(f"{where}: unchanged_s, median_of_last_s and at_least_s must grow")
    return made


def baseline_rule(table: dict[str, Any]) -> BaselineRule:
    """Read the table `baseline`."""
    only("baseline", table, frozenset({"sessions_min", "span_s"}))
    if not (sessions_min := count(table, "baseline", "sessions_min", 1000)):
        raise ProfileError("baseline: sessions_min = 0, a median needs one at least")
    return BaselineRule(sessions_min=sessions_min, span_ms=millis(table, "baseline", "span_s"))
